package kubernetes_test

import (
	"net/http"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/kubernetes"
	"vouchsafe/e2e/internal/origin"
)

// object is a piece of an object of the API.
type object = map[string]any

// workload is a kind of object that has pods or makes them.
type workload struct {
	kind, path string
	template   string // where the pod is in the object, as a JSON pointer
	wrap       func(pod object) object
	// fixed says that the API does not let the template's images be changed.
	fixed bool
}

// workloads are all of them. None makes a pod: that would be another review.
var workloads = []workload{
	{"Pod", "/api/v1/namespaces/%s/pods", "", func(pod object) object { return object{"spec": pod["spec"]} }, false},
	{"ReplicationController", "/api/v1/namespaces/%s/replicationcontrollers", "/spec/template", func(pod object) object {
		return object{"spec": object{"replicas": 0, "selector": labels, "template": labelled(pod)}}
	}, false},
	{"Deployment", "/apis/apps/v1/namespaces/%s/deployments", "/spec/template", func(pod object) object {
		whole := selecting(pod)
		// Else it makes a ReplicaSet, which is reviewed too.
		whole["spec"].(object)["paused"] = true
		return whole
	}, false},
	{"ReplicaSet", "/apis/apps/v1/namespaces/%s/replicasets", "/spec/template", selecting, false},
	{"StatefulSet", "/apis/apps/v1/namespaces/%s/statefulsets", "/spec/template", selecting, false},
	{"DaemonSet", "/apis/apps/v1/namespaces/%s/daemonsets", "/spec/template", func(pod object) object {
		return object{"spec": object{"selector": object{"matchLabels": labels}, "template": labelled(pod)}}
	}, false},
	{"Job", "/apis/batch/v1/namespaces/%s/jobs", "/spec/template", func(pod object) object {
		return object{"spec": object{"suspend": true, "template": never(pod)}}
	}, true},
	{"CronJob", "/apis/batch/v1/namespaces/%s/cronjobs", "/spec/jobTemplate/spec/template", func(pod object) object {
		return object{"spec": object{"suspend": true, "schedule": "0 0 1 1 *", "jobTemplate": object{"spec": object{"template": never(pod)}}}}
	}, false},
}

// labels are those by which a workload finds its pods.
var labels = object{"app": "e2e"}

func selecting(pod object) object {
	return object{"spec": object{"replicas": 0, "selector": object{"matchLabels": labels}, "template": labelled(pod)}}
}

// labelled is a pod as a template has it. Pods that are nobody's have no labels:
// a workload would adopt them.
func labelled(pod object) object {
	return object{"metadata": object{"labels": labels}, "spec": pod["spec"]}
}

// never gives a pod the restart policy that jobs want.
func never(pod object) object {
	spec := object{"restartPolicy": "Never"}
	for key, value := range pod["spec"].(object) {
		spec[key] = value
	}
	return object{"spec": spec}
}

// place is where in a pod an image may be.
type place struct {
	name string
	// pod is a pod whose image there is the one, and every other the second.
	pod func(image, other string) object
	// path is that of the image in the pod, as a JSON pointer.
	path string
}

var places = []place{
	{"a container", func(image, _ string) object { return pod(object{"containers": []object{container("app", image)}}) }, "/spec/containers/0/image"},
	{"an init container", func(image, other string) object {
		return pod(object{"containers": []object{container("app", other)}, "initContainers": []object{container("first", image)}})
	}, "/spec/initContainers/0/image"},
	{"a sidecar", func(image, other string) object {
		beside := container("beside", image)
		beside["restartPolicy"] = "Always"
		return pod(object{"containers": []object{container("app", other)}, "initContainers": []object{beside}})
	}, "/spec/initContainers/0/image"},
	{"an image volume", func(image, other string) object {
		return pod(object{
			"containers": []object{container("app", other)},
			"volumes":    []object{{"name": "data", "image": object{"reference": image}}},
		})
	}, "/spec/volumes/0/image/reference"},
}

func container(name, image string) object { return object{"name": name, "image": image} }

// pod is a pod of a spec. It is for no node, and has no token, so that nothing
// but the images of its spec is of interest.
func pod(spec object) object {
	whole := object{
		"nodeSelector":                  object{"e2e": "nowhere"},
		"automountServiceAccountToken":  false,
		"terminationGracePeriodSeconds": 0,
	}
	for key, value := range spec {
		whole[key] = value
	}
	return object{"spec": whole}
}

// podOf is a pod of one container.
func podOf(image origin.Image) object { return podNamed(nameOf(image)) }

func podNamed(image string) object { return places[0].pod(image, image) }

// dryRun is the query of a request that is to change nothing.
const dryRun = "?dryRun=All"

// create creates an object, with a name that the API chooses, from the pod of
// its template.
func create(t *testing.T, namespace, kind string, pod object, query string) kubernetes.Answer {
	t.Helper()
	of := workloadOf(kind)
	whole := of.wrap(pod)
	metadata := object{"generateName": "e2e-"}
	if annotations, is := pod["annotations"]; is {
		metadata["annotations"] = annotations
	}
	whole["metadata"] = metadata
	return cluster.Do(t, http.MethodPost, at(of, namespace)+query, whole)
}

func workloadOf(kind string) workload {
	for _, of := range workloads {
		if of.kind == kind {
			return of
		}
	}
	panic("no workload " + kind)
}

// at is the path of the workloads of a namespace.
func at(of workload, namespace string) string { return strings.Replace(of.path, "%s", namespace, 1) }

// made is what the tests read of an object that the API returned.
type made struct {
	Metadata struct {
		Name            string
		ResourceVersion string
		Annotations     map[string]string
	}
	Spec podSpec
}

type podSpec struct {
	Containers, InitContainers, EphemeralContainers []struct{ Name, Image string }
	Volumes                                         []struct{ Image struct{ Reference string } }
}

// images are the images of a pod, in the order of its lists.
func (s podSpec) images() []string {
	var all []string
	for _, volume := range s.Volumes {
		if volume.Image.Reference != "" {
			all = append(all, volume.Image.Reference)
		}
	}
	for _, list := range [][]struct{ Name, Image string }{s.InitContainers, s.Containers, s.EphemeralContainers} {
		for _, container := range list {
			all = append(all, container.Image)
		}
	}
	return all
}

// decode reads an object that has to have been made.
func decode(t *testing.T, answer kubernetes.Answer) made {
	t.Helper()
	if answer.Status >= 300 {
		t.Fatalf("the API server answers %d: %s", answer.Status, answer.Message())
	}
	var object made
	answer.Object(t, &object)
	return object
}
