package policy_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// asked is the question of a review about docker.io/acme/api:1.4.
var asked = policy.Request{Kind: policy.KindAdmission, Namespace: "prod"}

// admission decides about a name behind which there are no bytes.
func admission(u policy.Unresolved, policies ...policy.Spec) func(w *world) policy.Decision {
	return func(w *world) policy.Decision {
		names := []string{"prod-signed", "release-line", "watch"}
		for i, spec := range policies {
			w.policy(names[i], spec)
		}
		request, image := asked, oci.Image{Reference: oci.Reference{Repository: acmeAPI, Tag: "1.4"}}
		if request.Unresolved = u; u.Name != "" {
			image = oci.Image{}
		}
		request.PullJudges = w.pullJudges
		d, err := w.engine.Decide(w.t.Context(), request, image)
		if err != nil {
			w.t.Fatal(err)
		}
		return d
	}
}

// left asks with judging left to the pull.
func left(decide func(w *world) policy.Decision) func(w *world) policy.Decision {
	return func(w *world) policy.Decision {
		w.pullJudges = true
		return decide(w)
	}
}

func TestWithoutBytesThePoliciesWeighWhatIsSaidInstead(t *testing.T) {
	last := policy.Spec{OnUnavailable: "UseLastVerified"}
	for name, c := range map[string]struct {
		decide  func(w *world) policy.Decision
		verdict policy.Verdict
		reasons []string
	}{
		"an unlisted registry is denied by an enforcing policy":    {admission(policy.NotListed(), enforce), deny, []string{"REGISTRY_NOT_LISTED"}},
		"an unlisted registry is warned of by an informing policy": {admission(policy.NotListed(), inform), warn, []string{"REGISTRY_NOT_LISTED"}},
		"an unlisted registry without a policy is what such are":   {admission(policy.NotListed()), allow, nil},
		"what took too long is unavailable":                        {admission(policy.TimedOut(), enforce), unavailable, []string{"TIMEOUT"}},
		"what took too long is served by onUnavailable Allow":      {admission(policy.TimedOut(), policy.Spec{OnUnavailable: "Allow"}), warn, []string{"TIMEOUT"}},
		"UseLastVerified finds nothing":                            {admission(policy.TimedOut(), last), unavailable, []string{"TIMEOUT"}},
		"no name is denied although the policy's images are others": {
			admission(policy.NoName("A b"), policy.Spec{Images: []string{"registry.acme.com/**"}}), deny, []string{"NAME_INVALID"},
		},
		"no name is left alone by a policy of other namespaces": {
			admission(policy.NoName("A b"), policy.Spec{Namespaces: &policy.NamespacesSpec{Include: []string{"dev"}}}), allow, nil,
		},
		"no name is left alone by a disabled policy": {admission(policy.NoName("A b"), policy.Spec{Disabled: true}), allow, nil},
		"what is not known is unavailable":           {admission(policy.NotKnown(), enforce), unavailable, []string{"NOT_KNOWN"}},
		"what is not known is left to the pull":      {left(admission(policy.NotKnown(), enforce)), allow, []string{"NOT_KNOWN"}},
		"what only informs is left to the pull too":  {left(admission(policy.NotKnown(), inform)), allow, []string{"NOT_KNOWN"}},
		"a failure is not left to the pull":          {left(admission(policy.TimedOut(), enforce)), unavailable, []string{"TIMEOUT"}},
		"a refusal is not left to the pull":          {left(admission(policy.NotListed(), enforce)), deny, []string{"REGISTRY_NOT_LISTED"}},
		"a status that is none is unavailable":       {admission(policy.Unresolved{Reason: "X"}, enforce), unavailable, []string{"X"}},
		"Verified without bytes is unavailable":      {admission(policy.Unresolved{Status: verify.Verified, Reason: "X"}, enforce), unavailable, []string{"X"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.results.answer = func(context.Context, verify.Query) ([]verify.Result, error) {
				t.Error("results were asked for")
				return nil, errors.New("no")
			}
			d := c.decide(w)
			check(t, d)
			if d.Verdict != c.verdict || !slices.Equal(d.Reasons, c.reasons) {
				t.Errorf("got %v %v, want %v %v: %s", d.Verdict, d.Reasons, c.verdict, c.reasons, d.Message)
			}
		})
	}
}

