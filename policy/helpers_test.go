package policy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

var update = flag.Bool("update", false, "write golden files anew")

// testNow is the clock of all tests.
var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const testID = "01JDEC1S10N000000000000000"

var acmeAPI = oci.Repository{Registry: "docker.io", Path: "acme/api"}

// newKeyPEM returns a public key that nobody signs with.
func newKeyPEM(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// newIntegration returns an integration with one key of the given name.
func newIntegration(t testing.TB, name, key string) *verify.Integration {
	t.Helper()
	in, err := verify.NewIntegration(name, verify.Spec{PublicKeys: []verify.PublicKeySpec{{Name: key, Key: newKeyPEM(t)}}})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// world is an engine with results from a map and a real lineage.
type world struct {
	t            testing.TB
	integrations map[string]*verify.Integration
	rules        policy.Rules
	results      *fakeResults
	lineage      policy.Lineage
	engine       *policy.Engine
	pullJudges   bool
}

func newWorld(t testing.TB) *world {
	w := &world{
		t: t, integrations: map[string]*verify.Integration{}, lineage: inventory.NewLineage(0),
		rules:   policy.Rules{Revision: "r1", WhenNoPolicy: policy.Allow},
		results: &fakeResults{answers: map[verify.CacheKey]verify.Result{}},
	}
	for name, key := range map[string]string{"release-team": "release-2026", "qa-team": "qa-1", "spare": "spare-1"} {
		w.integrations[name] = newIntegration(t, name, key)
	}
	for _, name := range []string{"qa-team", "release-team", "spare"} {
		w.rules.Integrations = append(w.rules.Integrations, w.integrations[name])
	}
	w.engine = &policy.Engine{
		Artifacts: policy.NewArtifacts(&blobs{content: map[oci.Digest][]byte{
			oci.SHA256([]byte("payload")): []byte("{}"), oci.SHA256([]byte("c")): []byte("{}"),
		}}),
		Rules: func() policy.Rules { return w.rules }, Results: w.results, Lineage: w.lineage,
		Now: func() time.Time { return testNow }, NewID: func(time.Time) string { return testID },
	}
	return w
}

// policy adds a policy; empty fields get what most tests want.
func (w *world) policy(name string, spec policy.Spec) {
	w.t.Helper()
	if spec.Signers == nil {
		spec.Signers = []string{"release-team"}
	}
	if spec.Behavior == "" {
		spec.Behavior = "InformAndEnforce"
	}
	p, err := policy.New(name, spec, w.signers, listed)
	if p == nil {
		w.t.Fatalf("policy %s: %v", name, err)
	}
	w.rules.Policies = append(w.rules.Policies, p)
}

func (w *world) signers(name string) (*verify.Integration, bool) {
	in, found := w.integrations[name]
	return in, found
}

func listed(registry string) bool {
	switch registry {
	case "docker.io", "registry.acme.com", "registry.acme.com:5000", "[::1]:5000", "localhost:5000":
		return true
	}
	return false
}

// says sets what an integration makes of a digest.
func (w *world) says(repository oci.Repository, digest oci.Digest, integration string, r verify.Result) {
	r.Integration = integration
	w.results.mu.Lock()
	defer w.results.mu.Unlock()
	w.results.answers[verify.CacheKey{Repository: repository, Digest: digest, Integration: integration}] = r
}

func (w *world) decide(image oci.Image) policy.Decision {
	w.t.Helper()
	d, err := w.engine.Decide(w.t.Context(), pull(image.Reference), image)
	if err != nil {
		w.t.Fatalf("Decide: %v", err)
	}
	return d
}

func (w *world) decideBlob(repository oci.Repository, blob oci.Digest) policy.Decision {
	w.t.Helper()
	d, err := w.engine.DecideBlob(w.t.Context(), pull(oci.Reference{Repository: repository}), blob)
	if err != nil {
		w.t.Fatalf("DecideBlob: %v", err)
	}
	return d
}

func pull(ref oci.Reference) policy.Request {
	return policy.Request{Kind: policy.KindPull, Verb: "GET", Reference: ref}
}

// fakeResults answers from a map; what is not in it is Unsigned.
type fakeResults struct {
	mu      sync.Mutex
	answers map[verify.CacheKey]verify.Result
	queries []verify.Query
	// answer, when set, replaces all of it.
	answer func(ctx context.Context, q verify.Query) ([]verify.Result, error)
}

func (f *fakeResults) Results(ctx context.Context, q verify.Query) ([]verify.Result, error) {
	if f.answer != nil {
		return f.answer(ctx, q)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queries = append(f.queries, q)
	results := make([]verify.Result, len(q.Needed))
	for i, in := range q.Needed {
		r, known := f.answers[verify.CacheKey{Repository: q.Repository, Digest: q.Digest, Integration: in.Name()}]
		if !known {
			r = verify.Result{Integration: in.Name(), Status: verify.Unsigned}
		}
		results[i] = r
	}
	return results, nil
}

var (
	verified = verify.Result{Status: verify.Verified, Signer: "release-2026"}
	unsigned = verify.Result{Status: verify.Unsigned}
	otherKey = verify.Result{Status: verify.Untrusted, Reason: verify.KeyMismatch, Message: "signed by another key"}
	timeout  = verify.Result{Status: verify.Unavailable, Reason: verify.Timeout}
)

// lastVerified is an Unavailable result of an image that was Verified before.
func lastVerified(ago time.Duration) verify.Result {
	r := timeout
	r.LastVerifiedAt = testNow.Add(-ago)
	return r
}

// image returns an image manifest whose only layer depends on seed.
func image(t testing.TB, repository oci.Repository, seed string) oci.Image {
	return manifest(t, repository, map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
		"config": descriptor("application/vnd.oci.image.config.v1+json", oci.SHA256([]byte("config "+seed))),
		"layers": []any{descriptor("application/vnd.oci.image.layer.v1.tar+gzip", oci.SHA256([]byte("layer "+seed)))},
	})
}

// index returns an index that lists children.
func index(t testing.TB, repository oci.Repository, children ...oci.Digest) oci.Image {
	entries := []any{}
	for _, child := range children {
		d := descriptor(oci.MediaTypeImageManifest, child)
		d["platform"] = map[string]any{"os": "linux", "architecture": "amd64"}
		entries = append(entries, d)
	}
	return manifest(t, repository, map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageIndex, "manifests": entries,
	})
}

func descriptor(mediaType string, digest oci.Digest) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": digest.String(), "size": 10}
}

