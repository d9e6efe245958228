package upstream_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
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
	client := upstream.NewOperatorClient(5*time.Second, nil)
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
	client := upstream.NewOperatorClient(5*time.Second, nil)
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

// TestOperatorClientGoesByTheProxy has a log behind the proxies of registries: the
// proxy is asked for it by name, after the name was judged here.
func TestOperatorClientGoesByTheProxy(t *testing.T) {
	wantUser := "Basic " + base64.StdEncoding.EncodeToString([]byte("robot:"+proxySecret))
	log := serve(t, good)
	_, port, _ := strings.Cut(log.host(), ":")
	for _, c := range []struct {
		name    string
		address string
		asked   string // what resolves to address
		direct  string // NO_PROXY
		proxied int
		reached int
	}{
		{"a public name", "93.184.216.34", "http://registry.example.com/log", "", 1, 1},
		{"a private name", "10.1.2.3", "http://registry.example.com/log", "", 1, 1},
		{"a link-local name", "169.254.169.254", "http://registry.example.com/log", "", 0, 0},
		{"a name that does not resolve", "none", "http://registry.example.com/log", "", 0, 0},
		{"a link-local address", "none", "http://169.254.169.254/", "", 0, 0},
		{"a number that some programs read as an address", "none", "http://0xa9fea9fe/", "", 0, 0},
		{"a link-local name with TLS", "169.254.169.254", "https://registry.example.com/log", "", 0, 0},
		{"loopback is asked directly", "none", log.URL + "/log", "", 0, 1},
		{"a name that goes directly", "127.0.0.1", "http://registry.example.com:" + port + "/log", "example.com", 0, 1},
		{"a link-local name that goes directly", "169.254.169.254", "http://registry.example.com/log", "example.com", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			log.take()
			proxy := forwardProxy(t, false, log.host())
			client := upstream.NewOperatorClientResolving(5*time.Second, egress(t, proxy, "NO_PROXY="+c.direct), stubResolver(t, []string{c.address}))
			defer client.CloseIdleConnections()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.asked, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err == nil {
				_ = response.Body.Close()
			}
			if (err == nil) != (c.reached > 0) {
				t.Errorf("got %v", err)
			}
			for _, one := range proxy.take() {
				c.proxied--
				if one.header.Get("Proxy-Authorization") != wantUser {
					t.Error("the proxy was not told its user")
				}
			}
			for _, one := range log.take() {
				c.reached--
				if one.header.Get("Proxy-Authorization") != "" {
					t.Error("the log was told the proxy's password")
				}
			}
			if c.proxied != 0 || c.reached != 0 {
				t.Errorf("the proxy or the log was asked %d and %d times too few", c.proxied, c.reached)
			}
		})
	}
}
