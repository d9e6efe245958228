package kubernetes_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"vouchsafe/e2e/internal/kubernetes"
)

// direct speaks to the webhook as the API server does, with what the API server
// would not send.
type direct struct {
	client *http.Client
	base   string
}

// direct trusts what the configuration names as the webhook's authority.
func (w *world) direct(t *testing.T) *direct {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle(t, validating)) {
		t.Fatal("the configuration has no CA bundle")
	}
	name := service + "." + ours + ".svc"
	return &direct{
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name}}},
		base:   "https://" + w.webhook,
	}
}

// bundle is the CA bundle that all webhooks of a configuration have; nil while
// they differ.
func bundle(t *testing.T, path string) []byte {
	t.Helper()
	var configuration struct {
		Webhooks []struct{ ClientConfig struct{ CABundle []byte } }
	}
	cluster.MustDo(t, http.MethodGet, path, nil).Object(t, &configuration)
	first := configuration.Webhooks[0].ClientConfig.CABundle
	for _, webhook := range configuration.Webhooks {
		if !bytes.Equal(webhook.ClientConfig.CABundle, first) {
			return nil
		}
	}
	return first
}

// verdict is what the tests read of a review's answer.
type verdict struct {
	Response struct {
		UID       string
		Allowed   bool
		Status    struct{ Message string }
		Warnings  []string
		Patch     []byte
		PatchType string
	}
}

