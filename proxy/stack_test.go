package proxy_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/content"
	"vouchsafe/internal/lab"
	"vouchsafe/oci"
	"vouchsafe/proxy"
	"vouchsafe/upstream"
)

// What the stack is made of fits together.
var (
	_ content.Upstream = (*upstream.Client)(nil)
	_ proxy.Resolver   = (*content.Resolver)(nil)

	_ content.BlobUpstream = (*upstream.Client)(nil)
	_ proxy.Blobs          = (*content.Blobs)(nil)
	_ proxy.Lists          = (*upstream.Client)(nil)
)

// stack is a gateway whose parts are the real ones, decisions apart, before a
// registry that counts.
type stack struct {
	world
	registry *lab.Registry
	host     string // as it is written in path form
}

func newStack(t *testing.T, cfg lab.RegistryConfig) *stack {
	t.Helper()
	registry, err := lab.NewRegistry(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	known, err := upstream.NewRegistry(registry.Host(), upstream.Spec{PlainHTTP: true, AllowPrivateAddresses: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(name string) (*upstream.Registry, bool) { return known, name == registry.Host() }
	client := upstream.New(lookup, upstream.Config{})
	blobs := content.NewBlobs(client, content.BlobsConfig{})
	handler := proxy.New(content.New(client, content.Config{}), blobs, client, &decider{}, proxy.Config{
		Listed:   func(name string) bool { _, ok := lookup(name); return ok },
		Revision: func() string { return "r1" },
	})
	s := &stack{registry: registry, host: strings.ReplaceAll(registry.Host(), ":", "_")}
	s.url = serve(t, handler)
	return s
}

// manifestRequests are those that reached the registry.
func (s *stack) manifestRequests() []string {
	var manifests []string
	for _, request := range s.registry.Requests() {
		if strings.Contains(request, "/manifests/") {
			manifests = append(manifests, request)
		}
	}
	return manifests
}

func TestRequestsAtTheRegistrysDoor(t *testing.T) {
	s := newStack(t, lab.RegistryConfig{})
	image, err := s.registry.PushImage("acme/api", "1.4", "seed")
	if err != nil {
		t.Fatal(err)
	}
	byTag := "/v2/" + s.host + "/acme/api/manifests/1.4"
	byDigest := "/v2/acme/api/manifests/" + image.Digest.String() + "?ns=" + s.registry.Host()
	tests := []struct {
		name           string
		method, target string
		want           []string
	}{
		{"a HEAD by a new tag is one GET", "HEAD", byTag, []string{"GET /v2/acme/api/manifests/1.4"}},
		{"the GET by digest that follows it asks nobody", "GET", byDigest, nil},
		{"nor does the tag again", "GET", byTag, nil},
	}
	for _, test := range tests {
		s.registry.Reset()
		got := s.do(t, test.method, test.target)
		if got.status != 200 || got.header.Get("Docker-Content-Digest") != image.Digest.String() {
			t.Errorf("%s: got %d %s", test.name, got.status, got.header.Get("Docker-Content-Digest"))
		}
		if test.method == "GET" && oci.SHA256([]byte(got.body)) != image.Digest {
			t.Errorf("%s: the bytes are not those of the digest", test.name)
		}
		if requests := s.manifestRequests(); !slices.Equal(requests, test.want) {
			t.Errorf("%s: the registry saw %v, want %v", test.name, requests, test.want)
		}
	}
}

func TestHundredClientsAreOneRequestAtTheRegistrysDoor(t *testing.T) {
	s := newStack(t, lab.RegistryConfig{})
	if _, err := s.registry.PushImage("acme/api", "1.4", "seed"); err != nil {
		t.Fatal(err)
	}
	s.registry.Reset()
	var clients sync.WaitGroup
	for range 100 {
		clients.Go(func() {
			if got, err := s.try(t.Context(), "GET", "/v2/"+s.host+"/acme/api/manifests/1.4"); err != nil || got.status != 200 {
				t.Errorf("got %d, %v", got.status, err)
			}
		})
	}
	clients.Wait()
	if got := s.manifestRequests(); len(got) != 1 {
		t.Errorf("the registry saw %v, want one request", got)
	}
}

func TestBlobsTagsAndReferrersOfARealRegistry(t *testing.T) {
	s := newStack(t, lab.RegistryConfig{Referrers: true})
	image, err := s.registry.PushImage("acme/api", "1.4", "seed")
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("0123456789", 30_000)
	blob, err := s.registry.PushBlob("acme/api", []byte(large))
	if err != nil {
		t.Fatal(err)
	}
	base := "/v2/" + s.host + "/acme/api/"
	if got := s.do(t, "GET", base+"blobs/"+blob.String()); got.status != 200 || got.body != large || got.length != int64(len(large)) {
		t.Errorf("got %d with %d bytes, announced %d", got.status, len(got.body), got.length)
	}
	if got := s.do(t, "HEAD", base+"blobs/"+blob.String()); got.status != 200 || got.length != int64(len(large)) {
		t.Errorf("HEAD: got %d, announced %d", got.status, got.length)
	}
	got := s.do(t, "GET", base+"blobs/"+blob.String(), "Range", "bytes=299995-")
	if got.broken || got.status == 206 && got.body != "56789" || got.status == 200 && got.body != large || got.status > 206 {
		t.Errorf("got %d %.20q for an open range", got.status, got.body)
	}
	if got := s.do(t, "GET", base+"tags/list"); got.status != 200 || got.body != `{"name":"`+s.host+`/acme/api","tags":["1.4"]}` {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := s.do(t, "GET", base+"referrers/"+image.Digest.String()); got.status != 200 || !strings.Contains(got.body, `"manifests":[`) {
		t.Errorf("got %d %s", got.status, got.body)
	}
	wantError(t, s.do(t, "GET", base+"manifests/none"), 404, "MANIFEST_UNKNOWN", "")
	wantError(t, s.do(t, "GET", base+"blobs/"+manifestDigest.String()), 404, "BLOB_UNKNOWN", "")
}

// A registry that is gone is trouble, not absence: a 404 would tell a client
// that the image does not exist.
func TestRegistryThatIsGoneIsTrouble(t *testing.T) {
	s := newStack(t, lab.RegistryConfig{})
	s.registry.Close()
	for _, target := range []string{"manifests/1", "manifests/" + manifestDigest.String(), "blobs/" + blobDigest.String(), "tags/list", "referrers/" + manifestDigest.String()} {
		start := time.Now()
		got := s.do(t, "GET", "/v2/"+s.host+"/acme/api/"+target)
		wantError(t, got, 502, "UNAVAILABLE", "")
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %s", target, took)
		}
	}
}
