package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/origin"
)

// mood is what stands between the gateway and a registry at the moment.
type mood int32

const (
	fine mood = iota
	// withdrawn answers as if nobody had signed anything.
	withdrawn
	// away ends every connection without an answer.
	away
)

// moody puts a changing mood in front of a registry and returns where.
func moody(tb testing.TB, at *origin.Registry) (host string, set func(mood)) {
	tb.Helper()
	var now atomic.Int32
	target, err := url.Parse("http://" + at.Host)
	if err != nil {
		tb.Fatal(err)
	}
	behind := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signature := strings.HasSuffix(r.URL.Path, ".sig") || strings.Contains(r.URL.Path, "/referrers/") || strings.Contains(r.URL.Path, "/manifests/sha256-")
		switch m := mood(now.Load()); {
		case m == away:
			panic(http.ErrAbortHandler)
		case m == withdrawn && signature:
			http.NotFound(w, r)
		default:
			behind.ServeHTTP(w, r)
		}
	}))
	tb.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), func(m mood) { now.Store(int32(m)) }
}

// TestReverification changes the world around an image that was pulled once, and
// waits until the gateway says by itself what became of it: in the audit file,
// in the metrics, in the log, and to whoever pulls next.
func TestReverification(t *testing.T) {
	at := origin.Distribution(t, nil)
	layout := cosign.Layouts()[0]
	key, other := cosign.NewKey(t, layout), cosign.NewKey(t, layout)
	image := at.Push(t, "acme/app", "1")
	key.Sign(t, at, image, layout)
	host, set := moody(t, at)
	documents := enforced(t, gateway.Registry("docker.io", host, "tagTTL: 1s", "staleTagTTL: 1h"), key)
	g := gateway.Start(t, documents, "VOUCHSAFE_REVERIFY_INTERVAL=2s", "VOUCHSAFE_VERIFIED_TTL=4s", "VOUCHSAFE_REJECTED_TTL=1s", "VOUCHSAFE_UNAVAILABLE_TTL=1s")
	if answer := ask(t, g, "docker.io/acme/app", "1"); answer.Status != http.StatusOK {
		t.Fatalf("the signed image: got %d, want 200", answer.Status)
	}
	for _, step := range []struct {
		name   string
		change func()
		from   string
		status string
		reason string
		pull   int
		open   string
	}{
		{"the signature is withdrawn", func() { set(withdrawn) }, "Verified", "Unsigned", "", 403, "1"},
		{"the signature is back", func() { set(fine) }, "Unsigned", "Verified", "", 200, "0"},
		{"the key is replaced", func() { g.Write(t, "integration.yaml", gateway.Integration(signerName, other.PEM(t))) }, "Verified", "Untrusted", "KEY_MISMATCH", 403, "1"},
		{"the key is trusted again", func() { g.Write(t, "integration.yaml", documents["integration.yaml"]) }, "Untrusted", "Verified", "", 200, "0"},
		{"the registry is away", func() { set(away) }, "Verified", "Unavailable", "FETCH_FAILED", 503, "0"},
		{"the registry is back", func() { set(fine) }, "Unavailable", "Verified", "", 200, "0"},
	} {
		before := len(reverifications(t, g, image.Digest))
		counted := changes(t, g, step.from, step.status)
		step.change()
		g.Await(t, "a record that "+step.name, func() bool {
			return slices.ContainsFunc(reverifications(t, g, image.Digest)[before:], func(r gateway.Record) bool {
				return len(r.Results) == 1 && r.Results[0].Status == step.status && r.Results[0].Reason == step.reason &&
					r.Decision.Verdict != "" && strings.Contains(r.Message, step.from)
			})
		})
		if changes(t, g, step.from, step.status) == counted {
			t.Errorf("%s: the metric did not count a change from %s to %s", step.name, step.from, step.status)
		}
		g.Await(t, "pulls to be answered as "+step.name, func() bool {
			answer, err := g.Manifest(http.DefaultClient, http.MethodGet, "docker.io/acme/app", image.Digest)
			return err == nil && answer.Status == step.pull
		})
		g.Await(t, "violations as "+step.name, func() bool {
			return metric(t, g, `vouchsafe_violations\{policy="`+policyName+`"\} (\d+)`, "0") == step.open
		})
	}
	checkShows(t, g.Log(), "status changed")
}

// reverifications returns the records of that kind about a digest.
func reverifications(tb testing.TB, g *gateway.Gateway, digest string) []gateway.Record {
	tb.Helper()
	return slices.DeleteFunc(g.Audit(tb), func(r gateway.Record) bool { return r.Kind != "reverification" || r.Image.Digest != digest })
}

// changes is how many changes of a status the metric counts.
func changes(tb testing.TB, g *gateway.Gateway, from, to string) string {
	tb.Helper()
	return metric(tb, g, `vouchsafe_reverification_changes_total\{from="`+from+`",integration="`+signerName+`",to="`+to+`"\} (\d+)`, "0")
}

// metric returns what a pattern finds on the page of metrics, else otherwise.
func metric(tb testing.TB, g *gateway.Gateway, pattern, otherwise string) string {
	tb.Helper()
	if found := regexp.MustCompile(pattern).FindStringSubmatch(g.Metrics(tb)); found != nil {
		return found[1]
	}
	return otherwise
}
