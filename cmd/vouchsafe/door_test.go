package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"vouchsafe/config"
	"vouchsafe/internal/lab"
	"vouchsafe/oci"
)

// door is a gateway with its registry, for counting what reaches the registry
// and what is recorded.
type door struct {
	registry *lab.Registry
	gateway  *httptest.Server
	image    oci.Reference
	stack    *stack
	ledger   *ledger
	snapshot atomic.Pointer[func() *config.Snapshot]

	mu       sync.Mutex
	answered []string // ids of decisions, guarded by mu
}

// ledger is an audit sink that counts the lines of each decision.
type ledger struct {
	mu    sync.Mutex
	lines map[string][]line // guarded by mu
}

// line is what is looked at of a record.
type line struct {
	ID       string `json:"id"`
	Status   int    `json:"status"`
	Replica  string `json:"replica"`
	Decision struct {
		Reasons []string `json:"reasons"`
	} `json:"decision"`
}

// Write implements [audit.Sink].
func (l *ledger) Write(_ context.Context, text []byte) error {
	var record line
	if err := json.Unmarshal(text, &record); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[record.ID] = append(l.lines[record.ID], record)
	return nil
}

// of returns the records of a decision.
func (l *ledger) of(decision string) []line {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[decision]
}

// newDoor serves one image that a trusted key signed, under a policy that
// enforces.
func newDoor(t testing.TB, referrers bool) *door {
	t.Helper()
	registry, err := lab.NewRegistry(t.Context(), lab.RegistryConfig{Referrers: referrers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	key, err := lab.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	image, err := registry.PushImage("acme/api", "1.4", "door")
	if err != nil {
		t.Fatal(err)
	}
	if err := key.SignTag(registry, image); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	documents := fmt.Sprintf(`apiVersion: vouchsafe.dev/v1alpha1
kind: Registry
metadata: {name: "%[1]s"}
spec: {endpoint: "http://%[1]s", plainHTTP: true, allowPrivateAddresses: true, tagTTL: 1h}
---
apiVersion: vouchsafe.dev/v1alpha1
kind: SignatureIntegration
metadata: {name: release-team}
spec:
  publicKeys:
    - name: release-2026
      key: |
%[2]s
---
apiVersion: vouchsafe.dev/v1alpha1
kind: ImagePolicy
metadata: {name: prod-signed}
spec:
  signers: [release-team]
  behavior: InformAndEnforce
`, registry.Host(), indent(key.PublicPEM(), "        "))
	if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(documents), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, err := config.LoadSettings([]string{"VOUCHSAFE_CONFIG_DIR=" + dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := config.Load(dir, config.LoadOptions{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{registry: registry, image: image, ledger: &ledger{lines: map[string][]line{}}}
	fixed := func() *config.Snapshot { return snapshot }
	d.snapshot.Store(&fixed)
	current := func() *config.Snapshot { return (*d.snapshot.Load())() }
	d.stack = newStack(current, settings, outside{sink: d.ledger, replica: "replica-0"}, newMetrics(), newLogger(io.Discard, settings))
	t.Cleanup(d.stack.close)
	d.gateway = httptest.NewServer(d.stack.handler)
	t.Cleanup(d.gateway.Close)
	registry.Reset()
	return d
}

// path is that of the image's manifest on the gateway.
func (d *door) path(tagOrDigest string) string {
	return "/v2/" + strings.Replace(d.registry.Host(), ":", "_", 1) + "/acme/api/manifests/" + tagOrDigest
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by)
}

// ask sends one request for a manifest and returns the status.
func (d *door) ask(ctx context.Context, method, tagOrDigest string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, method, d.gateway.URL+d.path(tagOrDigest), nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	id, _, _ := strings.Cut(answer.Header.Get("Vouchsafe-Decision"), " ")
	d.mu.Lock()
	d.answered = append(d.answered, id)
	d.mu.Unlock()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// pull asks and fails the test unless the answer is 200.
func (d *door) pull(t *testing.T, method, tagOrDigest string) {
	t.Helper()
	if status, err := d.ask(t.Context(), method, tagOrDigest); err != nil || status != http.StatusOK {
		t.Fatalf("%s %s: status %d, error %v", method, tagOrDigest, status, err)
	}
}

// recorded fails the test unless each answer has exactly one record, that says
// what was answered, and there is no record of anything else.
func (d *door) recorded(t *testing.T, status int) {
	t.Helper()
	for _, id := range d.answered {
		if records := d.ledger.of(id); len(records) != 1 || records[0].Status != status || records[0].Replica != "replica-0" {
			t.Errorf("decision %q has the records %+v, want one with status %d", id, records, status)
		}
	}
	if len(d.ledger.lines) != len(d.answered) {
		t.Errorf("%d decisions are recorded, %d answered", len(d.ledger.lines), len(d.answered))
	}
}

// The configuration changes faster than one request is decided: the answer is a
// refusal for now, and the record that it names says so.
func TestARefusalOfASupersededRequestHasItsOwnRecord(t *testing.T) {
	d := newDoor(t, false)
	before := *d.snapshot.Load()
	var n atomic.Int64
	restless := func() *config.Snapshot {
		changed := *before()
		changed.Rules.Revision = fmt.Sprint("r", n.Add(1))
		return &changed
	}
	d.snapshot.Store(&restless)
	status, err := d.ask(t.Context(), http.MethodGet, "1.4")
	if err != nil || status != http.StatusServiceUnavailable {
		t.Fatalf("status %d, error %v", status, err)
	}
	records := d.ledger.of(d.answered[0])
	if len(records) != 1 || records[0].Status != status || !slices.Equal(records[0].Decision.Reasons, []string{"SUPERSEDED"}) {
		t.Errorf("the answer's record is %+v", records)
	}
	// The three decisions that it outlived keep theirs.
	if len(d.ledger.lines) != 4 {
		t.Errorf("%d decisions are recorded, want 4", len(d.ledger.lines))
	}
}

func TestRequestsAtTheUpstreamsDoor(t *testing.T) {
	const base = "/v2/acme/api/"
	for name, c := range map[string]struct {
		referrers bool
		before    func(*testing.T, *door)
		act       func(*testing.T, *door)
		want      func(*door) []string
	}{
		"a cold verified tag costs one manifest GET and the look for signatures": {
			act: func(t *testing.T, d *door) { d.pull(t, http.MethodGet, "1.4") },
			want: func(d *door) []string {
				return append([]string{"GET " + base + "manifests/1.4"}, signatureRequests(d)...)
			},
		},
		"a hundred clients of a cold tag at once cost the same as one": {
			act: func(t *testing.T, d *door) {
				var wait sync.WaitGroup
				for range 100 {
					wait.Go(func() {
						if status, err := d.ask(t.Context(), http.MethodGet, "1.4"); err != nil || status != http.StatusOK {
							t.Errorf("status %d, error %v", status, err)
						}
					})
				}
				wait.Wait()
			},
			want: func(d *door) []string {
				return append([]string{"GET " + base + "manifests/1.4"}, signatureRequests(d)...)
			},
		},
		"with a referrers API the look is the same": {
			referrers: true,
			act:       func(t *testing.T, d *door) { d.pull(t, http.MethodGet, "1.4") },
			want: func(d *door) []string {
				return append([]string{"GET " + base + "manifests/1.4"}, signatureRequests(d)...)
			},
		},
		"HEAD by tag and then GET by digest fetch one manifest": {
			act: func(t *testing.T, d *door) {
				d.pull(t, http.MethodHead, "1.4")
				d.pull(t, http.MethodGet, d.image.Digest.String())
			},
			want: func(d *door) []string {
				return append([]string{"GET " + base + "manifests/1.4"}, signatureRequests(d)...)
			},
		},
		"a warm manifest by digest asks nobody": {
			before: func(t *testing.T, d *door) { d.pull(t, http.MethodGet, "1.4") },
			act: func(t *testing.T, d *door) {
				for range 100 {
					d.pull(t, http.MethodGet, d.image.Digest.String())
				}
			},
			want: func(*door) []string { return nil },
		},
		"a warm tag inside its TTL asks nobody": {
			before: func(t *testing.T, d *door) { d.pull(t, http.MethodGet, "1.4") },
			act:    func(t *testing.T, d *door) { d.pull(t, http.MethodHead, "1.4"); d.pull(t, http.MethodGet, "1.4") },
			want:   func(*door) []string { return nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, c.referrers)
			if c.before != nil {
				c.before(t, d)
				d.registry.Reset()
			}
			c.act(t, d)
			d.recorded(t, http.StatusOK)
			got, want := d.registry.Requests(), c.want(d)
			for i, request := range got {
				// The signature's digest differs from run to run; no other blob is asked for.
				if path, _, found := strings.Cut(request, "blobs/"); found {
					got[i] = path + "blobs/…"
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("at the door:\n  %s\nwanted:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
		})
	}
}

// signatureRequests is one look for signatures: three places, and the one
// signature that the first of them lists.
func signatureRequests(d *door) []string {
	const base = "/v2/acme/api/"
	name := d.image.Digest.TagName()
	return []string{
		"GET " + base + "manifests/" + name + ".sig",
		"GET " + base + "manifests/" + name,
		"GET " + base + "referrers/" + d.image.Digest.String(),
		"GET " + base + "blobs/…",
	}
}
