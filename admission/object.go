package admission

import "strconv"

// place says where in an object its pod template is. The zero value is of a kind
// that is not looked into.
type place uint8

const (
	// inSpec is of a pod: its own spec.
	inSpec place = iota + 1
	// inTemplate is spec.template.spec.
	inTemplate
	// inJobTemplate is spec.jobTemplate.spec.template.spec.
	inJobTemplate
)

// kinds is the one table of what is looked into. A test compares it with the types
// of the Kubernetes API.
var kinds = map[groupKind]place{
	{"", "v1", "Pod"}:                   inSpec,
	{"", "v1", "ReplicationController"}: inTemplate,
	{"apps", "v1", "Deployment"}:        inTemplate,
	{"apps", "v1", "StatefulSet"}:       inTemplate,
	{"apps", "v1", "DaemonSet"}:         inTemplate,
	{"apps", "v1", "ReplicaSet"}:        inTemplate,
	{"batch", "v1", "Job"}:              inTemplate,
	{"batch", "v1", "CronJob"}:          inJobTemplate,
}

// object is what is read of an object of any of these kinds.
type object struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		podSpec
		Template    *template `json:"template"`
		JobTemplate *struct {
			Spec struct {
				Template *template `json:"template"`
			} `json:"spec"`
		} `json:"jobTemplate"`
	} `json:"spec"`
}

type metadata struct {
	Name         string       `json:"name"`
	GenerateName string       `json:"generateName"`
	Namespace    string       `json:"namespace"`
	Annotations  *annotations `json:"annotations"`
}

type template struct {
	Spec podSpec `json:"spec"`
}

// podSpec is the part of a pod's spec that names images.
type podSpec struct {
	ServiceAccountName  string      `json:"serviceAccountName"`
	InitContainers      []container `json:"initContainers"`
	Containers          []container `json:"containers"`
	EphemeralContainers []container `json:"ephemeralContainers"`
	Volumes             []volume    `json:"volumes"`
}

type container struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

type volume struct {
	Name  string `json:"name"`
	Image *struct {
		Reference string `json:"reference"`
	} `json:"image"`
}

// pod returns the spec of the pods that the object makes, nil without one.
func (o *object) pod(at place) *podSpec {
	switch {
	case at == inSpec:
		return &o.Spec.podSpec
	case at == inTemplate && o.Spec.Template != nil:
		return &o.Spec.Template.Spec
	case at == inJobTemplate && o.Spec.JobTemplate != nil && o.Spec.JobTemplate.Spec.Template != nil:
		return &o.Spec.JobTemplate.Spec.Template.Spec
	}
	return nil
}

// ephemeral is the list that one subresource is about.
const ephemeral = "ephemeralContainers"

// use is one place of a pod's spec that names an image.
type use struct {
	// list is "initContainers", "containers", "ephemeralContainers" or "volumes".
	list  string
	index int
	name  string
	image string
	// had is the image of the same use before an update; empty without one.
	had string
}

// id tells the uses of one pod apart, whatever their order.
func (u use) id() string { return u.list + "/" + u.name }

// pointer is where a pod's document has the name (RFC 6901).
func (u use) pointer() string {
	at := "/spec/" + u.list + "/" + strconv.Itoa(u.index) + "/image"
	if u.list == "volumes" {
		at += "/reference"
	}
	return at
}

// uses returns every use, in the order in which they are started.
func (p *podSpec) uses() []use {
	if p == nil {
		return nil
	}
	all := make([]use, 0, len(p.InitContainers)+len(p.Containers)+len(p.EphemeralContainers)+1)
	for i := range p.Volumes {
		if v := &p.Volumes[i]; v.Image != nil {
			all = append(all, use{list: "volumes", index: i, name: v.Name, image: v.Image.Reference})
		}
	}
	for _, part := range []struct {
		list       string
		containers []container
	}{{"initContainers", p.InitContainers}, {"containers", p.Containers}, {ephemeral, p.EphemeralContainers}} {
		for i := range part.containers {
			all = append(all, use{list: part.list, index: i, name: part.containers[i].Name, image: part.containers[i].Image})
		}
	}
	return all
}

// fresh returns the uses that the review brings: all of a new object, else those
// whose image is not the one that the same container or volume had before.
func (v *review) fresh() []use {
	all := v.object.pod(v.place).uses()
	if v.old == nil {
		return all
	}
	had := map[string]string{}
	for _, u := range v.old.pod(v.place).uses() {
		had[u.id()] = u.image
	}
	var some []use
	for _, u := range all {
		if u.had = had[u.id()]; u.had != u.image || u.image == "" {
			some = append(some, u)
		}
	}
	return some
}
