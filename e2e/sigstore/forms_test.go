package sigstore_test

import (
	"maps"
	"testing"

	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/sigstore"
)

// The forms in which cosign 2 and 3 sign. A stripped one has its log entry taken
// off, as it is where an entry was never attached.
var (
	tag          = sigstore.Form{Program: sigstore.Cosign2}
	tagLogged    = sigstore.Form{Program: sigstore.Cosign2, Rekor: sigstore.RekorV1}
	tagStamped   = sigstore.Form{Program: sigstore.Cosign2, Stamped: true}
	tagRecursive = sigstore.Form{Program: sigstore.Cosign2, Rekor: sigstore.RekorV1, Recursive: true}
	tagAttested  = sigstore.Form{Program: sigstore.Cosign2, Rekor: sigstore.RekorV1, Attest: true}
	tag3Logged   = sigstore.Form{Program: sigstore.Cosign3, Rekor: sigstore.RekorV1}
	bundle       = sigstore.Form{Program: sigstore.Cosign3, Bundle: true}
	bundleV1     = sigstore.Form{Program: sigstore.Cosign3, Bundle: true, Rekor: sigstore.RekorV1}
	bundleV2     = sigstore.Form{Program: sigstore.Cosign3, Bundle: true, Rekor: sigstore.RekorV2}
)

func recursive(form sigstore.Form) sigstore.Form {
	form.Recursive = true
	return form
}

func attested(form sigstore.Form) sigstore.Form {
	form.Attest = true
	return form
}

// forms are all images by their names: what is signed as it should be, and what
// somebody who may push has tampered with.
func (g *gallery) forms() map[string]signing {
	forms := map[string]signing{
		"unsigned":          func(testing.TB, origin.Image) {},
		"key":               g.by(g.one.Signatory, tag),
		"key other":         g.by(g.two.Signatory, tag),
		"key logged":        g.by(g.one.Signatory, tagLogged),
		"key other logged":  g.by(g.two.Signatory, tagLogged),
		"key stripped":      then(g.by(g.one.Signatory, tagLogged), strip),
		"key stamped":       g.by(g.one.Signatory, tagStamped),
		"two keys":          then(g.by(g.one.Signatory, tag), g.by(g.two.Signatory, tag, "-a", "env=prod")),
		"keyless":           g.byPerson(tagLogged),
		"keyless stripped":  then(g.byPerson(tagLogged), strip),
		"keyless unlogged":  g.byPerson(tag),
		"keyless workflow":  g.byWorkflow(tagLogged),
		"keyless stamped":   g.byPerson(tagStamped),
		"keyless by 3":      g.byPerson(tag3Logged),
		"own":               g.by(g.byLeaf.Signatory, tag),
		"own logged":        g.by(g.byLeaf.Signatory, tagLogged),
		"own stamped":       g.by(g.byLeaf.Signatory, tagStamped),
		"own anonymous":     g.by(g.byAnonymous.Signatory, tag),
		"own foreign":       g.by(g.byForeign.Signatory, tag),
		"own late":          g.by(g.byLate.Signatory, tag),
		"own late logged":   g.by(g.byLate.Signatory, tagLogged),
		"own brief":         g.by(g.byBrief.Signatory, tag),
		"own brief logged":  g.by(g.byBrief.Signatory, tagLogged),
		"own brief stamped": g.by(g.byBrief.Signatory, tagStamped),
		"index":             g.by(g.one.Signatory, tagRecursive),
		"index top":         g.by(g.one.Signatory, tagLogged),
		"attested":          g.by(g.one.Signatory, tagAttested),

		"bundle key":         g.by(g.one.Signatory, bundle),
		"bundle key v1":      g.by(g.one.Signatory, bundleV1),
		"bundle key v2":      g.by(g.one.Signatory, bundleV2),
		"bundle stripped":    then(g.by(g.one.Signatory, bundleV1), stripBundle),
		"bundle keyless v1":  g.byPerson(bundleV1),
		"bundle keyless v2":  g.byPerson(bundleV2),
		"bundle workflow v2": g.byWorkflow(bundleV2),
		"bundle unlogged":    then(g.byPerson(bundleV1), stripBundle),
		"bundle own v1":      g.by(g.byLeaf.Alone, bundleV1, "--trusted-root", g.ownRoot),
		"bundle own v2":      g.by(g.byLeaf.Alone, bundleV2, "--trusted-root", g.ownRoot),
		"bundle own chained": g.by(g.byLeaf.Signatory, bundleV1, "--trusted-root", g.ownRoot),
		"bundle index":       g.by(g.one.Signatory, recursive(bundleV1)),
		"bundle attested":    g.by(g.one.Signatory, attested(bundleV1)),
	}
	maps.Copy(forms, g.tampered())
	return forms
}

