package report

import (
	"vouchsafe/oci"
	"vouchsafe/verify"
)

// Bundle is what one Sigstore bundle proves of one file. It is a [Tabler].
type Bundle struct {
	// Artifact is the file or digest as it was asked for.
	Artifact string `json:"artifact"`
	// Digest is that of the file, sha256 unless another was asked for.
	Digest oci.Digest `json:"digest"`
	// PredicateType is what the statement in the bundle says of the file; empty
	// for a bare signature and for what is not verified.
	PredicateType string              `json:"predicateType,omitempty"`
	Key           *verify.Key         `json:"key,omitempty"`
	Certificate   *verify.Certificate `json:"certificate,omitempty"`
	Timestamps    []verify.Timestamp  `json:"timestamps,omitempty"`
	RekorBundle   *verify.RekorBundle `json:"rekorBundle,omitempty"`
	Status        verify.Status       `json:"status"`
	Reason        verify.Reason       `json:"reason,omitempty"`
	Message       string              `json:"message,omitempty"`
}

// NewBundle reports what was found out about one artifact.
func NewBundle(artifact string, digest oci.Digest, found verify.Artifact) Bundle {
	return Bundle{
		Artifact: artifact, Digest: digest, PredicateType: found.PredicateType,
		Key: found.Key, Certificate: found.Certificate, Timestamps: found.Timestamps, RekorBundle: found.RekorBundle,
		Status: found.Status, Reason: found.Reason, Message: found.Message,
	}
}

// Tables implements [Tabler].
func (b Bundle) Tables(wide bool) []Grid {
	e := essenceOf(b.Certificate, b.Timestamps, b.RekorBundle)
	signer, fingerprint := "", ""
	switch {
	case b.Key != nil:
		signer, fingerprint = b.Key.Name, b.Key.Fingerprint
	case b.Status == verify.Verified:
		signer = e.identity
	}
	g := Grid{
		Head: []string{"ARTIFACT", "DIGEST", "STATUS", "SIGNER", "ISSUER", "PREDICATE", "REASON", "MESSAGE"},
		Rows: [][]string{{b.Artifact, digest(b.Digest, wide), b.Status.String(), signer, e.issuer, b.PredicateType, string(b.Reason), b.Message}},
	}
	if wide {
		g.Head = append(g.Head, "FINGERPRINT", "REPOSITORY", "REF", "WORKFLOW", "SIGNED AT", "LOG INDEX")
		g.Rows[0] = append(g.Rows[0], fingerprint, e.repository, e.ref, e.workflow, e.signedAt, e.logIndex)
	}
	return []Grid{g.without([]string{"ISSUER", "PREDICATE", "FINGERPRINT", "REPOSITORY", "REF", "WORKFLOW", "SIGNED AT", "LOG INDEX"})}
}
