package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/proxy"
)

// verdict lets the decider answer with d for every question.
func verdict(d policy.Decision) func(context.Context, policy.Request) (policy.Decision, error) {
	if d.ID == "" {
		d.ID = "01D"
	}
	if d.Revision == "" {
		d.Revision = "r1"
	}
	if d.Image.Digest.IsZero() {
		d.Image.Digest = manifestDigest
	}
	return func(context.Context, policy.Request) (policy.Decision, error) { return d, nil }
}

func TestOnlyServedVerdictsServe(t *testing.T) {
	tests := map[string]struct {
		decision policy.Decision
		status   int
		code     string
		header   string
		retry    string
	}{
		"allowed":                  {policy.Decision{Verdict: policy.Allow}, 200, "", "01D Allow", ""},
		"warned":                   {policy.Decision{Verdict: policy.Warn}, 200, "", "01D Warn", ""},
		"denied":                   {policy.Decision{Verdict: policy.Deny, Message: "refused by policy prod"}, 403, "DENIED", "01D Deny", ""},
		"not found out":            {policy.Decision{Verdict: policy.Unavailable}, 503, "UNAVAILABLE", "01D Unavailable", "5"},
		"not found out for a time": {policy.Decision{Verdict: policy.Unavailable, RetryAfter: 7 * time.Second}, 503, "UNAVAILABLE", "01D Unavailable", "7"},
		"no verdict at all":        {policy.Decision{}, 403, "DENIED", "01D Invalid", ""},
		"a verdict out of range":   {policy.Decision{Verdict: 77}, 403, "DENIED", "01D Invalid", ""},
		"about another image":      {policy.Decision{Verdict: policy.Allow, Image: oci.Reference{Digest: blobDigest}}, 500, "UNKNOWN", "", ""},
	}
	for name, test := range tests {
		for _, method := range []string{"GET", "HEAD"} {
			t.Run(name+" "+method, func(t *testing.T) {
				w := newWorld(t, nil)
				w.decider.on = verdict(test.decision)
				got := w.do(t, method, "/v2/nginx/manifests/1", "If-None-Match", `"x"`)
				if got.status != test.status {
					t.Errorf("got %d, want %d", got.status, test.status)
				}
				wantHeader(t, got, "Vouchsafe-Decision", test.header)
				wantHeader(t, got, "Retry-After", test.retry)
				if test.status != 200 {
					wantHeader(t, got, "Docker-Content-Digest", "")
					wantHeader(t, got, "Etag", "")
					if strings.Contains(got.body, "schemaVersion") {
						t.Errorf("content beside a refusal: %s", got.body)
					}
				}
				if method == "GET" && test.code != "" {
					wantError(t, got, test.status, test.code, test.decision.Message)
				}
			})
		}
	}
}

func TestRefusalSaysWhy(t *testing.T) {
	w := newWorld(t, nil)
	w.decider.on = verdict(policy.Decision{
		ID: "01DENIED", Verdict: policy.Deny, Message: "docker.io/library/nginx: refused by policy prod-signed (decision 01DENIED)",
		Policies: []policy.Outcome{{Name: "prod-signed", Behavior: policy.InformAndEnforce}}, Reasons: []string{"KEY_MISMATCH"},
	})
	got := w.do(t, "GET", "/v2/nginx/manifests/1")
	want := `{"errors":[{"code":"DENIED","message":"docker.io/library/nginx: refused by policy prod-signed (decision 01DENIED)",` +
		`"detail":{"decision":"01DENIED","policies":[{"name":"prod-signed","behavior":"InformAndEnforce","satisfied":false}],"reasons":["KEY_MISMATCH"]}}]}`
	var gotJSON, wantJSON any
	if err := json.Unmarshal([]byte(got.body), &gotJSON); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wantJSON); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantJSON, gotJSON); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	w.decider.on = verdict(policy.Decision{Verdict: policy.Deny})
	if got := w.do(t, "GET", "/v2/nginx/manifests/1"); !strings.Contains(got.body, `"policies":[],"reasons":[]`) {
		t.Errorf("got %s, want empty lists and no null", got.body)
	}
}

func TestWhatTheClientHasIsToldOnlyAfterTheDecision(t *testing.T) {
	w := newWorld(t, nil)
	w.decider.on = verdict(policy.Decision{Verdict: policy.Deny})
	wantError(t, w.do(t, "GET", "/v2/nginx/manifests/1", "If-None-Match", "*"), 403, "DENIED", "")
	wantError(t, w.do(t, "GET", "/v2/nginx/blobs/"+blobDigest.String(), "If-None-Match", "*"), 403, "DENIED", "")
}

