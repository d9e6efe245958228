package kube_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vouchsafe/kube"
)

func TestWithoutAClusterThereIsNoClient(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := kube.NewClient(kube.ClientConfig{}); !errors.Is(err, kube.ErrNoCluster) {
		t.Errorf("got %v", err)
	}
	_, err := kube.NewClient(kube.ClientConfig{Getenv: func(string) string { return "/does/not/exist" }})
	if err == nil {
		t.Error("a KUBECONFIG that does not exist is no error")
	}
}

func TestRefusalsOfTheAPIServerAreTold(t *testing.T) {
	for _, c := range []struct {
		name string
		code int
		is   error
	}{
		{"forbidden", http.StatusForbidden, kube.ErrForbidden},
		{"unauthorized", http.StatusUnauthorized, kube.ErrForbidden},
		{"a conflict", http.StatusConflict, kube.ErrConflict},
		{"trouble", http.StatusInternalServerError, nil},
		{"a redirect, which is not followed", http.StatusTemporaryRedirect, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the credentials went elsewhere") }))
			defer other.Close()
			s := newServer(t)
			s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", other.URL)
				answer(w, c.code, strings.Repeat("because ", 200))
			})
			_, err := kube.NewSecretStore(s.client(t), "ns", "name").Load(t.Context())
			var status *kube.StatusError
			if !errors.As(err, &status) || status.Code != c.code || c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("got %v", err)
			}
			if len(status.Message) > 512 || !strings.HasPrefix(status.Message, "because") {
				t.Errorf("the message is %q", status.Message)
			}
		})
	}
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	s := newServer(t)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		for range 6 {
			_, _ = w.Write(bytes.Repeat([]byte(" "), 1<<20))
		}
	})
	if _, err := kube.NewSecretStore(s.client(t), "ns", "name").Load(t.Context()); !errors.Is(err, kube.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestRequestsNameTheProgramAndShowTheToken(t *testing.T) {
	s := newServer(t)
	s.serveSecret("ns", "name")
	_, err := kube.NewSecretStore(s.client(t), "ns", "name").Load(t.Context())
	check(t, err)
	got := s.taken()
	if len(got) != 1 || got[0].agent != "vouchsafe/test" || got[0].authorization != "Bearer secret-token" {
		t.Errorf("asked %v", got)
	}
}

// configurationJSON is a configuration as an API server has it, with much that
// this package does not read.
const configurationJSON = `{
 "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
 "metadata": {"name": "vouchsafe", "resourceVersion": "41", "managedFields": [{"manager": "kubectl"}]},
 "webhooks": [
  {"name": "a.vouchsafe.dev", "clientConfig": {"service": {"namespace": "vouchsafe", "name": "webhook", "port": 443}, "caBundle": "Ym9keQ=="}, "sideEffects": "None"},
  {"name": "b.vouchsafe.dev", "clientConfig": {"service": {"namespace": "vouchsafe", "name": "webhook"}}},
  {"name": "c.vouchsafe.dev", "clientConfig": {"url": "https://[2001:db8::1]:8443/validate"}}
 ]}`

func TestOnlyBundlesThatDifferAreWritten(t *testing.T) {
	s := newServer(t)
	const path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/vouchsafe"
	s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(configurationJSON)) })
	s.mux.HandleFunc("PATCH "+path, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, map[string]any{}) })
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusNotFound, "not found") })
	c := kube.NewConfigurations(s.client(t), []string{"vouchsafe", "gone"})
	found, missing, err := c.Read(t.Context())
	check(t, err)
	if len(found) != 1 || len(missing) != 1 || missing[0] != "gone" {
		t.Fatalf("found %v, missing %v", found, missing)
	}
	var hosts []string
	for _, w := range found[0].Webhooks {
		hosts = append(hosts, w.Hosts...)
	}
	const service = "webhook.vouchsafe.svc webhook.vouchsafe.svc.cluster.local"
	if got := strings.Join(hosts, " "); got != service+" "+service+" 2001:db8::1" {
		t.Errorf("the hosts are %s", got)
	}
	s.taken()
	check(t, c.Publish(t.Context(), found[0], []byte("body")))
	got := s.taken()
	if len(got) != 1 || got[0].contentType != "application/json-patch+json" || got[0].line != "PATCH "+path+"?fieldManager=vouchsafe" {
		t.Fatalf("asked %v", got)
	}
	const want = `[
 {"op": "test", "path": "/metadata/resourceVersion", "value": "41"},
 {"op": "test", "path": "/webhooks/1/name", "value": "b.vouchsafe.dev"},
 {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "Ym9keQ=="},
 {"op": "test", "path": "/webhooks/2/name", "value": "c.vouchsafe.dev"},
 {"op": "add", "path": "/webhooks/2/clientConfig/caBundle", "value": "Ym9keQ=="}
]`
	var wanted bytes.Buffer
	check(t, json.Compact(&wanted, []byte(want)))
	if got[0].body != wanted.String() {
		t.Errorf("got %s\nwanted %s", got[0].body, wanted.String())
	}
}

func TestAConfigurationThatChangedSinceItWasReadIsAConflict(t *testing.T) {
	s := newServer(t)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusUnprocessableEntity, "the server rejected our request due to an error in our request")
	})
	err := kube.NewConfigurations(s.client(t), nil).Publish(t.Context(),
		kube.Configuration{Kind: "MutatingWebhookConfiguration", Name: "vouchsafe", Webhooks: []kube.Webhook{{}}}, []byte("b"))
	if !errors.Is(err, kube.ErrConflict) {
		t.Errorf("got %v", err)
	}
}
