package kube_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/kube"
)

// configurationAt is one configuration with one webhook, to which the patches of
// this package are applied.
type configurationAt struct {
	mu      sync.Mutex
	version int
	bundle  []byte
}

func (s *server) serveConfiguration(resource, name string) *configurationAt {
	at := &configurationAt{version: 1}
	path := "/apis/admissionregistration.k8s.io/v1/" + resource + "/" + name
	s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
		at.mu.Lock()
		defer at.mu.Unlock()
		client := map[string]any{"service": map[string]any{"namespace": "vouchsafe", "name": "webhook"}}
		if at.bundle != nil {
			client["caBundle"] = at.bundle
		}
		answer(w, http.StatusOK, map[string]any{
			"metadata": map[string]any{"name": name, "resourceVersion": fmt.Sprint(at.version)},
			"webhooks": []any{map[string]any{"name": "pods.vouchsafe.dev", "clientConfig": client}},
		})
	})
	s.mux.HandleFunc("PATCH "+path, func(w http.ResponseWriter, r *http.Request) {
		var patch []struct {
			Op, Path string
			Value    json.RawMessage
		}
		at.mu.Lock()
		defer at.mu.Unlock()
		if json.NewDecoder(r.Body).Decode(&patch) != nil || len(patch) != 3 || string(patch[0].Value) != fmt.Sprintf("%q", fmt.Sprint(at.version)) {
			answer(w, http.StatusUnprocessableEntity, "the server rejected our request")
			return
		}
		if json.Unmarshal(patch[2].Value, &at.bundle) != nil || patch[2].Path != "/webhooks/0/clientConfig/caBundle" {
			answer(w, http.StatusBadRequest, "no bundle")
			return
		}
		at.version++
		answer(w, http.StatusOK, map[string]any{})
	})
	return at
}

func TestReplicasAgreeThroughAnAPIServerAndWriteNothingTwice(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.serveSecret("vouchsafe", "webhook-tls")
	mutating := s.serveConfiguration("mutatingwebhookconfigurations", "vouchsafe")
	validating := s.serveConfiguration("validatingwebhookconfigurations", "vouchsafe")
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusNotFound, "not found") })
	var replicas []*kube.Authority
	for range 3 {
		client := s.client(t)
		r := kube.NewAuthority(kube.NewSecretStore(client, "vouchsafe", "webhook-tls"), kube.AuthorityConfig{
			Configurations: kube.NewConfigurations(client, []string{"vouchsafe"}), Poll: 50 * time.Millisecond,
		})
		replicas = append(replicas, r)
		start(t, r.Run)
	}
	for _, r := range replicas {
		eventually(t, "no problem", func() bool { return r.Problem() == nil })
	}
	first, err := replicas[0].GetCertificate(nil)
	check(t, err)
	for _, r := range replicas {
		pair, err := r.GetCertificate(nil)
		check(t, err)
		if !pair.Leaf.Equal(first.Leaf) {
			t.Error("replicas show different certificates")
		}
	}
	for _, at := range []*configurationAt{mutating, validating} {
		at.mu.Lock()
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(at.bundle)
		at.mu.Unlock()
		_, err := first.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "webhook.vouchsafe.svc"})
		check(t, err)
	}
	s.taken()
	// Some looks more: everything is read, nothing is written.
	for looks := 0; looks < 12; {
		time.Sleep(20 * time.Millisecond)
		for _, r := range s.taken() {
			if !strings.HasPrefix(r.line, "GET ") {
				t.Errorf("%s, although nothing differs", r.line)
			}
			if strings.Contains(r.line, "/secrets/") {
				looks++
			}
		}
	}
	if mutating.version != 2 || validating.version != 2 {
		t.Errorf("written %d and %d times", mutating.version-1, validating.version-1)
	}
}
