package content_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"vouchsafe/oci"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// registry is an upstream in memory that keeps a list of what it was asked, and
// whose faults are switched on field by field.
type registry struct {
	mu        sync.Mutex
	manifests map[oci.Digest][]byte
	tags      map[string]oci.Digest
	asked     []string

	// head, when set, is what a HEAD claims instead of the truth.
	head func(tag string) (oci.Digest, error)
	// get, when set, answers before the truth does; nil bytes and a nil error
	// leave it to the truth.
	get func(ctx context.Context, ref oci.Reference) ([]byte, error)
}

func newRegistry() *registry {
	return &registry{manifests: map[oci.Digest][]byte{}, tags: map[string]oci.Digest{}}
}

// push makes tag name body and returns the body's digest.
func (r *registry) push(tag string, body []byte) oci.Digest {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := oci.SHA256(body)
	r.manifests[d] = body
	r.tags[tag] = d
	return d
}

func (r *registry) note(method string, ref oci.Reference) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := ref.Tag
	if !ref.Digest.IsZero() {
		name = ref.Digest.Short()
	}
	r.asked = append(r.asked, method+" "+name)
}

// requests returns what was asked since the last call.
func (r *registry) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	return asked
}

func (r *registry) GetManifest(ctx context.Context, ref oci.Reference) (oci.RawManifest, error) {
	r.note("GET", ref)
	if r.get != nil {
		if body, err := r.get(ctx, ref); body != nil || err != nil {
			return oci.RawManifest{Bytes: body, ContentType: oci.MediaTypeImageManifest}, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d := ref.Digest
	if d.IsZero() {
		d = r.tags[ref.Tag]
	}
	for known, body := range r.manifests {
		if known == d || d.Matches(body) {
			return oci.RawManifest{Bytes: body, ContentType: oci.MediaTypeImageManifest}, nil
		}
	}
	return oci.RawManifest{}, &oci.Error{Code: oci.CodeManifestUnknown}
}

func (r *registry) HeadManifest(_ context.Context, ref oci.Reference) (oci.Digest, error) {
	r.note("HEAD", ref)
	if r.head != nil {
		return r.head(ref.Tag)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.tags[ref.Tag]
	if !ok {
		return oci.Digest{}, &oci.Error{Code: oci.CodeManifestUnknown}
	}
	return d, nil
}

// body returns a small valid manifest that depends on seed.
func body(seed string) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":2},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":%q,"size":3}]}`,
		oci.MediaTypeImageManifest, oci.SHA256([]byte("config"+seed)), oci.SHA256([]byte("layer"+seed)))
}

var repository = oci.Repository{Registry: "registry.test", Path: "acme/api"}

func byTag(tag string) oci.Reference { return oci.Reference{Repository: repository, Tag: tag} }

func byDigest(d oci.Digest) oci.Reference { return oci.Reference{Repository: repository, Digest: d} }

func wantRequests(t *testing.T, r *registry, want ...string) {
	t.Helper()
	if got := r.requests(); !slices.Equal(got, want) {
		t.Errorf("requests upstream: got [%s], want [%s]", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

func wantCode(t *testing.T, err error, want oci.Code) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want %s", want)
	}
	if got := oci.CodeOf(err); got != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}