func TestDeciderIsToldWhoAsksForWhat(t *testing.T) {
	w := newWorld(t, nil)
	w.do(t, "HEAD", "/v2/nginx/manifests/1.27?ns=docker.io",
		"User-Agent", "containerd/2.4", "X-Request-Id", strings.Repeat("i", 200), "X-Forwarded-For", "10.0.0.1", "X-Forwarded-User", "root")
	want := policy.Request{
		Kind: policy.KindPull, Verb: "HEAD",
		Reference: oci.Reference{Repository: oci.Repository{Registry: "docker.io", Path: "library/nginx"}, Tag: "1.27"},
		Client:    policy.Client{IP: "127.0.0.1", UserAgent: "containerd/2.4", RequestID: strings.Repeat("i", 128)},
	}
	if w.decider.last != want {
		t.Errorf("got %+v, want %+v", w.decider.last, want)
	}
}

func TestAgeOfAStaleTagIsTold(t *testing.T) {
	w := newWorld(t, nil)
	w.resolver.on = func(_ context.Context, ref oci.Reference) (oci.Image, error) {
		return oci.Image{Reference: ref.WithDigest(manifestDigest), MediaType: oci.MediaTypeImageManifest, Bytes: manifestBytes, Age: 90 * time.Second}, nil
	}
	wantHeader(t, w.do(t, "GET", "/v2/nginx/manifests/1"), "Age", "90")
}

// The rules change between decision and answer: the answer is the one of the
// rules in force, or a refusal for now.
func TestDecisionUnderAnOldRevisionIsMadeAgain(t *testing.T) {
	manifest, blob := "/v2/nginx/manifests/1", "/v2/nginx/blobs/"+blobDigest.String()
	superseded := policy.Decision{ID: "4", Verdict: policy.Unavailable, Revision: "d"}
	tests := map[string]struct {
		target string
		// decisions are made in this order; current is in force all the time.
		decisions []policy.Decision
		current   string
		status    int
		header    string
		asked     int
	}{
		"allowed before and denied now": {
			target:    manifest,
			decisions: []policy.Decision{{ID: "1", Verdict: policy.Allow, Revision: "old"}, {ID: "2", Verdict: policy.Deny, Revision: "new"}},
			current:   "new", status: 403, header: "2 Deny", asked: 2,
		},
		"denied before and allowed now": {
			target:    manifest,
			decisions: []policy.Decision{{ID: "1", Verdict: policy.Deny, Revision: "old"}, {ID: "2", Verdict: policy.Allow, Revision: "new"}},
			current:   "new", status: 200, header: "2 Allow", asked: 2,
		},
		"the third decision counts": {
			target:    manifest,
			decisions: []policy.Decision{{ID: "1", Verdict: policy.Allow, Revision: "a"}, {ID: "2", Verdict: policy.Allow, Revision: "b"}, {ID: "3", Verdict: policy.Allow, Revision: "new"}},
			current:   "new", status: 200, header: "3 Allow", asked: 3,
		},
		"after the third it is refused for now": {
			target:    manifest,
			decisions: []policy.Decision{{ID: "1", Verdict: policy.Allow, Revision: "a"}, {ID: "2", Verdict: policy.Allow, Revision: "b"}, {ID: "3", Verdict: policy.Allow, Revision: "c"}, superseded},
			current:   "new", status: 503, header: "4 Unavailable", asked: 4,
		},
		"the refusal for now needs no revision in force": {
			target:    manifest,
			decisions: []policy.Decision{{ID: "1", Verdict: policy.Deny, Revision: "a"}, {ID: "2", Verdict: policy.Deny, Revision: "b"}, {ID: "3", Verdict: policy.Deny, Revision: "c"}, superseded},
			current:   "new", status: 503, header: "4 Unavailable", asked: 4,
		},
		"a decider that serves it all the same serves nothing": {
			target:    manifest,
			decisions: []policy.Decision{{ID: "1", Verdict: policy.Allow, Revision: "a"}, {ID: "2", Verdict: policy.Allow, Revision: "b"}, {ID: "3", Verdict: policy.Allow, Revision: "c"}, {ID: "4", Verdict: policy.Allow, Revision: "new"}},
			current:   "new", status: 500, header: "", asked: 4,
		},
		"a blob too": {
			target:    blob,
			decisions: []policy.Decision{{ID: "1", Verdict: policy.Allow, Revision: "old"}, {ID: "2", Verdict: policy.Deny, Revision: "new"}},
			current:   "new", status: 403, header: "2 Deny", asked: 2,
		},
		"a decision without revision is not current": {
			target:    manifest,
			decisions: []policy.Decision{{ID: "1", Verdict: policy.Allow}, {ID: "2", Verdict: policy.Allow}, {ID: "3", Verdict: policy.Allow}, superseded},
			current:   "new", status: 503, header: "4 Unavailable", asked: 4,
		},
		"a blob too, after the third": {
			target:    blob,
			decisions: []policy.Decision{{ID: "1", Verdict: policy.Allow, Revision: "a"}, {ID: "2", Verdict: policy.Allow, Revision: "b"}, {ID: "3", Verdict: policy.Allow, Revision: "c"}, superseded},
			current:   "new", status: 503, header: "4 Unavailable", asked: 4,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.revision = func() string { return test.current }
			var asked atomic.Int32
			w.decider.on = func(_ context.Context, q policy.Request) (policy.Decision, error) {
				n := asked.Add(1)
				if q.Superseded != (n == 4) {
					t.Errorf("question %d: superseded is %v", n, q.Superseded)
				}
				d := test.decisions[n-1]
				d.Image.Digest = manifestDigest
				return d, nil
			}
			got := w.do(t, "GET", test.target)
			if got.status != test.status || int(asked.Load()) != test.asked {
				t.Errorf("got %d after %d decisions, want %d after %d", got.status, asked.Load(), test.status, test.asked)
			}
			wantHeader(t, got, "Vouchsafe-Decision", test.header)
			if test.status == 503 {
				wantHeader(t, got, "Retry-After", "5")
			}
		})
	}
}