func strip(tb testing.TB, image origin.Image) {
	tb.Helper()
	sigstore.Annotate(tb, image, func(annotations map[string]string) { delete(annotations, sigstore.EntryAnnotation) })
}

func stripBundle(tb testing.TB, image origin.Image) {
	tb.Helper()
	sigstore.Rebundle(tb, image, func(bundle map[string]any) { delete(materialOf(tb, bundle), "tlogEntries") })
}

// tampered are images beside whose signatures something was put that belongs to
// another.
func (g *gallery) tampered() map[string]signing {
	return map[string]signing{
		"key stapled":      then(g.by(g.one.Signatory, tagLogged), g.takes("key logged", sigstore.EntryAnnotation)),
		"keyless stapled":  then(g.byPerson(tagLogged), g.takes("keyless", sigstore.EntryAnnotation)),
		"keyless lent":     then(g.byPerson(tagLogged), g.takes("keyless", sigstore.CertificateAnnotation)),
		"keyless stamp":    then(g.byPerson(tagStamped), g.takes("keyless stamped", sigstore.StampAnnotation)),
		"keyless restaple": then(g.byPerson(tag), g.takes("keyless", sigstore.EntryAnnotation)),

		"bundle stapled": then(g.byPerson(bundleV1), g.takesOf("bundle keyless v1", "tlogEntries")),
		"bundle lent":    then(g.byPerson(bundleV1), g.takesOf("bundle keyless v1", "certificate")),
		"bundle stamp":   then(g.byPerson(bundleV1), g.takesOf("bundle keyless v1", "timestampVerificationData")),
		"bundle moved":   then(g.byPerson(bundleV1), g.takesAll("bundle keyless v1")),
	}
}

// takes puts an annotation of another image's signature in the place of the
// image's own.
func (g *gallery) takes(from, annotation string) signing {
	return func(tb testing.TB, image origin.Image) {
		tb.Helper()
		other := sigstore.Annotations(tb, g.image(tb, from))[annotation]
		if other == "" {
			tb.Fatalf("the signature of %q has no %s", from, annotation)
		}
		sigstore.Annotate(tb, image, func(annotations map[string]string) { annotations[annotation] = other })
	}
}

// takesOf puts a part of the verification material of another image's bundle in
// the place of the image's own.
func (g *gallery) takesOf(from, part string) signing {
	return func(tb testing.TB, image origin.Image) {
		tb.Helper()
		other := materialOf(tb, sigstore.Bundle(tb, g.image(tb, from)))[part]
		if other == nil {
			tb.Fatalf("the bundle of %q has no %s", from, part)
		}
		sigstore.Rebundle(tb, image, func(bundle map[string]any) { materialOf(tb, bundle)[part] = other })
	}
}

// takesAll puts another image's bundle in the place of the image's own.
func (g *gallery) takesAll(from string) signing {
	return func(tb testing.TB, image origin.Image) {
		tb.Helper()
		other := sigstore.Bundle(tb, g.image(tb, from))
		sigstore.Rebundle(tb, image, func(bundle map[string]any) {
			clear(bundle)
			maps.Copy(bundle, other)
		})
	}
}

func materialOf(tb testing.TB, bundle map[string]any) map[string]any {
	tb.Helper()
	material, is := bundle["verificationMaterial"].(map[string]any)
	if !is {
		tb.Fatalf("a bundle without verification material: %v", bundle)
	}
	return material
}
