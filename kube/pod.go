package kube

import (
	"strings"

	"vouchsafe/oci"
)

// pod is what is decoded of a pod: a few hundred bytes, whatever else it holds.
type pod struct {
	Metadata podMetadata `json:"metadata"`
	Spec     podSpec     `json:"spec"`
	Status   podStatus   `json:"status"`
}

type podMetadata struct {
	Name            string `json:"name"`
	Namespace       string `json:"namespace"`
	UID             string `json:"uid"`
	ResourceVersion string `json:"resourceVersion"`
}

type podSpec struct {
	Containers          []container `json:"containers"`
	InitContainers      []container `json:"initContainers"`
	EphemeralContainers []container `json:"ephemeralContainers"`
	Volumes             []volume    `json:"volumes"`
}

type container struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

// volume is a volume of an image, if its reference is set.
type volume struct {
	Name  string `json:"name"`
	Image struct {
		Reference string `json:"reference"`
	} `json:"image"`
}

type podStatus struct {
	Phase                      string            `json:"phase"`
	ContainerStatuses          []containerStatus `json:"containerStatuses"`
	InitContainerStatuses      []containerStatus `json:"initContainerStatuses"`
	EphemeralContainerStatuses []containerStatus `json:"ephemeralContainerStatuses"`
}

type containerStatus struct {
	Name    string `json:"name"`
	ImageID string `json:"imageID"`
	State   struct {
		Waiting struct {
			Reason string `json:"reason"`
		} `json:"waiting"`
	} `json:"state"`
	VolumeMounts []struct {
		Name         string `json:"name"`
		VolumeStatus struct {
			Image struct {
				ImageRef string `json:"imageRef"`
			} `json:"image"`
		} `json:"volumeStatus"`
	} `json:"volumeMounts"`
}

// use is one image of a pod as it stands.
type use struct {
	// list and name say which container; fieldPath is theirs in Events.
	list, name string
	// image is as the pod names it, id what the node reports, waiting why it does
	// not run; any may be empty.
	image, id, waiting string
}

func (u use) fieldPath() string { return "spec." + u.list + "{" + u.name + "}" }

// uses returns the images of p, as far as its status speaks of them.
func (p *pod) uses() []use {
	var all []use
	references := map[string]string{}
	for _, v := range p.Spec.Volumes {
		if v.Image.Reference != "" {
			references[v.Name] = v.Image.Reference
		}
	}
	for _, one := range []struct {
		list     string
		specs    []container
		statuses []containerStatus
	}{
		{"containers", p.Spec.Containers, p.Status.ContainerStatuses},
		{"initContainers", p.Spec.InitContainers, p.Status.InitContainerStatuses},
		{"ephemeralContainers", p.Spec.EphemeralContainers, p.Status.EphemeralContainerStatuses},
	} {
		images := make(map[string]string, len(one.specs))
		for _, spec := range one.specs {
			images[spec.Name] = spec.Image
		}
		for i := range one.statuses {
			s := &one.statuses[i]
			all = append(all, use{one.list, s.Name, images[s.Name], s.ImageID, s.State.Waiting.Reason})
			for _, m := range s.VolumeMounts {
				if ref := references[m.Name]; ref != "" && m.VolumeStatus.Image.ImageRef != "" {
					all = append(all, use{"volumes", m.Name, ref, m.VolumeStatus.Image.ImageRef, ""})
				}
			}
			if waitsForImage(s.State.Waiting.Reason) {
				// The kubelet reports an image volume that it could not pull as the state of
				// the containers that mount it.
				for name, ref := range references {
					all = append(all, use{"volumes", name, ref, "", s.State.Waiting.Reason})
				}
			}
		}
	}
	return all
}

// over reports whether nothing of p runs any more.
func (p *pod) over() bool { return p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" }

// waitsForImage reports whether a container's state says that its image could not
// be pulled.
func waitsForImage(reason string) bool {
	return reason == "ErrImagePull" || reason == "ImagePullBackOff"
}

// deployed returns the origin name and digest of an image that a node reports to
// run. image is as the pod names it: its repository is meant, since what a node
// reports may be another repository's name for the same content. id is
// "[docker-pullable://]repository@digest"; one without a repository is a digest of
// a configuration, which names no manifest.
func deployed(origin func(string) (oci.Reference, error), image, id string) (oci.Reference, bool) {
	if _, after, found := strings.Cut(id, "://"); found {
		id = after
	}
	_, digits, found := strings.Cut(id, "@")
	if !found {
		return oci.Reference{}, false
	}
	digest, err := oci.ParseDigest(digits)
	if err != nil {
		return oci.Reference{}, false
	}
	ref, err := origin(image)
	if err != nil {
		return oci.Reference{}, false
	}
	return ref.WithDigest(digest), true
}
