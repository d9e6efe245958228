package report

import (
	"context"
	"errors"
	"slices"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// Signature is one signature as it was found and, where somebody is trusted,
// what came of it.
type Signature struct {
	Format string        `json:"format"`
	Digest oci.Digest    `json:"digest"`
	Source oci.Reference `json:"source"`
	Key    *verify.Key   `json:"key,omitempty"`
	// Status is empty when nobody is trusted: then nothing was judged.
	Status  string        `json:"status,omitempty"`
	Reason  verify.Reason `json:"reason,omitempty"`
	Message string        `json:"message,omitempty"`
}

// Verification is the signature verification data of one image.
type Verification struct {
	// Image is the origin name as it was asked for.
	Image string `json:"image"`
	// Digest is what was judged; zero when the image could not be read.
	Digest oci.Digest `json:"digest,omitzero"`
	// Platform is "os/architecture[/variant]" as an index says it of its entry;
	// empty for an image that was asked for by name.
	Platform string `json:"platform,omitempty"`
	// Index is the index that lists the image, where that was asked for.
	Index      oci.Digest      `json:"index,omitzero"`
	Signatures []Signature     `json:"signatures"`
	Results    []verify.Result `json:"results"`
	// Message says what kept the signatures from being listed in full; may be
	// empty.
	Message string `json:"message,omitempty"`
}

// NewVerification reports the results of one image. A signature that several
// integrations judged is reported once: as Verified if it is for one of them,
// else as the first integration sees it.
func NewVerification(image oci.Reference, digest oci.Digest, results []verify.Result) Verification {
	v := Verification{Image: image.String(), Digest: digest, Signatures: []Signature{}, Results: results}
	type place struct {
		source oci.Reference
		digest oci.Digest
		nth    int
	}
	at := map[place]int{}
	for _, result := range results {
		seen := map[place]int{}
		for _, s := range result.Signatures {
			p := place{source: s.Source, digest: s.Digest}
			seen[p]++
			p.nth = seen[p]
			i, known := at[p]
			switch {
			case !known:
				at[p] = len(v.Signatures)
				v.Signatures = append(v.Signatures, judged(s))
			case s.Status == verify.Verified:
				v.Signatures[i] = judged(s)
			}
		}
	}
	return v
}

func judged(s verify.Signature) Signature {
	return Signature{
		Format: s.Format.String(), Digest: s.Digest, Source: s.Source, Key: s.Key,
		Status: s.Status.String(), Reason: s.Reason, Message: s.Message,
	}
}

// Found reports what is there without judging it, for a person who trusts
// nobody yet.
func Found(image oci.Reference, evidence verify.Evidence) Verification {
	v := Verification{
		Image: image.String(), Digest: evidence.Digest,
		Signatures: []Signature{}, Results: []verify.Result{},
	}
	for _, item := range evidence.Items {
		s := Signature{Format: item.Format.String(), Digest: item.Digest, Source: item.Source}
		if item.Problem != nil {
			s.Reason, s.Message = item.Problem.Reason, item.Problem.Message
		}
		v.Signatures = append(v.Signatures, s)
	}
	for _, problem := range evidence.Problems {
		v.Message = problem.Message
	}
	if evidence.OverLimit {
		v.Message = "more signatures are there than were read"
	}
	return v
}

// Unread reports an image that could not be read, under each integration that
// was asked. A registry that is not listed is Untrusted, all else Unavailable.
func Unread(image string, integrations []string, cause error) Verification {
	v := Verification{Image: image, Signatures: []Signature{}, Results: []verify.Result{}, Message: cause.Error()}
	status, reason := unread(cause)
	for _, name := range integrations {
		v.Results = append(v.Results, verify.Result{
			Integration: name, Status: status, Reason: reason, Message: cause.Error(),
		})
	}
	return v
}

// unread says what follows from an image that could not be read.
func unread(cause error) (verify.Status, verify.Reason) {
	switch code := oci.CodeOf(cause); {
	case code == oci.CodeNotListed:
		return verify.Untrusted, verify.RegistryNotListed
	case code == oci.CodeUnauthorized:
		return verify.Unavailable, verify.FetchUnauthorized
	case code == oci.CodeTimeout, errors.Is(cause, context.DeadlineExceeded):
		return verify.Unavailable, verify.Timeout
	}
	return verify.Unavailable, verify.FetchFailed
}

// Verifications are a [Tabler]: a line for each image and integration, then,
// when wide or when nobody is trusted, a line for each signature.
type Verifications []Verification

// Tables implements [Tabler].
func (all Verifications) Tables(wide bool) []Grid {
	results := Grid{Head: []string{"IMAGE", "DIGEST", "INTEGRATION", "STATUS", "SIGNER", "REASON", "MESSAGE"}}
	signatures := Grid{Head: []string{"IMAGE", "FORMAT", "SIGNATURE", "STATUS", "KEY", "REASON"}}
	platforms := slices.ContainsFunc(all, func(v Verification) bool { return v.Platform != "" })
	if platforms {
		results.Head = slices.Insert(results.Head, 2, "PLATFORM")
	}
	if wide {
		signatures.Head = append(signatures.Head, "FINGERPRINT", "SOURCE")
	}
	for _, v := range all {
		for _, r := range v.Results {
			row := []string{
				v.Image, digest(v.Digest, wide), r.Integration, r.Status.String(), r.Signer, string(r.Reason), r.Message,
			}
			if platforms {
				row = slices.Insert(row, 2, v.Platform)
			}
			results.Rows = append(results.Rows, row)
		}
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
	return []Grid{results, signatures}
}

func (s Signature) row(image string, wide bool) []string {
	key, fingerprint := "", ""
	if s.Key != nil {
		key, fingerprint = s.Key.Name, s.Key.Fingerprint
	}
	row := []string{image, s.Format, digest(s.Digest, wide), s.Status, key, string(s.Reason)}
	if wide {
		row = append(row, fingerprint, s.Source.String())
	}
	return row
}

func digest(d oci.Digest, wide bool) string {
	if wide {
		return d.String()
	}
	return d.Short()
}