func TestRulesThatChangeWhileABlobIsOpenedHold(t *testing.T) {
	for name, method := range map[string]string{"a GET": "GET", "a HEAD": "HEAD"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			var revision atomic.Value
			revision.Store("r1")
			w.revision = func() string { return revision.Load().(string) }
			w.decider.on = func(context.Context, policy.Request) (policy.Decision, error) {
				d := policy.Decision{ID: "1", Verdict: policy.Allow, Revision: w.revision()}
				if d.Revision == "r2" {
					d.Verdict = policy.Deny
				}
				return d, nil
			}
			w.upstream.open = func(context.Context, string) (*oci.Blob, error) {
				revision.Store("r2")
				return blobOf("0123456789", 10, ""), nil
			}
			w.upstream.head = func(context.Context) (int64, error) {
				revision.Store("r2")
				return 10, nil
			}
			got := w.do(t, method, "/v2/nginx/blobs/"+blobDigest.String())
			if got.status != 403 || strings.Contains(got.body, "0123") {
				t.Errorf("got %d %q, want 403", got.status, got.body)
			}
			wantHeader(t, got, "Content-Range", "")
			wantHeader(t, got, "Accept-Ranges", "")
		})
	}
}

// No answer carries a decision of another revision than the one in force when it
// began, however often the rules change.
func TestNoAnswerCarriesAnOldRevision(t *testing.T) {
	w := newWorld(t, nil)
	var revision atomic.Int64
	w.revision = func() string { return fmt.Sprint(revision.Load()) }
	w.decider.on = func(context.Context, policy.Request) (policy.Decision, error) {
		at := revision.Load()
		d := policy.Decision{ID: fmt.Sprint(at), Verdict: policy.Allow, Revision: fmt.Sprint(at), Image: oci.Reference{Digest: manifestDigest}}
		if at%2 == 1 {
			d.Verdict = policy.Deny
		}
		return d, nil
	}
	for i := range int64(200) {
		revision.Store(i)
		got := w.do(t, "GET", "/v2/nginx/manifests/1")
		want := 200
		if i%2 == 1 {
			want = 403
		}
		if id, _, _ := strings.Cut(got.header.Get("Vouchsafe-Decision"), " "); got.status != want || id != fmt.Sprint(i) {
			t.Fatalf("revision %d: got %d by decision %s", i, got.status, id)
		}
	}
}

func TestDeciderThatFailsServesNothing(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *proxy.Config) { cfg.Timeout = 20 * time.Millisecond })
	w.decider.on = func(context.Context, policy.Request) (policy.Decision, error) {
		return policy.Decision{ID: "1", Verdict: policy.Allow, Revision: "r1", Image: oci.Reference{Digest: manifestDigest}}, errBroken
	}
	wantError(t, w.do(t, "GET", "/v2/nginx/manifests/1"), 500, "UNKNOWN", "internal error")
	w.decider.on = func(ctx context.Context, _ policy.Request) (policy.Decision, error) {
		<-ctx.Done()
		return policy.Decision{}, ctx.Err()
	}
	wantError(t, w.do(t, "GET", "/v2/nginx/manifests/1"), 504, "UNAVAILABLE", "in time")
	wantError(t, w.do(t, "GET", "/v2/nginx/blobs/"+blobDigest.String()), 504, "UNAVAILABLE", "in time")
}