// send posts a body and returns the status, and the answer where it is one.
func (d *direct) send(t *testing.T, path string, body []byte) (int, verdict) {
	t.Helper()
	response, err := d.client.Post(d.base+path, "application/json", bytes.NewReader(body))
	check(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	check(t, err)
	var v verdict
	if response.StatusCode == http.StatusOK {
		check(t, json.Unmarshal(text, &v))
	}
	return response.StatusCode, v
}

// review is a review of the creation of a pod.
func review(t *testing.T, uid string, pod object) []byte {
	t.Helper()
	pod["apiVersion"], pod["kind"] = "v1", "Pod"
	text, err := json.Marshal(object{
		"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
		"request": object{
			"uid": uid, "kind": object{"group": "", "version": "v1", "kind": "Pod"}, "resource": object{"group": "", "version": "v1", "resource": "pods"},
			"namespace": "default", "operation": "CREATE", "userInfo": object{"username": "e2e"}, "object": pod, "dryRun": false,
		},
	})
	check(t, err)
	return text
}

// padded is a review with spaces behind it, so that it has a size in bytes.
func padded(t *testing.T, pod object, size int) []byte {
	t.Helper()
	text := review(t, "padded", pod)
	return append(text, bytes.Repeat([]byte(" "), size-len(text))...)
}

func (w *world) tellSize(t *testing.T) {
	d := w.direct(t)
	const limit = 40 << 20
	for _, path := range []string{"/mutate?timeout=10s", "/validate?timeout=10s"} {
		if status, v := d.send(t, path, padded(t, podOf(w.signed), limit)); status != http.StatusOK || !v.Response.Allowed {
			t.Errorf("%s with 40 MiB: got %d %+v, want that it is allowed", path, status, v.Response)
		}
		// An HTTP error would let it in, by failurePolicy Ignore.
		refused := strings.HasPrefix(path, "/validate")
		if status, v := d.send(t, path, padded(t, podOf(w.signed), limit+1)); status != http.StatusOK || v.Response.Allowed == refused || v.Response.Patch != nil {
			t.Errorf("%s with a byte more: got %d %+v, want that it is refused: %t", path, status, v.Response, refused)
		}
	}
	if status, v := d.send(t, "/validate?timeout=10s", padded(t, podOf(w.unsigned), limit)); status != http.StatusOK || v.Response.Allowed {
		t.Errorf("an unsigned image in 40 MiB: got %d %+v, want a refusal", status, v.Response)
	}
}

func (w *world) tellDuplicate(t *testing.T) {
	d := w.direct(t)
	for _, path := range []string{"/mutate?timeout=10s", "/validate?timeout=10s"} {
		body := review(t, "twice", podOf(w.unsigned))
		_, first := d.send(t, path, body)
		_, second := d.send(t, path, body)
		if first.Response.UID != "twice" || second.Response.UID != "twice" {
			t.Errorf("%s: got the UIDs %q and %q, want the review's", path, first.Response.UID, second.Response.UID)
		}
		if first.Response.Allowed != second.Response.Allowed || !bytes.Equal(first.Response.Patch, second.Response.Patch) ||
			steady(first.Response.Status.Message) != steady(second.Response.Status.Message) {
			t.Errorf("%s: got %+v, then %+v", path, first.Response, second.Response)
		}
	}
}

func (w *world) tellNamespace(t *testing.T) {
	d := w.direct(t)
	for image, allowed := range map[string]bool{nameOf(w.signed): true, nameOf(w.unsigned): false} {
		body := bytes.Replace(review(t, "nowhere", podNamed(image)), []byte(`"namespace":"default"`), []byte(`"namespace":"never-made"`), 1)
		if _, v := d.send(t, "/validate?timeout=10s", body); v.Response.UID != "nowhere" || v.Response.Allowed != allowed {
			t.Errorf("%s: got %+v, want allowed %t", image, v.Response, allowed)
		}
	}
}

func (w *world) tellNoReview(t *testing.T) {
	d := w.direct(t)
	for name, body := range map[string]string{
		"nothing":             "",
		"half a review":       `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":`,
		"another kind":        `{"apiVersion":"admission.k8s.io/v1","kind":"Something","request":{"uid":"x"}}`,
		"another version":     `{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{"uid":"x"}}`,
		"a review of nothing": `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`,
	} {
		for _, path := range []string{"/mutate", "/validate"} {
			if status, v := d.send(t, path, []byte(body)); status == http.StatusOK && v.Response.Allowed && (path == "/validate" || v.Response.Patch != nil) {
				t.Errorf("%s at %s is allowed", name, path)
			}
		}
	}
}

func (w *world) tellMany(t *testing.T) {
	cluster.Namespace(t, "many", nil)
	w.at.Reset()
	var containers []object
	for i := range 199 {
		containers = append(containers, container(fmt.Sprintf("c%d", i), nameOf(w.other)))
	}
	last := func(image string) object {
		return pod(object{"containers": append(containers[:199:199], container("last", image))})
	}
	denied := create(t, "many", "Pod", last(nameOf(w.unsigned)), "")
	if denied.Status != http.StatusForbidden || !strings.Contains(denied.Message(), w.unsigned.Repository) {
		t.Errorf("one unsigned of 200: got %d %s", denied.Status, denied.Message())
	}
	allowed := create(t, "many", "Pod", last(nameOf(w.signed)), "")
	images := decode(t, allowed).Spec.images()
	for _, image := range images {
		if !strings.HasPrefix(image, pullHost+"/") {
			t.Errorf("the pod has the image %s", image)
		}
	}
	if len(images) != 200 {
		t.Errorf("the pod has %d images, want 200", len(images))
	}
	// Each distinct image was asked for once: a handful, not 200.
	if requests := len(w.at.Requests("/v2/")); requests > 30 {
		t.Errorf("the registry got %d requests for three images", requests)
	}
	t.Logf("200 containers: denied in %s, allowed in %s", denied.Took, allowed.Took)
	for _, took := range []time.Duration{denied.Took, allowed.Took} {
		if took > 5*time.Second {
			t.Errorf("200 containers took %s", took)
		}
	}
}

func (w *world) tellItself(t *testing.T) {
	cluster.Namespace(t, "itself", nil)
	for _, c := range []struct {
		image string
		want  int
	}{
		{rewritten(w.signed), http.StatusCreated},
		{rewritten(w.unsigned), http.StatusForbidden},
		{pullHost + "/" + w.unsigned.Repository + ":1", http.StatusForbidden},
		{pullHost + "/docker.io/" + w.unsigned.Repository + "@" + w.unsigned.Digest, http.StatusForbidden},
		{pullHost + "/" + unlisted + "/acme/app:1", http.StatusForbidden},
		{pullHost + "/" + pullHost + "/docker.io/" + w.signed.Repository + ":1", http.StatusForbidden},
		{strings.ToUpper("localhost") + ":5000/docker.io/" + w.unsigned.Repository + ":1", http.StatusForbidden},
	} {
		answer := create(t, "itself", "Pod", podNamed(c.image), "")
		if answer.Status != c.want {
			t.Errorf("%s: got %d %s, want %d", c.image, answer.Status, answer.Message(), c.want)
		}
		if c.want == http.StatusCreated {
			if image, _, _ := strings.Cut(decode(t, answer).Spec.Containers[0].Image, "@"); image != c.image {
				t.Errorf("%s was rewritten again, to %s", c.image, image)
			}
		}
	}
}

func (w *world) tellAnnotation(t *testing.T) {
	cluster.Namespace(t, "annotated", nil)
	claim := func(image string) kubernetes.Answer {
		tenant := podNamed(image)
		tenant["annotations"] = object{"vouchsafe.dev/original-images": `{"containers/app":"docker.io/acme/signed:1"}`}
		return create(t, "annotated", "Pod", tenant, "")
	}
	if answer := claim(nameOf(w.unsigned)); answer.Status != http.StatusForbidden {
		t.Errorf("an unsigned image with the annotation: got %d, want 403", answer.Status)
	}
	if answer := claim(rewritten(w.unsigned)); answer.Status != http.StatusForbidden {
		t.Errorf("a rewritten unsigned image with the annotation: got %d, want 403", answer.Status)
	}
	if got := decode(t, claim(nameOf(w.other))).Metadata.Annotations["vouchsafe.dev/original-images"]; !strings.Contains(got, w.other.Repository) || strings.Contains(got, w.signed.Repository) {
		t.Errorf("the annotation is %s, want what is so", got)
	}
}
