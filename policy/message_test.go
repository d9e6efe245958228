package policy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// situation is one golden message.
type situation struct {
	name string
	// decide prepares the world and asks.
	decide func(w *world) policy.Decision
}

// ask decides about one image under policies with results by integration.
func ask(results map[string]verify.Result, policies ...policy.Spec) func(w *world) policy.Decision {
	return func(w *world) policy.Decision {
		img := image(w.t, acmeAPI, "a")
		for name, r := range results {
			w.says(acmeAPI, img.Reference.Digest, name, r)
		}
		names := []string{"prod-signed", "release-line", "watch"}
		for i, spec := range policies {
			w.policy(names[i], spec)
		}
		return w.decide(img)
	}
}

func team(r verify.Result) map[string]verify.Result {
	return map[string]verify.Result{"release-team": r}
}

func untrusted(reason verify.Reason) verify.Result {
	return verify.Result{Status: verify.Untrusted, Reason: reason}
}

var (
	enforce  = policy.Spec{}
	inform   = policy.Spec{Behavior: "Inform"}
	both     = []string{"release-team", "qa-team"}
	identity = verify.Result{
		Status: verify.Untrusted, Reason: verify.IdentityMismatch,
		Signer: "https://github.com/acme/api/.github/workflows/release.yml@refs/heads/dev", Issuer: "https://token.actions.githubusercontent.com",
	}
)

var situations = []situation{
	{"allowed", ask(team(verified), enforce)},
	{"allowed by two", ask(map[string]verify.Result{"release-team": verified, "qa-team": {Status: verify.Verified, Signer: "qa-1"}}, policy.Spec{Signers: both, Require: "All"})},
	{"allowed, no policy", ask(nil)},
	{"allowed, artifact", func(w *world) policy.Decision {
		return w.decide(manifest(w.t, acmeAPI, map[string]any{
			"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
			"config": descriptor("application/vnd.oci.image.config.v1+json", oci.SHA256([]byte("c"))),
			"layers": []any{descriptor(oci.MediaTypeSimpleSigning, oci.SHA256([]byte("payload")))},
		}))
	}},
	{"allowed through an index", func(w *world) policy.Decision {
		w.policy("prod-signed", enforce)
		child := image(w.t, acmeAPI, "a")
		parent := index(w.t, acmeAPI, child.Reference.Digest)
		w.record(parent)
		w.says(acmeAPI, parent.Reference.Digest, "release-team", verified)
		return w.decide(child)
	}},
	{"refused, no policy", func(w *world) policy.Decision {
		w.rules.WhenNoPolicy = policy.Deny
		return w.decide(image(w.t, acmeAPI, "a"))
	}},
	{"refused, unsigned", ask(nil, enforce)},
	{"refused, unsigned, any of two", ask(nil, policy.Spec{Signers: both})},
	{"refused, unsigned, all of two", ask(nil, policy.Spec{Signers: both, Require: "All"})},
	{"refused, one of all is missing", ask(map[string]verify.Result{"release-team": verified, "qa-team": otherKey}, policy.Spec{Signers: both, Require: "All"})},
	{"refused, different findings", ask(map[string]verify.Result{"release-team": otherKey, "qa-team": untrusted(verify.DigestMismatch)}, policy.Spec{Signers: both})},
	{"refused, another key", ask(team(otherKey), enforce)},
	{"refused, another identity", ask(team(identity), enforce)},
	{"refused, another issuer", ask(team(func() verify.Result { r := identity; r.Reason = verify.IssuerMismatch; return r }()), enforce)},
	{"refused, key window", ask(team(untrusted(verify.KeyExpired)), enforce)},
	{"refused, signature of another image", ask(team(untrusted(verify.DigestMismatch)), enforce)},
	{"refused, unreadable signature", ask(team(untrusted(verify.Malformed)), enforce)},
	{"refused, over the limit", ask(team(untrusted(verify.OverLimit)), enforce)},
	{"refused, unsupported signature", ask(team(untrusted(verify.Unsupported)), enforce)},
	{"refused, unknown reason with a message", ask(team(verify.Result{Status: verify.Untrusted, Reason: "NEW_REASON", Message: "something\nnew\x1b[31m"}), enforce)},
	{"refused, unknown reason", ask(team(untrusted("")), enforce)},
	{"refused by two policies", ask(team(otherKey), enforce, policy.Spec{Signers: []string{"qa-team"}})},
	{"refused by one, unknown to another, seen by a third", ask(map[string]verify.Result{"release-team": otherKey, "spare": timeout}, enforce, policy.Spec{Signers: []string{"spare"}}, inform)},
	{"unavailable, time", ask(team(timeout), enforce)},
	{"unavailable, failure", ask(team(verify.Result{Status: verify.Unavailable, Reason: verify.FetchFailed}), enforce)},
	{"unavailable, right", ask(team(verify.Result{Status: verify.Unavailable, Reason: verify.FetchUnauthorized}), enforce)},
	{"unavailable, two policies", ask(map[string]verify.Result{"release-team": timeout, "qa-team": timeout}, enforce, policy.Spec{Signers: []string{"qa-team"}})},
	{"unavailable, lineage cannot be read", func(w *world) policy.Decision {
		w.engine.Lineage = brokenLineage{Lineage: w.lineage, listing: true}
		return ask(nil, enforce)(w)
	}},
	{"unavailable, lineage cannot be written", func(w *world) policy.Decision {
		w.engine.Lineage = brokenLineage{Lineage: w.lineage, record: true}
		w.policy("prod-signed", enforce)
		parent := index(w.t, acmeAPI, oci.SHA256([]byte("child")))
		w.says(acmeAPI, parent.Reference.Digest, "release-team", verified)
		return w.decide(parent)
	}},
	{"warned, unsigned", ask(nil, inform)},
	{"warned by two", ask(nil, inform, policy.Spec{Signers: []string{"qa-team"}, Behavior: "Inform"})},
	{"warned, unknown", ask(team(timeout), inform)},
	{"warned, unknown and violated", ask(team(timeout), inform, policy.Spec{Signers: []string{"qa-team"}, Behavior: "Inform"})},
	{"warned, onUnavailable Allow", ask(team(timeout), policy.Spec{OnUnavailable: "Allow"})},
	{"warned, last verified", ask(team(lastVerified(3*time.Hour)), policy.Spec{OnUnavailable: "UseLastVerified"})},
	{"blob refused", func(w *world) policy.Decision {
		w.policy("prod-signed", enforce)
		img := image(w.t, acmeAPI, "a")
		w.record(img)
		return w.decideBlob(acmeAPI, img.Manifest.Layers[0].Digest)
	}},
	{"blob unavailable", func(w *world) policy.Decision {
		w.engine.Lineage = brokenLineage{Lineage: w.lineage, listing: true}
		w.policy("prod-signed", enforce)
		return w.decideBlob(acmeAPI, oci.SHA256([]byte("layer a")))
	}},
	{"admission, the name cannot be read", admission(policy.NoName("Not A Name\n\x1b[2J"), enforce)},
	{"admission, the registry is not listed", admission(policy.NotListed(), enforce)},
	{"admission, the registry is not listed, informing", admission(policy.NotListed(), inform)},
	{"admission, no policy", admission(policy.NotListed())},
	{"admission, no policy and such are refused", func(w *world) policy.Decision {
		w.rules.WhenNoPolicy = policy.Deny
		return admission(policy.NotListed())(w)
	}},
	{"admission, no such image", admission(policy.NotResolved(&oci.Error{Code: oci.CodeManifestUnknown}), enforce)},
	{"admission, manifest that must not be read", admission(policy.NotResolved(&oci.Error{Code: oci.CodeManifestInvalid}), enforce)},
	{"admission, no answer in time", admission(policy.TimedOut(), enforce, policy.Spec{Signers: []string{"qa-team"}})},
	{"admission, not known", admission(policy.NotKnown(), enforce)},
	{"admission, not known and left to the pull", func(w *world) policy.Decision {
		return left(admission(policy.NotKnown(), enforce, policy.Spec{Signers: []string{"qa-team"}}))(w)
	}},
	{"admission, INFORM_ONLY", func(w *world) policy.Decision {
		w.rules.InformOnly = true
		return admission(policy.NotListed(), enforce)(w)
	}},
	{"bug", func(w *world) policy.Decision {
		w.policy("prod-signed", enforce)
		w.results.answer = func(context.Context, verify.Query) ([]verify.Result, error) { panic("boom") }
		img := image(w.t, acmeAPI, "a")
		d, err := w.engine.Decide(w.t.Context(), pull(img.Reference), img)
		if err == nil {
			w.t.Error("a panic is no error")
		}
		return d
	}},
}