func manifest(t testing.TB, repository oci.Repository, document map[string]any) oci.Image {
	t.Helper()
	body, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := oci.ParseManifest(body, "")
	if err != nil {
		t.Fatalf("manifest %s: %v", body, err)
	}
	return oci.Image{
		Reference: oci.Reference{Repository: repository, Tag: "1.4", Digest: oci.SHA256(body)},
		MediaType: parsed.MediaType, Bytes: body, Manifest: parsed,
	}
}

var errLineage = errors.New("the memory is away")

// brokenLineage fails to record, to list, or both.
type brokenLineage struct {
	policy.Lineage
	record, listing bool
}

func (l brokenLineage) Record(ctx context.Context, image oci.Image) error {
	if l.record {
		return errLineage
	}
	return l.Lineage.Record(ctx, image)
}

func (l brokenLineage) Listing(ctx context.Context, r oci.Repository, relation policy.Relation, d oci.Digest) ([]oci.Digest, error) {
	if l.listing {
		return nil, errLineage
	}
	return l.Lineage.Listing(ctx, r, relation, d)
}

// golden compares got with a file, which -update writes anew.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got), write it anew with -update:\n%s", path, diff)
	}
}

// check holds what is true of every decision.
func check(t *testing.T, d policy.Decision) {
	t.Helper()
	if d.Message == "" || len(d.Message) >= 1000 {
		t.Errorf("message has %d bytes: %s", len(d.Message), d.Message)
	}
	for _, r := range d.Message {
		if r < ' ' || r == 0x7F {
			t.Errorf("message has the control character %q", r)
		}
	}
	if (d.RetryAfter > 0) != (d.Verdict == policy.Unavailable) {
		t.Errorf("RetryAfter is %v with verdict %v", d.RetryAfter, d.Verdict)
	}
	for _, p := range d.Policies {
		if policy.Worse(p.Verdict, d.Verdict) != d.Verdict {
			t.Errorf("verdict %v is better than %v of policy %s", d.Verdict, p.Verdict, p.Name)
		}
	}
	if d.ID == "" || d.Revision == "" {
		t.Errorf("decision has no id or revision: %+v", d)
	}
}

func ago(d time.Duration) string { return fmt.Sprintf("%v ago", d) }
