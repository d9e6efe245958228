package policy_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

func TestBlobs(t *testing.T) {
	shared := oci.SHA256([]byte("layer a"))
	for name, test := range map[string]struct {
		spec    policy.Spec
		none    policy.Verdict
		prepare func(w *world)
		want    policy.Verdict
	}{
		"nothing is known of the blob": {policy.Spec{}, allow, func(*world) {}, allow},
		"its only manifest is denied": {policy.Spec{}, allow, func(w *world) {
			w.record(image(t, acmeAPI, "a"))
		}, deny},
		"its only manifest is verified": {policy.Spec{}, allow, func(w *world) {
			img := image(t, acmeAPI, "a")
			w.record(img)
			w.says(acmeAPI, img.Reference.Digest, "release-team", verified)
		}, allow},
		"its only manifest could not be verified": {policy.Spec{}, allow, func(w *world) {
			img := image(t, acmeAPI, "a")
			w.record(img)
			w.says(acmeAPI, img.Reference.Digest, "release-team", timeout)
		}, allow},
		"one of two manifests is verified": {policy.Spec{}, allow, func(w *world) {
			signed := manifest(t, acmeAPI, map[string]any{
				"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
				"config": descriptor("application/vnd.oci.image.config.v1+json", oci.SHA256([]byte("signed"))),
				"layers": []any{descriptor("application/vnd.oci.image.layer.v1.tar+gzip", shared)},
			})
			w.record(signed, image(t, acmeAPI, "a"))
			w.says(acmeAPI, signed.Reference.Digest, "release-team", verified)
		}, allow},
		"its manifest inherits from a verified index": {policy.Spec{}, allow, func(w *world) {
			img := image(t, acmeAPI, "a")
			parent := index(t, acmeAPI, img.Reference.Digest)
			w.record(img, parent)
			w.says(acmeAPI, parent.Reference.Digest, "release-team", verified)
		}, allow},
		"a denied manifest of another repository lists it": {policy.Spec{}, allow, func(w *world) {
			w.record(image(t, otherRepository, "a"))
		}, allow},
		"the policy only informs": {policy.Spec{Behavior: "Inform"}, allow, func(w *world) {
			w.record(image(t, acmeAPI, "a"))
		}, allow},
		"the policy is disabled": {policy.Spec{Disabled: true}, allow, func(w *world) {
			w.record(image(t, acmeAPI, "a"))
		}, allow},
		"no policy matches": {policy.Spec{Images: []string{"registry.acme.com/**"}}, allow, func(w *world) {
			w.record(image(t, acmeAPI, "a"))
		}, allow},
		"no policy matches and such images are denied": {policy.Spec{Images: []string{"registry.acme.com/**"}}, deny, func(w *world) {
			w.record(image(t, acmeAPI, "a"))
		}, deny},
		"the lineage cannot be read": {policy.Spec{}, allow, func(w *world) {
			w.engine.Lineage = brokenLineage{Lineage: w.lineage, listing: true}
		}, unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy("prod-signed", test.spec)
			w.rules.WhenNoPolicy = test.none
			test.prepare(w)
			var observed int
			w.engine.Observe = func(string, policy.Behavior, policy.Verdict) { observed++ }
			d := w.decideBlob(acmeAPI, shared)
			check(t, d)
			if d.Verdict != test.want {
				t.Errorf("got %v, want %v: %s", d.Verdict, test.want, d.Message)
			}
			if d.Image.Digest != shared || d.Image.Repository != acmeAPI {
				t.Errorf("the decision is about %s", d.Image)
			}
			if test.want == allow && observed > 0 {
				t.Error("a served blob counts as a decision")
			}
		})
	}
}

