package audit_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/audit"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

var update = flag.Bool("update", false, "write golden files anew")

var (
	testNow = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.FixedZone("CET", 3600))
	api     = oci.Repository{Registry: "docker.io", Path: "acme/api"}
	digest  = oci.SHA256([]byte("api"))
)

const testID = "01JDEC1S10N000000000000000"

// decision is what most tests record.
func decision(v policy.Verdict, behavior policy.Behavior) policy.Decision {
	d := policy.Decision{
		ID: testID, Time: testNow, Verdict: v,
		Policies: []policy.Outcome{{Name: "prod-signed", Behavior: behavior, Satisfied: v == policy.Allow, Verdict: v}},
		Message:  api.String() + "@" + digest.String() + ": verified by release-team (release-2026) (decision " + testID + ")",
		Results: []verify.Result{{
			Integration: "release-team", Status: verify.Verified, Signer: "release-2026", Cached: true,
		}},
		Revision:  "r1",
		Image:     oci.Reference{Repository: api, Tag: "1.4", Digest: digest},
		MediaType: oci.MediaTypeImageManifest,
		Cached:    true, Duration: 412345 * time.Nanosecond,
	}
	if v != policy.Allow {
		d.Reasons = []string{"KEY_MISMATCH"}
		d.Results = []verify.Result{{Integration: "release-team", Status: verify.Untrusted, Reason: verify.KeyMismatch}}
		d.Message = api.String() + "@" + digest.String() + ": refused by policy prod-signed: signed by another key, wanted release-team (release-2026) (decision " + testID + ")"
		d.Cached, d.Duration = false, 48217*time.Microsecond
	}
	if v == policy.Unavailable {
		d.RetryAfter = policy.RetryAfter
	}
	return d
}

func request() policy.Request {
	return policy.Request{
		Kind: policy.KindPull, Verb: "GET", Reference: oci.Reference{Repository: api, Tag: "1.4"},
		Client: policy.Client{IP: "192.0.2.7", UserAgent: "containerd/2.1.4", User: "node-7", RequestID: "req-1"},
	}
}

// decider answers always the same.
type decider struct {
	decision policy.Decision
	err      error
}

func (d decider) Decide(context.Context, policy.Request, oci.Image) (policy.Decision, error) {
	return d.decision, d.err
}

func (d decider) DecideBlob(context.Context, policy.Request, oci.Digest) (policy.Decision, error) {
	return d.decision, d.err
}

var errSink = errors.New("no space left")

// memory is a sink that keeps lines, once it failed as often as it was told.
type memory struct {
	mu    sync.Mutex
	fail  int
	tries int
	lines []string
	// hold, when not nil, blocks each write until it is closed.
	hold chan struct{}
}

func (m *memory) Write(ctx context.Context, line []byte) error {
	m.mu.Lock()
	m.tries++
	fails := m.fail > 0
	if fails {
		m.fail--
	}
	hold := m.hold
	m.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fails {
		return errSink
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = append(m.lines, string(line))
	return nil
}

func (m *memory) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.lines, "")
}

const always = 1 << 30

// decide asks a Log about one image.
func decide(t *testing.T, next decider, sink audit.Sink, cfg audit.Config) (policy.Decision, error) {
	t.Helper()
	return audit.New(next, sink, cfg).Decide(t.Context(), request(), oci.Image{})
}

// golden compares got with a file, which -update writes anew.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
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