func TestAQuestionThatContradictsItselfServesNothing(t *testing.T) {
	img := image(t, acmeAPI, "a")
	for name, c := range map[string]struct {
		u     policy.Unresolved
		image oci.Image
	}{
		"bytes that are said not to be there": {policy.NotListed(), img},
		"a name and a text that is none":      {policy.NoName("A b"), oci.Image{Reference: oci.Reference{Repository: acmeAPI}}},
		"neither a name nor a text":           {policy.NotListed(), oci.Image{}},
		"no bytes and no word of why":         {policy.Unresolved{}, oci.Image{Reference: oci.Reference{Repository: acmeAPI, Tag: "1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			request := asked
			request.Unresolved, request.PullJudges = c.u, true
			if d, err := newWorld(t).engine.Decide(t.Context(), request, c.image); err == nil || d.Verdict != unavailable {
				t.Errorf("got %v, %v", d.Verdict, err)
			}
		})
	}
}

// TestAQuestionAboutWhatIsKnownAsksNobody follows the word to each query, those
// about indexes included, and keeps artifacts from being read.
func TestAQuestionAboutWhatIsKnownAsksNobody(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", enforce)
	child := image(t, acmeAPI, "a")
	w.record(index(t, acmeAPI, child.Reference.Digest))
	request := asked
	request.KnownOnly = true
	decide := func(image oci.Image) policy.Decision {
		d, err := w.engine.Decide(t.Context(), request, image)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := decide(child); d.Verdict != deny {
		t.Errorf("an unsigned image is %v", d.Verdict)
	}
	if len(w.results.queries) != 2 {
		t.Fatalf("got %d queries, want one of the image and one of its index", len(w.results.queries))
	}
	for _, q := range w.results.queries {
		if !q.KnownOnly {
			t.Errorf("the query of %s may ask", q.Digest)
		}
	}
	contents := &blobs{content: map[oci.Digest][]byte{
		oci.SHA256([]byte("payload")): []byte("{}"), oci.SHA256([]byte("c")): []byte("{}"),
	}}
	w.engine.Artifacts = policy.NewArtifacts(contents)
	artifact := manifest(t, acmeAPI, map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
		"config": descriptor("application/vnd.oci.image.config.v1+json", oci.SHA256([]byte("c"))),
		"layers": []any{descriptor(oci.MediaTypeSimpleSigning, oci.SHA256([]byte("payload")))},
	})
	if d := decide(artifact); d.Exempt || d.Verdict != deny || contents.reads > 0 {
		t.Errorf("an artifact that would have to be read: %v, exempt %v, %d reads", d.Verdict, d.Exempt, contents.reads)
	}
}

func TestOnlyWhatIsNotKnownIsLeftToThePull(t *testing.T) {
	notKnown := verify.Result{Status: verify.Unavailable, Reason: verify.NotKnown}
	both := policy.Spec{Signers: []string{"qa-team", "release-team"}}
	for name, c := range map[string]struct {
		results  map[string]verify.Result
		policies []policy.Spec
		verdict  policy.Verdict
	}{
		"nothing is known":                          {team(notKnown), []policy.Spec{enforce}, allow},
		"one signer refuses, the other is unknown":  {map[string]verify.Result{"release-team": notKnown, "qa-team": otherKey}, []policy.Spec{both}, allow},
		"one signer fails, the other is unknown":    {map[string]verify.Result{"release-team": notKnown, "qa-team": timeout}, []policy.Spec{both}, unavailable},
		"one policy refuses, the other is unknown":  {map[string]verify.Result{"release-team": notKnown, "qa-team": otherKey}, []policy.Spec{enforce, {Signers: []string{"qa-team"}}}, deny},
		"one policy informs of a violation":         {map[string]verify.Result{"release-team": notKnown, "qa-team": otherKey}, []policy.Spec{enforce, {Signers: []string{"qa-team"}, Behavior: "Inform"}}, warn},
		"all are demanded, one is known to be bad":  {map[string]verify.Result{"release-team": notKnown, "qa-team": otherKey}, []policy.Spec{{Signers: both.Signers, Require: "All"}}, deny},
		"the other policy could not be found out":   {map[string]verify.Result{"release-team": notKnown, "qa-team": timeout}, []policy.Spec{enforce, {Signers: []string{"qa-team"}}}, unavailable},
		"the lineage says nothing, so nothing does": {team(unsigned), []policy.Spec{enforce}, deny},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			img := image(t, acmeAPI, "a")
			for integration, r := range c.results {
				w.says(acmeAPI, img.Reference.Digest, integration, r)
			}
			for i, spec := range c.policies {
				w.policy(string(rune('a'+i)), spec)
			}
			request := asked
			request.KnownOnly, request.PullJudges = true, true
			d, err := w.engine.Decide(t.Context(), request, img)
			if err != nil || d.Verdict != c.verdict {
				t.Errorf("got %v, %v, want %v: %s", d.Verdict, err, c.verdict, d.Message)
			}
			check(t, d)
		})
	}
}
