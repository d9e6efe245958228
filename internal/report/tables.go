package report

import (
	"slices"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// Verifications are a [Tabler]: a line for each image and integration, then,
// when wide or when nobody is trusted, a line for each signature.
type Verifications []Verification

// Tables implements [Tabler].
func (all Verifications) Tables(wide bool) []Grid {
	signatures := Grid{Head: []string{"IMAGE", "FORMAT", "SIGNATURE", "STATUS", "SIGNER", "REASON"}}
	if wide {
		signatures.Head = append(signatures.Head, wideHead...)
	}
	for _, v := range all {
		if !wide && len(v.Results) > 0 {
			continue
		}
		for _, s := range v.Signatures {
			signatures.Rows = append(signatures.Rows, s.row(v.Image, wide))
		}
		if len(v.Signatures) == 0 && len(v.Results) == 0 {
			row := []string{v.Image, "none", "", "", "", v.Message}
			signatures.Rows = append(signatures.Rows, append(row, make([]string, len(signatures.Head)-len(row))...))
		}
	}
	return []Grid{all.results(wide), signatures.without(wideHead)}
}

// results has a line for each image and integration. Columns that would be empty
// are left out: platforms, and issuers, which only certificates have.
func (all Verifications) results(wide bool) Grid {
	g := Grid{Head: []string{"IMAGE", "DIGEST", "PLATFORM", "INTEGRATION", "STATUS", "SIGNER", "ISSUER", "REASON", "MESSAGE"}}
	for _, v := range all {
		for _, r := range v.Results {
			g.Rows = append(g.Rows, []string{
				v.Image, digest(v.Digest, wide), v.Platform, r.Integration, r.Status.String(), r.Signer, r.Issuer, string(r.Reason), r.Message,
			})
		}
	}
	return g.without([]string{"PLATFORM", "ISSUER"})
}

// wideHead are the columns that a wide table has for each signature, those left
// out that are empty throughout.
var wideHead = []string{
	"FINGERPRINT", "ISSUER", "REPOSITORY", "REF", "WORKFLOW", "SIGNED AT", "LOG INDEX", "SOURCE", "MESSAGE",
}

func (s Signature) row(image string, wide bool) []string {
	e := essenceOf(s.Certificate, s.Timestamps, s.RekorBundle)
	signer, fingerprint := e.identity, ""
	if s.Key != nil {
		signer, fingerprint = s.Key.Name, s.Key.Fingerprint
	}
	// The name in a certificate is whoever's who signed: it is shown as the
	// signer only where it was the one wanted.
	if s.Key == nil && s.Status != verify.Verified.String() {
		signer = ""
	}
	row := []string{image, s.Format, digest(s.Digest, wide), s.Status, signer, string(s.Reason)}
	if wide {
		row = append(row, fingerprint, e.issuer, e.repository, e.ref, e.workflow, e.signedAt, e.logIndex, s.Source.String(), s.Message)
	}
	return row
}

func digest(d oci.Digest, wide bool) string {
	if wide {
		return d.String()
	}
	return d.Short()
}

// without returns the table without those of columns that are empty in each row.
func (g Grid) without(columns []string) Grid {
	for _, name := range columns {
		at := slices.Index(g.Head, name)
		if at < 0 || slices.ContainsFunc(g.Rows, func(row []string) bool { return row[at] != "" }) {
			continue
		}
		g.Head = slices.Delete(slices.Clone(g.Head), at, at+1)
		for i := range g.Rows {
			g.Rows[i] = slices.Delete(g.Rows[i], at, at+1)
		}
	}
	return g
}
