package inventory_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/internal/lab"
	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newIntegration returns an integration with one key, fresh when key is nil.
func newIntegration(t testing.TB, name string, key *lab.Key) *verify.Integration {
	t.Helper()
	if key == nil {
		var err error
		key, err = lab.NewKey()
		check(t, err)
	}
	in, err := verify.NewIntegration(name, verify.Spec{PublicKeys: []verify.PublicKeySpec{{Name: name + "-key", Key: key.PublicPEM()}}})
	check(t, err)
	return in
}

func newPolicy(t testing.TB, name, images string, in *verify.Integration) *policy.Policy {
	t.Helper()
	p, err := policy.New(name, policy.Spec{Images: []string{images}, Signers: []string{in.Name()}, Behavior: "InformAndEnforce"},
		func(string) (*verify.Integration, bool) { return in, true }, func(string) bool { return true })
	if p == nil {
		t.Fatal(err)
	}
	return p
}

// rulesNow are rules that a test replaces.
type rulesNow struct {
	mu    sync.Mutex
	rules policy.Rules
	sets  int
}

func (r *rulesNow) get() policy.Rules {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rules
}

func (r *rulesNow) set(policies []*policy.Policy, integrations ...*verify.Integration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sets++
	r.rules = policy.Rules{
		Revision: fmt.Sprint("r", r.sets), Policies: policies, Integrations: integrations, WhenNoPolicy: policy.Allow,
	}
}

// query is one question about an image at an instant.
type query struct {
	verify.Query
	at time.Time
}

// fakeResults answers as if each question were a collection; what is not said is
// Unsigned.
type fakeResults struct {
	mu      sync.Mutex
	says    map[string]verify.Result
	queries []query
	// hook is called without the lock before each answer.
	hook func(verify.Query)
}

func newFakeResults() *fakeResults { return &fakeResults{says: map[string]verify.Result{}} }

func (f *fakeResults) say(digest oci.Digest, integration string, r verify.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says[digest.String()+integration] = r
}

func (f *fakeResults) setHook(hook func(verify.Query)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

func (f *fakeResults) Results(ctx context.Context, q verify.Query) ([]verify.Result, error) {
	f.mu.Lock()
	hook := f.hook
	f.mu.Unlock()
	if hook != nil {
		hook(q)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.queries = append(f.queries, query{q, now})
	results := make([]verify.Result, len(q.Needed))
	for i, in := range q.Needed {
		r, said := f.says[q.Digest.String()+in.Name()]
		if !said {
			r.Status = verify.Unsigned
		}
		r.Integration, r.Revision, r.JudgedAt, r.CollectedAt = in.Name(), in.Revision(), now, now
		results[i] = r
	}
	return results, ctx.Err()
}

// asked returns the questions so far and forgets them.
func (f *fakeResults) asked() []query {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.queries
	f.queries = nil
	return all
}

// fakeRecords keeps the messages of what was recorded.
type fakeRecords struct {
	mu        sync.Mutex
	broken    bool
	requests  []policy.Request
	decisions []policy.Decision
}

func (f *fakeRecords) Record(_ context.Context, request policy.Request, d policy.Decision) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		return errors.New("the sink is full")
	}
	f.requests, f.decisions = append(f.requests, request), append(f.decisions, d)
	return nil
}

func (f *fakeRecords) setBroken(broken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = broken
}

// taken returns the records so far and forgets them.
func (f *fakeRecords) taken() []policy.Decision {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.decisions
	f.decisions = nil
	return all
}

// changes counts what the metric hook saw.
type changes struct {
	mu   sync.Mutex
	seen []string
}

func (c *changes) observe(integration string, from, to verify.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, fmt.Sprintf("%s %v>%v", integration, from, to))
}

func (c *changes) taken() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := strings.Join(c.seen, ", ")
	c.seen = nil
	return all
}

// logLines is a log in memory.
type logLines struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(b)
}

func (l *logLines) taken() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.buffer.String()
	l.buffer.Reset()
	return text
}

// bench is a memory between an engine and its re-verification, with results that
// a test says. It is made in a bubble of simulated time.
type bench struct {
	t        testing.TB
	rules    rulesNow
	results  *fakeResults
	engine   *policy.Engine
	memory   *inventory.Memory
	recorder *inventory.Recorder
	records  *fakeRecords
	changes  *changes
	log      *logLines
	again    *inventory.Reverifier
	lineage  *inventory.Lineage
	stop     func()
}

// newBench runs a Reverifier with an interval and a lifetime of an hour: its period
// is 54 minutes.
func newBench(t testing.TB, cfg inventory.ReverifyConfig, policies []*policy.Policy, integrations ...*verify.Integration) *bench {
	b := &bench{t: t, results: newFakeResults(), records: &fakeRecords{}, changes: &changes{}, log: &logLines{}}
	b.rules.set(policies, integrations...)
	b.lineage = inventory.NewLineage(0)
	b.engine = &policy.Engine{Rules: b.rules.get, Results: b.results, Lineage: b.lineage}
	b.memory = inventory.NewMemory(inventory.MemoryConfig{VerifiedTTL: time.Hour, Lineage: b.lineage})
	b.recorder = inventory.NewRecorder(b.engine, b.memory, newLog(b.log))
	if cfg.Interval == 0 {
		cfg.Interval = time.Hour
	}
	b.run(cfg)
	return b
}

// run starts the Reverifier.
func (b *bench) run(cfg inventory.ReverifyConfig) {
	cfg.Rules, cfg.Changed, cfg.Log = b.rules.get, b.changes.observe, newLog(b.log)
	b.again = inventory.NewReverifier(b.memory, b.engine, b.records, cfg)
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.again.Run(ctx)
	}()
	b.stop = func() { cancel(); <-ended }
}

func (b *bench) pull(image oci.Image) policy.Decision {
	b.t.Helper()
	d, err := b.recorder.Decide(b.t.Context(), pull(image), image)
	check(b.t, err)
	return d
}

func pull(image oci.Image) policy.Request {
	return policy.Request{
		Kind: policy.KindPull, Verb: "GET", Reference: image.Reference,
		Client: policy.Client{IP: "192.0.2.7", UserAgent: "containerd/2.1.4 linux/amd64"},
	}
}

// result returns what is remembered of an image under an integration.
func result(t testing.TB, m *inventory.Memory, image oci.Image, integration string) inventory.Result {
	t.Helper()
	remembered, found := m.Image(image.Reference.Repository, image.Reference.Digest)
	if !found {
		t.Fatalf("%s is not remembered", image.Reference)
	}
	for _, r := range remembered.Results {
		if r.Integration == integration {
			return r
		}
	}
	return inventory.Result{}
}

func newLog(to *logLines) *slog.Logger { return slog.New(slog.NewTextHandler(to, nil)) }

// some returns an image that depends on seed.
func some(t testing.TB, seed string) oci.Image {
	return image(t, api, digest("config "+seed), digest("layer "+seed))
}

var (
	verified    = verify.Result{Status: verify.Verified, Signer: "release-2026"}
	unsigned    = verify.Result{Status: verify.Unsigned}
	otherKey    = verify.Result{Status: verify.Untrusted, Reason: verify.KeyMismatch}
	unavailable = verify.Result{Status: verify.Unavailable, Reason: verify.Timeout}
)
