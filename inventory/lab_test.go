package inventory_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vouchsafe/internal/lab"
	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// The lifetimes of a lab gateway: a period of 0.27 s.
const (
	labInterval = 300 * time.Millisecond
	labVerified = 3 * time.Second
)

// labGateway is everything between a pull and a registry, with short times.
type labGateway struct {
	t        *testing.T
	registry *lab.Registry
	away     *atomic.Bool
	// broken, a func(*http.Request) bool, says which requests are answered 500.
	broken   atomic.Value
	key      *lab.Key
	rules    rulesNow
	memory   *inventory.Memory
	recorder *inventory.Recorder
	records  *fakeRecords
	changes  *changes
}

func newLab(t *testing.T) *labGateway {
	g := &labGateway{t: t, records: &fakeRecords{}, changes: &changes{}, away: &atomic.Bool{}}
	var err error
	g.key, err = lab.NewKey()
	check(t, err)
	g.registry, err = lab.NewRegistry(t.Context(), lab.RegistryConfig{Referrers: true, Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if g.away.Load() {
				panic(http.ErrAbortHandler)
			}
			if broken, ok := g.broken.Load().(func(*http.Request) bool); ok && broken(r) {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			next.ServeHTTP(w, r)
		})
	}})
	check(t, err)
	t.Cleanup(g.registry.Close)
	listed, err := upstream.NewRegistry(g.registry.Host(), upstream.Spec{PlainHTTP: true, AllowPrivateAddresses: true}, nil)
	check(t, err)
	client := upstream.New(func(string) (*upstream.Registry, bool) { return listed, true }, upstream.Config{})
	g.memory = inventory.NewMemory(inventory.MemoryConfig{VerifiedTTL: labVerified})
	cache := inventory.NewResults(verify.NewLRU(1, nil), g.memory)
	verifier := verify.New(client, cache, verify.Config{
		VerifiedTTL: labVerified, RejectedTTL: 100 * time.Millisecond, UnavailableTTL: 10 * time.Millisecond, Timeout: 400 * time.Millisecond,
	})
	t.Cleanup(verifier.Close)
	g.trust(g.key)
	engine := &policy.Engine{Rules: g.rules.get, Results: verifier, Lineage: inventory.NewLineage(0), Artifacts: policy.NewArtifacts(client)}
	g.recorder = inventory.NewRecorder(engine, g.memory, nil)
	again := inventory.NewReverifier(g.memory, engine, g.records, inventory.ReverifyConfig{
		Interval: labInterval, Rules: g.rules.get, Changed: g.changes.observe,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		again.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return g
}

// trust makes key the one of release-team; spare never signs anything.
func (g *labGateway) trust(key *lab.Key) {
	in := newIntegration(g.t, "release-team", key)
	g.rules.set([]*policy.Policy{newPolicy(g.t, "prod-signed", "**", in)}, in, newIntegration(g.t, "spare", g.key))
}

// push pushes an image and pulls it through the gateway's decision.
func (g *labGateway) push(signed bool) oci.Image {
	g.t.Helper()
	ref, err := g.registry.PushImage("acme/api", "v1", g.t.Name())
	check(g.t, err)
	if signed {
		check(g.t, g.key.SignTag(g.registry, ref))
	}
	img := some(g.t, "shape of any image")
	img.Reference = ref
	remember(g.t, g.recorder, pull(img), img)
	return img
}

// becomes waits for a change to be told and checks what is remembered and recorded.
func (g *labGateway) becomes(img oci.Image, change string, violations int) {
	g.t.Helper()
	var told string
	for end := time.Now().Add(20 * time.Second); !strings.Contains(told, change); time.Sleep(10 * time.Millisecond) {
		if told += g.changes.taken(); time.Now().After(end) {
			g.t.Fatalf("%q was not told; told %q, remembered %+v", change, told, result(g.t, g.memory, img, "release-team"))
		}
	}
	_, to, _ := strings.Cut(change, ">")
	if r := result(g.t, g.memory, img, "release-team"); r.Status.String() != to {
		g.t.Errorf("remembered as %v, want %s", r.Status, to)
	}
	if n := g.memory.Counts().Violations["prod-signed"]; n != violations {
		g.t.Errorf("%d open violations, want %d", n, violations)
	}
	var texts []string
	for _, d := range g.records.taken() {
		texts = append(texts, d.Message)
	}
	if all := strings.Join(texts, "\n"); !strings.Contains(all, "release-team was "+strings.Replace(strings.TrimPrefix(change, "release-team "), ">", ", now ", 1)) {
		g.t.Errorf("records: %s", all)
	}
}

// withdraw deletes the signatures of an image at the registry.
func (g *labGateway) withdraw(img oci.Image) {
	g.t.Helper()
	url := "http://" + g.registry.Host() + "/v2/acme/api/manifests/" + img.Reference.Digest.TagName() + ".sig"
	request, err := http.NewRequestWithContext(g.t.Context(), http.MethodDelete, url, nil)
	check(g.t, err)
	answer, err := http.DefaultClient.Do(request)
	check(g.t, err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		g.t.Fatalf("delete: %s", answer.Status)
	}
}

func TestARealSignatureThatIsWithdrawnAndMadeAgain(t *testing.T) {
	t.Parallel()
	g := newLab(t)
	img := g.push(true)
	g.withdraw(img)
	g.becomes(img, "release-team Verified>Unsigned", 1)
	check(t, g.key.SignTag(g.registry, img.Reference))
	g.becomes(img, "release-team Unsigned>Verified", 0)
}

func TestAnUnsignedImageThatIsSignedWithABundle(t *testing.T) {
	t.Parallel()
	g := newLab(t)
	img := g.push(false)
	check(t, g.key.SignBundle(g.registry, img.Reference))
	g.becomes(img, "release-team Unsigned>Verified", 0)
}

func TestAKeyThatIsReplacedInTheDocumentsAndPutBack(t *testing.T) {
	t.Parallel()
	g := newLab(t)
	img := g.push(true)
	other, err := lab.NewKey()
	check(t, err)
	g.trust(other)
	g.becomes(img, "release-team Verified>Untrusted", 1)
	g.trust(g.key)
	g.becomes(img, "release-team Untrusted>Verified", 0)
}

func TestARegistryThatGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	g := newLab(t)
	img := g.push(true)
	time.Sleep(labInterval)
	g.away.Store(true)
	for left := time.Now(); time.Since(left) < labVerified/2; time.Sleep(50 * time.Millisecond) {
		if r := result(t, g.memory, img, "release-team"); r.Status != verify.Verified {
			t.Fatalf("%v after the registry left: %v", time.Since(left), r.Status)
		}
		// From a memory whose LRU holds one result of two.
		d, err := g.recorder.Decide(t.Context(), pull(img), img)
		if err != nil || d.Verdict != policy.Allow {
			t.Fatalf("a pull is told %v, %v", d.Verdict, err)
		}
	}
	if r := result(t, g.memory, img, "release-team"); r.LastAttemptFailed == "" {
		t.Errorf("no failed attempt is remembered: %+v", r)
	}
	g.becomes(img, "release-team Verified>Unavailable", 0)
	g.away.Store(false)
	g.becomes(img, "release-team Unavailable>Verified", 0)
}