func TestMessages(t *testing.T) {
	var got strings.Builder
	got.WriteString("# What each decision says. Written by TestMessages with -update.\n")
	for _, s := range situations {
		d := s.decide(newWorld(t))
		check(t, d)
		fmt.Fprintf(&got, "\n# %s\n%s %q\n%s\n", s.name, d.Verdict, d.Reasons, d.Message)
	}
	golden(t, "testdata/messages.golden", got.String())
}

func TestLongMessagesAreCutAndKeepTheirEnd(t *testing.T) {
	for _, policies := range []int{1, 2, 3, 40} {
		t.Run(fmt.Sprintf("%d policies", policies), func(t *testing.T) {
			w := newWorld(t)
			repository := oci.Repository{Registry: "docker.io", Path: strings.Repeat("a", 245)}
			img := image(t, repository, "a")
			in := newIntegration(t, "release-team", strings.Repeat("ключ", 16))
			w.integrations["release-team"] = in
			for i := range policies {
				w.policy(fmt.Sprintf("%s-%02d", strings.Repeat("p", 60), i), enforce)
			}
			r := identity
			r.Signer = "https://evil\u2028\x9b\x00" + strings.Repeat("é", 4000)
			w.says(repository, img.Reference.Digest, "release-team", r)
			d := w.decide(img)
			check(t, d)
			if !utf8.ValidString(d.Message) || strings.ContainsAny(d.Message, "\u2028\u009b") {
				t.Errorf("message is not clean: %q", d.Message)
			}
			if !strings.HasSuffix(d.Message, " (decision "+testID+")") || !strings.HasPrefix(d.Message, repository.String()+"@"+img.Reference.Digest.String()+": refused by policy p") {
				t.Errorf("message lost its name or its decision: %s", d.Message)
			}
			if more := strings.Contains(d.Message, "more (decision"); more != (policies > 1) {
				t.Errorf("message: %s", d.Message)
			}
			if d.Results[0].Signer != r.Signer || !slices.Equal(d.Reasons, []string{"IDENTITY_MISMATCH"}) {
				t.Error("the decision itself was cut")
			}
		})
	}
}
