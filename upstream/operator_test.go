package upstream_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"vouchsafe/upstream"
)

func TestOperatorClientStaysAtItsHost(t *testing.T) {
	canary := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the other host was asked")
	}))
	defer canary.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, canary.URL, http.StatusTemporaryRedirect)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/here":
			http.Redirect(w, r, "/end", http.StatusFound)
		}
	}))
	defer server.Close()
	client := upstream.NewOperatorClient(5 * time.Second)
	defer client.CloseIdleConnections()
	for path, want := range map[string]error{"/end": nil, "/here": nil, "/away": upstream.ErrLeftHost, "/loop": upstream.ErrLeftHost} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
}

func TestOperatorClientRefusesLinkLocal(t *testing.T) {
	client := upstream.NewOperatorClient(5 * time.Second)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://169.254.169.254/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	response, err := client.Do(request)
	if err == nil {
		_ = response.Body.Close()
		t.Fatal("a link-local address was asked")
	}
	if time.Since(start) > 2*time.Second {
		t.Errorf("it was tried to connect: %v", err)
	}
}
