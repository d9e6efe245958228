package report

import (
	"context"
	"errors"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// Signature is one signature as it was found and, where somebody is trusted,
// what it proves and what came of it.
type Signature struct {
	Format string        `json:"format"`
	Digest oci.Digest    `json:"digest"`
	Source oci.Reference `json:"source"`
	// Key to RekorBundle are what was proven; see [verify.Signature].
	Key         *verify.Key         `json:"key,omitempty"`
	Certificate *verify.Certificate `json:"certificate,omitempty"`
	Timestamps  []verify.Timestamp  `json:"timestamps,omitempty"`
	RekorBundle *verify.RekorBundle `json:"rekorBundle,omitempty"`
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
// integrations judged is reported once: as Verified if it is for one of them, with
// all that those prove which verify it, else as the first integration sees it.
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
				v.Signatures[i] = judged(s).with(v.Signatures[i])
			}
		}
	}
	return v
}

func judged(s verify.Signature) Signature {
	return Signature{
		Format: s.Format.String(), Digest: s.Digest, Source: s.Source,
		Key: s.Key, Certificate: s.Certificate, Timestamps: s.Timestamps, RekorBundle: s.RekorBundle,
		Status: s.Status.String(), Reason: s.Reason, Message: s.Message,
	}
}

// with adds to a verified signature what another integration proves of it, if it
// is Verified there too: one may demand the log, the next a timestamp.
func (s Signature) with(other Signature) Signature {
	if other.Status != verify.Verified.String() {
		return s
	}
	merged := other
	if merged.Key == nil {
		merged.Key = s.Key
	}
	if merged.Certificate == nil {
		merged.Certificate = s.Certificate
	}
	if len(merged.Timestamps) == 0 {
		merged.Timestamps = s.Timestamps
	}
	if merged.RekorBundle == nil {
		merged.RekorBundle = s.RekorBundle
	}
	return merged
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
