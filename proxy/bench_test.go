package proxy_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"vouchsafe/content"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/proxy"
)

// oneManifest is an upstream with a single manifest.
type oneManifest struct{ body []byte }

func (o oneManifest) GetManifest(context.Context, oci.Reference) (oci.RawManifest, error) {
	return oci.RawManifest{ContentType: oci.MediaTypeImageManifest, Bytes: o.body}, nil
}

func (o oneManifest) HeadManifest(context.Context, oci.Reference) (oci.Digest, error) {
	return oci.SHA256(o.body), nil
}

// allowAll decides at no cost, so that the benchmark shows the handler's own.
type allowAll struct{}

func (allowAll) Decide(_ context.Context, _ policy.Request, image oci.Image) (policy.Decision, error) {
	return policy.Decision{ID: "01D", Verdict: policy.Allow, Revision: "r1", Image: image.Reference}, nil
}

func (allowAll) DecideBlob(context.Context, policy.Request, oci.Digest) (policy.Decision, error) {
	return policy.Decision{}, nil
}

// discard is a response that goes nowhere.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) WriteHeader(int)             {}
func (d discard) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkWarmManifest(b *testing.B) {
	body := []byte(`{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageManifest + `","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` +
		blobDigest.String() + `","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"` + manifestDigest.String() + `","size":3}]}`)
	h := proxy.New(content.New(oneManifest{body}, content.Config{}), &origin{}, &origin{}, allowAll{}, proxy.Config{
		Listed: func(string) bool { return true }, Revision: func() string { return "r1" },
	})
	for name, reference := range map[string]string{"digest": oci.SHA256(body).String(), "tag": "1.27"} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/v2/docker.io/library/nginx/manifests/"+reference, http.NoBody)
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != http.StatusOK {
				b.Fatal(w.Code, w.Body)
			}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(discard{http.Header{}}, r)
			}
		})
	}
}
