package sigstore_test

import (
	"testing"

	"vouchsafe/e2e/internal/gateway"
)

// shown is what has to be shown of the one signature of an image.
type shown struct {
	// row is the image, under which document, and who signed.
	row
	// certificate, entry, proof and stamp say which parts there are; proof is the
	// entry's proof of inclusion, which a signature under a tag has not.
	certificate, entry, proof, stamp bool
	// extensions are some of what the certificate says of a workflow.
	extensions map[string]string
}

// testProofs reads what "verify -o json" says about the proofs of a signature.
func (g *gallery) testProofs(t *testing.T) {
	person := func(image string, block object) row {
		return row{image: image, spec: with(g.person(), rooted(), block), signer: developer, issuer: g.Issuers.People}
	}
	workflow := func(image string) row {
		return row{image: image, spec: with(g.workflow(), rooted(), logged()), signer: releaseWorkflow.Identity(), issuer: g.Issuers.Workflows}
	}
	run := map[string]string{
		"sourceRepositoryURI": "https://github.com/" + releaseWorkflow.Repository,
		"sourceRepositoryRef": releaseWorkflow.Ref,
		"buildSignerURI":      releaseWorkflow.Identity(),
		"buildTrigger":        releaseWorkflow.Trigger,
	}
	for _, want := range []shown{
		{row: row{image: "key logged", spec: with(keys(g.one.Public), rooted(), logged()), signer: "key-1"}, entry: true},
		{row: person("keyless", logged()), certificate: true, entry: true},
		{row: person("keyless stamped", stamped()), certificate: true, stamp: true},
		{row: person("bundle keyless v1", logged()), certificate: true, entry: true, proof: true, stamp: true},
		{row: workflow("keyless workflow"), certificate: true, entry: true, extensions: run},
		{row: workflow("bundle workflow v2"), certificate: true, entry: true, proof: true, stamp: true, extensions: run},
	} {
		t.Run(want.image, func(t *testing.T) {
			t.Parallel()
			image := g.image(t, want.image)
			said := want.checkVerify(t, gateway.Documents(t, g.documents(t, want.spec, g.root)), image)
			if len(said.Signatures) != 1 {
				t.Fatalf("verify shows %d signatures, want 1", len(said.Signatures))
			}
			want.check(t, said.Signatures[0])
		})
	}
}

func (s shown) check(t *testing.T, got signature) {
	t.Helper()
	for part, differs := range map[string]bool{
		"key":         (got.Key != nil) == s.certificate,
		"certificate": (got.Certificate != nil) != s.certificate,
		"log entry":   (got.RekorBundle != nil) != s.entry,
		"timestamps":  (len(got.Timestamps) > 0) != s.stamp,
	} {
		if differs {
			t.Errorf("verify shows the wrong %s: %+v", part, got)
		}
	}
	if c := got.Certificate; c != nil {
		if c.Identity != s.signer || c.Issuer != s.issuer || c.SCTLogID == "" || !c.NotBefore.Before(c.NotAfter) {
			t.Errorf("verify shows the certificate %+v", *c)
		}
		for name, want := range s.extensions {
			if got := c.Extensions[name]; got != want {
				t.Errorf("verify shows %s as %q, want %q", name, got, want)
			}
		}
	}
	b := got.RekorBundle
	if b == nil {
		return
	}
	if b.LogID == "" || (b.InclusionProof != nil) != s.proof {
		t.Errorf("verify shows the log entry %+v", *b)
	}
	if p := b.InclusionProof; p != nil && (p.RootHash == "" || p.Checkpoint == "" || p.TreeSize <= b.LogIndex) {
		t.Errorf("verify shows the proof of inclusion %+v", *p)
	}
}