// Only a manifest that is served vouches for a blob, or that nothing is enforced.
func TestWhatVouchesForABlob(t *testing.T) {
	shared := oci.SHA256([]byte("layer a"))
	other := func(t *testing.T, seed string) oci.Image {
		return manifest(t, acmeAPI, map[string]any{
			"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
			"config": descriptor("application/vnd.oci.image.config.v1+json", oci.SHA256([]byte(seed))),
			"layers": []any{descriptor("application/vnd.oci.image.layer.v1.tar+gzip", shared)},
		})
	}
	for name, test := range map[string]struct {
		spec policy.Spec
		// listed are the results of the manifests that list the blob, the one that
		// was recorded first in front; empty is an unsigned one.
		listed []string
		want   bool
	}{
		"no manifest is known":                                 {want: false},
		"a verified manifest":                                  {listed: []string{"verified"}, want: true},
		"a denied manifest":                                    {listed: []string{""}, want: false},
		"a manifest that could not be verified":                {listed: []string{"timeout"}, want: false},
		"one of which nothing is known, and a verified one":    {listed: []string{"verified", "timeout"}, want: true},
		"one of which nothing is known, and a denied one":      {listed: []string{"", "timeout"}, want: false},
		"a denied and a verified manifest":                     {listed: []string{"", "verified"}, want: true},
		"a denied one and one that could not be verified":      {listed: []string{"timeout", ""}, want: false},
		"one that is served although it could not be verified": {spec: policy.Spec{OnUnavailable: "Allow"}, listed: []string{"timeout"}, want: true},
		"a policy that only informs":                           {spec: policy.Spec{Behavior: "Inform"}, want: true},
		"no policy that matches":                               {spec: policy.Spec{Images: []string{"registry.acme.com/**"}}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy("prod-signed", test.spec)
			for i, says := range test.listed {
				img := other(t, string(rune('a'+i)))
				w.record(img)
				switch says {
				case "verified":
					w.says(acmeAPI, img.Reference.Digest, "release-team", verified)
				case "timeout":
					w.says(acmeAPI, img.Reference.Digest, "release-team", timeout)
				}
			}
			if d := w.decideBlob(acmeAPI, shared); d.Vouched != test.want || d.Vouched && !d.Verdict.Served() {
				t.Errorf("got %t with %v, want %t: %s", d.Vouched, d.Verdict, test.want, d.Message)
			}
		})
	}
}

// A blob that is served anyway waits a moment for what vouches for it, no longer.
func TestABlobWaitsOnlyAMomentForWhatVouchesForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy("prod-signed", policy.Spec{})
		blob := oci.SHA256([]byte("layer a"))
		w.record(image(t, acmeAPI, "a"), manifest(t, acmeAPI, map[string]any{
			"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
			"config": descriptor("application/vnd.oci.image.config.v1+json", blob), "layers": []any{},
		}))
		asked := 0
		w.results.answer = func(ctx context.Context, q verify.Query) ([]verify.Result, error) {
			if asked++; asked > 1 {
				<-ctx.Done() // a registry that hangs
				return nil, ctx.Err()
			}
			r := timeout
			r.Integration = q.Needed[0].Name()
			return []verify.Result{r}, nil
		}
		start := time.Now()
		d := w.decideBlob(acmeAPI, blob)
		if took := time.Since(start); d.Verdict != allow || d.Vouched || asked != 2 || took != time.Second {
			t.Errorf("got %v (vouched %t) with %d questions after %s", d.Verdict, d.Vouched, asked, took)
		}
	})
}

func TestBlobIsServedAtTheFirstManifestThatIsNotDenied(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	signed := image(t, acmeAPI, "a")
	w.record(signed)
	w.says(acmeAPI, signed.Reference.Digest, "release-team", verified)
	w.decideBlob(acmeAPI, signed.Manifest.Layers[0].Digest)
	if len(w.results.queries) != 1 {
		t.Errorf("got %d queries, want 1", len(w.results.queries))
	}
}

func TestBlobFailuresAreNeverServed(t *testing.T) {
	img := image(t, acmeAPI, "a")
	blob := img.Manifest.Layers[0].Digest
	for name, test := range map[string]struct {
		blob   oci.Digest
		answer func(context.Context, verify.Query) ([]verify.Result, error)
	}{
		"no digest":           {oci.Digest{}, nil},
		"verification panics": {blob, func(context.Context, verify.Query) ([]verify.Result, error) { panic("boom") }},
		"the client left":     {blob, func(context.Context, verify.Query) ([]verify.Result, error) { return nil, context.Canceled }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy("prod-signed", policy.Spec{})
			w.record(img)
			w.results.answer = test.answer
			d, err := w.engine.DecideBlob(t.Context(), pull(oci.Reference{Repository: acmeAPI}), test.blob)
			if err == nil || d.Verdict.Served() {
				t.Errorf("got %v, %v", d.Verdict, err)
			}
		})
	}
}

func TestRefusedBlobNamesItsManifestAndTheReasons(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	img := image(t, acmeAPI, "a")
	w.record(img)
	d := w.decideBlob(acmeAPI, img.Manifest.Config.Digest)
	if !strings.Contains(d.Message, img.Reference.Digest.String()) || !slices.Equal(d.Reasons, []string{"UNSIGNED"}) || !d.Enforced() {
		t.Errorf("got %+v", d)
	}
}
