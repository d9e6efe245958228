package admission_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"vouchsafe/admission"
)

// benchPod is a pod as an API server sends it: 4 containers with what pods usually
// have beside an image, and the fields that the server manages.
func benchPod(images ...string) object {
	container := func(name, image string) any {
		return object{
			"name": name, "image": image, "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log",
			"ports": []any{object{"name": "http", "containerPort": 8080, "protocol": "TCP"}},
			"env": []any{
				object{"name": "A", "value": "some value"},
				object{"name": "B", "valueFrom": object{"secretKeyRef": object{"name": "secret", "key": "key"}}},
			},
			"resources":       object{"requests": object{"cpu": "100m", "memory": "128Mi"}, "limits": object{"memory": "256Mi"}},
			"volumeMounts":    []any{object{"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}},
			"livenessProbe":   object{"httpGet": object{"path": "/livez", "port": 8080}, "periodSeconds": 10},
			"securityContext": object{"allowPrivilegeEscalation": false, "capabilities": object{"drop": []any{"ALL"}}},
		}
	}
	spec := object{
		"serviceAccountName": "default", "restartPolicy": "Always", "schedulerName": "default-scheduler",
		"volumes": []any{object{"name": "token", "projected": object{"sources": []any{object{"serviceAccountToken": object{"path": "token"}}}}}},
	}
	var containers []any
	for i, image := range images {
		containers = append(containers, container(string(rune('a'+i)), image))
	}
	spec["containers"] = containers
	return spec
}

func benchReview(b testing.TB) []byte {
	request := create("Pod", benchPod(signed, signed, watched, signed))
	request["userInfo"] = object{"username": "system:serviceaccount:kube-system:replicaset-controller", "groups": []any{"system:serviceaccounts", "system:authenticated"}}
	request["object"].(object)["metadata"] = object{
		"generateName": "api-5d4f8c7b9-", "labels": object{"app": "api", "pod-template-hash": "5d4f8c7b9"},
		"managedFields": []any{object{"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "fieldsV1": object{
			"f:metadata": object{"f:labels": object{".": object{}, "f:app": object{}}}, "f:spec": object{"f:containers": object{".": object{}}},
		}}},
	}
	return review(b, request)
}

// noop reads, decodes and answers a review, and does nothing about it.
func noop(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var sent struct {
		Request struct {
			UID    string          `json:"uid"`
			Object json.RawMessage `json:"object"`
		} `json:"request"`
	}
	if json.Unmarshal(body, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	answer, err := json.Marshal(object{
		"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": object{"uid": sent.Request.UID, "allowed": true},
	})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

func benchmark(b *testing.B, h http.Handler, target string) {
	body := benchReview(b)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		recorder := serve(h, target, body)
		if recorder.Code != http.StatusOK {
			b.Fatalf("HTTP %d: %s", recorder.Code, recorder.Body)
		}
	}
}

func serve(h http.Handler, target string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, target, &reader{body})
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder
}

type reader struct{ rest []byte }

func (r *reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func knownWorld(t testing.TB) *world {
	w := newWorld(t, func(c *admission.Config) { c.Observe = nil })
	w.known(signed, watched)
	return w
}

func BenchmarkReviewNoop(b *testing.B) { benchmark(b, http.HandlerFunc(noop), "/validate?timeout=10s") }

func BenchmarkReviewKnown(b *testing.B) {
	benchmark(b, knownWorld(b).handler, "/validate?timeout=10s")
}

func BenchmarkReviewMutate(b *testing.B) {
	benchmark(b, knownWorld(b).handler, "/mutate?timeout=10s")
}

// mostAllocations is what a review of known images may make, the test's own request
// and answer included.
const mostAllocations = 260

// TestAReviewOfKnownImagesCostsLittle tells its time beside that of one that does
// nothing, in the same run; what it allocates is bounded, and it asks nobody.
func TestAReviewOfKnownImagesCostsLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too: make test runs this again without it")
	}
	w := knownWorld(t)
	body := benchReview(t)
	batch := func(h http.Handler) time.Duration {
		const reviews = 100
		begin := time.Now()
		for range reviews {
			if got := serve(h, "/validate?timeout=10s", body); got.Code != http.StatusOK {
				t.Fatalf("HTTP %d", got.Code)
			}
		}
		return time.Since(begin) / reviews
	}
	// The best of many, in turn: what else runs on the machine only adds.
	known, nothing := time.Hour, time.Hour
	for range 40 {
		known, nothing = min(known, batch(w.handler)), min(nothing, batch(http.HandlerFunc(noop)))
	}
	if asked := w.registry.Requests(); len(asked) > 0 {
		t.Errorf("a registry was asked: %v", asked)
	}
	text := fmt.Sprintf("a review of known images takes %.1f µs, one that does nothing %.1f µs: %.2f times", float64(known)/1e3, float64(nothing)/1e3, float64(known)/float64(nothing))
	// Time is told; what a review allocates is the same on every machine.
	t.Log(text)
	allocations := testing.AllocsPerRun(100, func() { serve(w.handler, "/validate?timeout=10s", body) })
	t.Logf("%.0f allocations", allocations)
	if allocations > mostAllocations {
		t.Errorf("a review of known images makes %.0f allocations, want at most %d", allocations, mostAllocations)
	}
}
