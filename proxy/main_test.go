package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a handler on loopback with everything behind it in reach.
type world struct {
	resolver resolver
	upstream origin
	decider  decider
	revision func() string
	url      string
}

// newWorld serves until the test ends. change may be nil.
func newWorld(t *testing.T, change func(*world, *proxy.Config)) *world {
	t.Helper()
	w := &world{revision: func() string { return "r1" }}
	cfg := proxy.Config{
		PullHost: "gateway.test:5000",
		Listed: func(registry string) bool {
			switch registry {
			case "docker.io", "registry.acme.com", "registry.acme.com:5000", "localhost", "localhost:5001", "127.0.0.1:5000":
				return true
			}
			return false
		},
	}
	if change != nil {
		change(w, &cfg)
	}
	cfg.Revision = func() string { return w.revision() }
	w.url = serve(t, proxy.New(&w.resolver, &w.upstream, &w.upstream, &w.decider, cfg))
	return w
}

// serve serves h on loopback until the test ends.
func serve(t *testing.T, h http.Handler) (url string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// calls are what was asked behind the handler, in order.
func (w *world) calls() string {
	all := append(append(w.resolver.take(), w.decider.take()...), w.upstream.take()...)
	return strings.Join(all, ", ")
}

// record is a list of calls.
type record struct {
	mu   sync.Mutex
	list []string
}

func (r *record) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, fmt.Sprintf(format, args...))
}

func (r *record) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// manifestBytes is what every name resolves to.
var (
	manifestBytes  = []byte(`{"schemaVersion":2}`)
	manifestDigest = oci.SHA256(manifestBytes)
	blobBytes      = []byte("0123456789")
	blobDigest     = oci.SHA256(blobBytes)
)

// resolver answers the same image for every name, or what on says.
type resolver struct {
	record
	on func(ctx context.Context, ref oci.Reference) (oci.Image, error)
}

func (r *resolver) Resolve(ctx context.Context, ref oci.Reference) (oci.Image, error) {
	r.note("resolve %s", ref)
	if r.on != nil {
		return r.on(ctx, ref)
	}
	return oci.Image{Reference: ref.WithDigest(manifestDigest), MediaType: oci.MediaTypeImageManifest, Bytes: manifestBytes}, nil
}

// decider allows under revision r1, or does what on says.
type decider struct {
	record
	on   func(ctx context.Context, q policy.Request) (policy.Decision, error)
	last policy.Request
}

func (d *decider) decide(ctx context.Context, kind string, q policy.Request, digest oci.Digest) (policy.Decision, error) {
	d.note("%s %s %s", kind, q.Verb, q.Reference)
	d.mu.Lock()
	d.last = q
	d.mu.Unlock()
	if d.on != nil {
		return d.on(ctx, q)
	}
	return allow(digest), nil
}

// allow serves what is called digest; when it is a blob, a manifest vouches for it.
func allow(digest oci.Digest) policy.Decision {
	return policy.Decision{ID: "01D", Verdict: policy.Allow, Vouched: true, Revision: "r1", Image: oci.Reference{Digest: digest}}
}

func (d *decider) Decide(ctx context.Context, q policy.Request, image oci.Image) (policy.Decision, error) {
	return d.decide(ctx, "decide", q, image.Reference.Digest)
}

func (d *decider) DecideBlob(ctx context.Context, q policy.Request, blob oci.Digest) (policy.Decision, error) {
	return d.decide(ctx, "blob", q, blob)
}

// origin has one blob, three tags and an empty list of referrers; its faults are
// switched on field by field.
type origin struct {
	record
	open func(ctx context.Context, byteRange string) (*oci.Blob, error)
	head func(ctx context.Context) (int64, error)
	tags func(ctx context.Context, n int, last string) ([]string, bool, error)
	refs func(ctx context.Context, artifactType string) ([]byte, error)
}

func (o *origin) OpenBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, byteRange string) (*oci.Blob, error) {
	o.note("open %s@%s %s", repository, digest.Short(), byteRange)
	if o.open != nil {
		return o.open(ctx, byteRange)
	}
	return blobOf(string(blobBytes), int64(len(blobBytes)), ""), nil
}

func blobOf(content string, size int64, contentRange string) *oci.Blob {
	return &oci.Blob{Body: io.NopCloser(strings.NewReader(content)), Size: size, ContentRange: contentRange}
}

func (o *origin) HeadBlob(ctx context.Context, repository oci.Repository, digest oci.Digest) (int64, error) {
	o.note("head %s@%s", repository, digest.Short())
	if o.head != nil {
		return o.head(ctx)
	}
	return int64(len(blobBytes)), nil
}

func (o *origin) Tags(ctx context.Context, repository oci.Repository, n int, last string) (tags []string, more bool, err error) {
	o.note("tags %s n=%d last=%s", repository, n, last)
	if o.tags != nil {
		return o.tags(ctx, n, last)
	}
	return []string{"1.0", "1.1"}, true, nil
}

func (o *origin) ReferrersIndex(ctx context.Context, repository oci.Repository, subject oci.Digest, artifactType string) ([]byte, error) {
	o.note("referrers %s@%s %s", repository, subject.Short(), artifactType)
	if o.refs != nil {
		return o.refs(ctx, artifactType)
	}
	return []byte(`{"schemaVersion":2,"manifests":[]}`), nil
}

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   string
	// length is the announced length, -1 when none was.
	length int64
	// broken is true when the body did not end clean.
	broken bool
}

// do sends a request whose path is taken as it is written; headers are pairs.
func (w *world) do(t *testing.T, method, target string, headers ...string) answer {
	t.Helper()
	got, err := w.try(t.Context(), method, target, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (w *world) try(ctx context.Context, method, target string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, w.url, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	path, query, _ := strings.Cut(target, "?")
	req.URL.Opaque, req.URL.RawQuery = path, query
	if !strings.HasPrefix(path, "/") {
		req.URL.Opaque = "/" + path
	}
	req.URL.Opaque = "//" + req.URL.Host + req.URL.Opaque // sent as an absolute target, so unchanged
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	defer res.Body.Close()
	var body bytes.Buffer
	_, err = io.Copy(&body, res.Body)
	return answer{status: res.StatusCode, header: res.Header, body: body.String(), length: res.ContentLength, broken: err != nil}, nil
}

// wantError checks a refusal's status, code and that its message has text.
func wantError(t *testing.T, got answer, status int, code, text string) {
	t.Helper()
	if got.status != status {
		t.Errorf("got status %d, want %d (%s)", got.status, status, got.body)
	}
	if want := `"code":"` + code + `"`; !strings.Contains(got.body, want) {
		t.Errorf("got body %s, want %s in it", got.body, want)
	}
	if !strings.Contains(got.body, text) {
		t.Errorf("got body %s, want %q in it", got.body, text)
	}
	if got.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("got type %q", got.header.Get("Content-Type"))
	}
}

func wantHeader(t *testing.T, got answer, name, want string) {
	t.Helper()
	if value := got.header.Get(name); value != want {
		t.Errorf("%s: got %q, want %q", name, value, want)
	}
}

var errBroken = errors.New("connection reset by the registry")
