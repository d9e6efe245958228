package kube

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"vouchsafe/oci"
)

func TestDeployed(t *testing.T) {
	const digits = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, c := range []struct{ name, image, id, want string }{
		{"containerd reports a repository and a digest", "acme/api:1", "docker.io/acme/api@" + digits, "docker.io/acme/api:1@" + digits},
		{"dockershim puts a scheme before it", "acme/api", "docker-pullable://acme/api@" + digits, "docker.io/acme/api:latest@" + digits},
		{"the repository is the pod's, whatever the node calls it", "acme/api:1", "quay.io/other/name@" + digits, "docker.io/acme/api:1@" + digits},
		{"the digest is the node's", "acme/api@sha256:" + strings.Repeat("0", 64), "docker.io/acme/api@" + digits, "docker.io/acme/api@" + digits},
		{"a configuration's digest names no manifest", "acme/api:1", digits, ""},
		{"so it does with a scheme", "acme/api:1", "docker://" + digits, ""},
		{"nothing is reported yet", "acme/api:1", "", ""},
		{"no digest", "acme/api:1", "docker.io/acme/api@sha256:12", ""},
		{"no name", "UPPER CASE", "docker.io/acme/api@" + digits, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ref, ok := deployed(oci.ParseReference, c.image, c.id)
			got := ref.String()
			if !ok {
				got = ""
			}
			if got != c.want {
				t.Errorf("got %q, wanted %q", got, c.want)
			}
		})
	}
}

func TestUsesReachEveryImageOfAPod(t *testing.T) {
	const text = `{
	 "spec": {
	  "containers": [{"name": "app", "image": "app:1"}], "initContainers": [{"name": "init", "image": "init:1"}],
	  "ephemeralContainers": [{"name": "debug", "image": "debug:1"}],
	  "volumes": [{"name": "data", "image": {"reference": "data:1"}}, {"name": "tmp", "emptyDir": {}}]},
	 "status": {"phase": "Pending",
	  "containerStatuses": [{"name": "app", "imageID": "", "state": {"waiting": {"reason": "ErrImagePull"}},
	    "volumeMounts": [{"name": "data", "mountPath": "/d", "volumeStatus": {"image": {"imageRef": "data@sha256:1"}}}, {"name": "tmp", "mountPath": "/t"}]}],
	  "initContainerStatuses": [{"name": "init", "imageID": "init@sha256:2", "state": {"terminated": {}}}],
	  "ephemeralContainerStatuses": [{"name": "debug", "imageID": "debug@sha256:3", "state": {"running": {}}}]}}`
	var p pod
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	want := []use{
		{"containers", "app", "app:1", "", "ErrImagePull"},
		{"volumes", "data", "data:1", "data@sha256:1", ""},
		{"volumes", "data", "data:1", "", "ErrImagePull"},
		{"initContainers", "init", "init:1", "init@sha256:2", ""},
		{"ephemeralContainers", "debug", "debug:1", "debug@sha256:3", ""},
	}
	if got := p.uses(); !slices.Equal(got, want) {
		t.Errorf("got %v\nwanted %v", got, want)
	}
}

func TestListsAreReadWhateverTheirOrder(t *testing.T) {
	for _, c := range []struct {
		name, text, version, next string
		pods                      int
		bad                       bool
	}{
		{"an empty list", `{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[]}`, "1", "", 0, false},
		{"items first", `{"items":[{"metadata":{"name":"a"}},{}],"metadata":{"resourceVersion":"1","continue":"x"},"more":{"a":[1]}}`, "1", "x", 2, false},
		{"items that are null", `{"metadata":{"resourceVersion":"1"},"items":null}`, "1", "", 0, false},
		{"items that are none", `{"metadata":{"resourceVersion":"1"},"items":{}}`, "", "", 0, true},
		{"cut off", `{"metadata":{"resourceVersion":"1"},"items":[{}`, "", "", 1, true},
		{"no object", `[]`, "", "", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			version, next, err := readList(strings.NewReader(c.text), func(*pod) error { n++; return nil })
			if version != c.version || next != c.next || n != c.pods || (err != nil) != c.bad {
				t.Errorf("got %q, %q, %d pods, %v", version, next, n, err)
			}
		})
	}
}
