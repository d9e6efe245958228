package verify

import "time"

// Spec is the spec of a SignatureIntegration document, as far as it is built.
type Spec struct {
	// PublicKeys are cosign public keys; a signature by any one of them counts.
	PublicKeys []PublicKeySpec `json:"publicKeys,omitempty"`
}

// PublicKeySpec is one public key.
type PublicKeySpec struct {
	// Name is unique in the integration.
	Name string `json:"name"`
	// Key is PEM of type PUBLIC KEY: ECDSA P-256, P-384 or P-521, RSA of at
	// least 2048 bits, or Ed25519.
	Key string `json:"key"`
}

// Integration is a named set of keys that an operator trusts, parsed. It is
// immutable; one is built per revision, never per image.
type Integration struct{}

// NewIntegration checks and parses spec. The error joins an [oci.FieldError]
// for each mistake, with paths such as "spec.publicKeys[0].key".
func NewIntegration(name string, spec Spec) (*Integration, error) { panic("not built yet") }

// Name returns the document's name.
func (i *Integration) Name() string { panic("not built yet") }

// Revision is a hash of the name-independent canonical spec, the parsed keys
// and the verifier's version, equal in every process. Results under another
// revision are never used.
func (i *Integration) Revision() string { panic("not built yet") }

// Wants says in a few words which signers would satisfy, for messages: the
// names of the keys.
func (i *Integration) Wants() string { panic("not built yet") }

// Judge says what in makes of evidence at now. It is pure: no network, no
// clock, no environment, no state. A panic in a library is a Malformed
// signature.
func Judge(evidence Evidence, in *Integration, now time.Time) Result { panic("not built yet") }
