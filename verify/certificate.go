package verify

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// Certificate is what a certificate says whose chain was verified.
type Certificate struct {
	// Identity is the name that was wanted, else the first that it has.
	Identity string `json:"identity"`
	Issuer   string `json:"issuer,omitempty"`
	// Extensions are Fulcio's, by their names there, such as
	// "sourceRepositoryURI".
	Extensions map[string]string `json:"extensions,omitempty"`
	NotBefore  time.Time         `json:"notBefore"`
	NotAfter   time.Time         `json:"notAfter"`
	// SCTLogID is the certificate log, in hexadecimal, whose timestamp was
	// demanded and verified.
	SCTLogID string `json:"sctLogID,omitempty"` //nolint:tagliatelle // the contract's name
}

// Timestamp is a verified RFC 3161 token over a signature.
type Timestamp struct {
	Time time.Time `json:"time"`
	// Authority is the authority's address, else the name in its certificate.
	Authority string `json:"authority,omitempty"`
}

// RekorBundle is a verified log entry.
type RekorBundle struct {
	// LogID is in hexadecimal.
	LogID    string `json:"logID"` //nolint:tagliatelle // the contract's name
	LogIndex int64  `json:"logIndex"`
	// IntegratedTime is in seconds since 1970, as the log has it; zero when the
	// log did not sign it.
	IntegratedTime int64           `json:"integratedTime,omitempty"`
	InclusionProof *InclusionProof `json:"inclusionProof,omitempty"`
}

// InclusionProof leads from an entry to a signed tree head. Hashes are in
// hexadecimal; size and root hash are the checkpoint's.
type InclusionProof struct {
	RootHash   string   `json:"rootHash"`
	TreeSize   int64    `json:"treeSize"`
	Hashes     []string `json:"hashes"`
	Checkpoint string   `json:"checkpoint"`
}

// extensionNames are Fulcio's extensions by the last number of their identifier.
// Those up to 6 are bare text, the others DER strings.
var extensionNames = map[int]string{
	2:  "githubWorkflowTrigger",
	3:  "githubWorkflowSHA",
	4:  "githubWorkflowName",
	5:  "githubWorkflowRepository",
	6:  "githubWorkflowRef",
	9:  "buildSignerURI",
	10: "buildSignerDigest",
	11: "runnerEnvironment",
	12: "sourceRepositoryURI",
	13: "sourceRepositoryDigest",
	14: "sourceRepositoryRef",
	15: "sourceRepositoryIdentifier",
	16: "sourceRepositoryOwnerURI",
	17: "sourceRepositoryOwnerIdentifier",
	18: "buildConfigURI",
	19: "buildConfigDigest",
	20: "buildTrigger",
	21: "runInvocationURI",
	22: "sourceRepositoryVisibilityAtSigning",
	23: "deploymentEnvironment",
	24: "subject",
}

// maxExtension bounds what is kept of one extension.
const maxExtension = 1024

// describeCertificate says what leaf holds; its chain has been verified.
func describeCertificate(leaf *x509.Certificate) *Certificate {
	known := &Certificate{NotBefore: leaf.NotBefore.UTC(), NotAfter: leaf.NotAfter.UTC()}
	if names := identities(leaf); len(names) > 0 {
		known.Identity = names[0]
	}
	known.Issuer, _ = issuerOf(leaf)
	for _, extension := range leaf.Extensions {
		if len(extension.Id) != len(fulcioArc)+1 || !slices.Equal(extension.Id[:len(fulcioArc)], fulcioArc) {
			continue
		}
		number := extension.Id[len(fulcioArc)]
		name, text := extensionNames[number], string(extension.Value)
		if number > 6 {
			if rest, err := asn1.Unmarshal(extension.Value, &text); err != nil || len(rest) > 0 {
				continue
			}
		}
		if name == "" || len(text) > maxExtension {
			continue
		}
		if known.Extensions == nil {
			known.Extensions = map[string]string{}
		}
		known.Extensions[name] = text
	}
	return known
}

// authorityName is how a timestamp authority is called.
func authorityName(authority root.TimestampingAuthority) string {
	known, ok := authority.(*root.SigstoreTimestampingAuthority)
	switch {
	case !ok:
		return ""
	case known.URI != "":
		return known.URI
	case known.Leaf != nil && known.Leaf.Subject.CommonName != "":
		return known.Leaf.Subject.CommonName
	case known.Root != nil:
		return known.Root.Subject.CommonName
	}
	return ""
}
