package lab_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/internal/lab"
	"vouchsafe/oci"
)

func newRegistry(t *testing.T, cfg lab.RegistryConfig) *lab.Registry {
	t.Helper()
	r, err := lab.NewRegistry(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func get(t *testing.T, r *lab.Registry, path, byteRange string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.Host()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestRegistryCountsItsClientsOnly(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	image, err := r.PushImage("acme/api", "1.4", "a")
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Requests(); len(got) != 0 {
		t.Errorf("got %q after a push by the lab, want none", got)
	}
	get(t, r, "/v2/", "")
	get(t, r, "/v2/acme/api/manifests/"+image.Digest.String(), "")
	get(t, r, "/v2/acme/api/tags/list?n=5", "")
	want := []string{"GET /v2/", "GET /v2/acme/api/manifests/" + image.Digest.String(), "GET /v2/acme/api/tags/list?n=5"}
	if diff := cmp.Diff(want, r.Requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	r.Reset()
	if got := r.Requests(); len(got) != 0 {
		t.Errorf("got %q after Reset, want none", got)
	}
}

func TestRegistryServesRangesAsRealOnesDo(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	digest, err := r.PushBlob("acme/api", []byte("0123456789"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, byteRange, want, contentRange string
		status                              int
	}{
		{"no range", "", "0123456789", "", http.StatusOK},
		{"open end", "bytes=4-", "456789", "bytes 4-9/10", http.StatusPartialContent},
		{"closed", "bytes=2-3", "23", "bytes 2-3/10", http.StatusPartialContent},
		{"past the end", "bytes=8-99", "89", "bytes 8-9/10", http.StatusPartialContent},
		{"from behind", "bytes=-2", "89", "bytes 8-9/10", http.StatusPartialContent},
		{"outside", "bytes=10-", "", "bytes */10", http.StatusRequestedRangeNotSatisfiable},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, got := get(t, r, "/v2/acme/api/blobs/"+digest.String(), test.byteRange)
			if resp.StatusCode != test.status {
				t.Errorf("got status %d, want %d", resp.StatusCode, test.status)
			}
			if got != test.want && test.want != "" {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if got := resp.Header.Get("Content-Range"); got != test.contentRange {
				t.Errorf("got Content-Range %q, want %q", got, test.contentRange)
			}
		})
	}
}

func TestRegistryWithoutSuchABlob(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	resp, _ := get(t, r, "/v2/acme/api/blobs/"+oci.SHA256(nil).String(), "bytes=1-")
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("got status %d, want 404", resp.StatusCode)
	}
}

func TestRegistryServesWhatNoRegistryWouldTake(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	body := `{"manifests":[],"manifests":`
	if err := r.PushManifest("acme/api", "bad", oci.MediaTypeImageIndex, []byte(body)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bad", oci.SHA256([]byte(body)).String()} {
		resp, got := get(t, r, "/v2/acme/api/manifests/"+name, "")
		if got != body || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != oci.MediaTypeImageIndex {
			t.Errorf("%s: got %d %q %q", name, resp.StatusCode, resp.Header.Get("Content-Type"), got)
		}
	}
	// A good manifest takes its place again.
	image, err := r.PushImage("acme/api", "bad", "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, got := get(t, r, "/v2/acme/api/manifests/bad", ""); oci.SHA256([]byte(got)) != image.Digest {
		t.Errorf("got %q, want the new image", got)
	}
}

func TestRegistryReferrersAPIIsAChoice(t *testing.T) {
	for _, referrers := range []bool{true, false} {
		r := newRegistry(t, lab.RegistryConfig{Referrers: referrers})
		image, err := r.PushImage("acme/api", "1", "a")
		if err != nil {
			t.Fatal(err)
		}
		resp, _ := get(t, r, "/v2/acme/api/referrers/"+image.Digest.String(), "")
		if got := resp.StatusCode == http.StatusOK; got != referrers {
			t.Errorf("Referrers %v: got status %d", referrers, resp.StatusCode)
		}
	}
}

func TestRegistryWrapSeesClientsOnly(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{Wrap: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	}})
	if _, err := r.PushImage("acme/api", "1", "a"); err != nil {
		t.Fatal(err)
	}
	if resp, _ := get(t, r, "/v2/", ""); resp.StatusCode != http.StatusTeapot {
		t.Errorf("got status %d, want that of the wrapper", resp.StatusCode)
	}
	if got := r.Requests(); !slices.Equal(got, []string{"GET /v2/"}) {
		t.Errorf("got requests %q", got)
	}
}

func TestNewRegistryNamesTheAddressThatItCannotHave(t *testing.T) {
	taken := newRegistry(t, lab.RegistryConfig{}).Host()
	_, err := lab.NewRegistry(context.Background(), lab.RegistryConfig{Addr: taken})
	if err == nil || !strings.Contains(err.Error(), taken) {
		t.Errorf("got error %v, want one with %s", err, taken)
	}
}
