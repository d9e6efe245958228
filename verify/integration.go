package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"vouchsafe/oci"
)

// verifierVersion is part of every revision. It is raised by any change after
// which the same evidence could be judged otherwise.
const verifierVersion = "1"

// maxKeyName bounds a key's name, which every message repeats.
const maxKeyName = 128

// Spec is the spec of a SignatureIntegration document, as far as it is built.
type Spec struct {
	// PublicKeys are cosign public keys; a signature by any one of them counts.
	PublicKeys []PublicKeySpec `json:"publicKeys,omitempty"`
}

// PublicKeySpec is one public key.
type PublicKeySpec struct {
	// Name is unique in the integration: 1 to 128 printable characters.
	Name string `json:"name"`
	// Key is PEM of type PUBLIC KEY: ECDSA P-256, P-384 or P-521, RSA of at
	// least 2048 bits, or Ed25519.
	Key string `json:"key"`
}

// Integration is a named set of keys that an operator trusts, parsed. It is
// immutable and safe for concurrent use; one is built per revision, never per
// image.
type Integration struct {
	name     string
	revision string
	wants    string
	keys     []*trustedKey
}

// NewIntegration checks and parses spec. The error joins an [oci.FieldError]
// for each mistake, with paths such as "spec.publicKeys[0].key". When all of
// them are warnings, the Integration is returned beside the error.
func NewIntegration(name string, spec Spec) (*Integration, error) {
	in := &Integration{name: name}
	var problems []error
	if len(spec.PublicKeys) == 0 {
		problems = append(problems, &oci.FieldError{
			Path:    "spec.publicKeys",
			Message: "an integration needs at least one public key",
			Hint:    "paste the text of cosign.pub",
		})
	}
	names := map[string]int{}
	prints := map[string]int{}
	for i, k := range spec.PublicKeys {
		path := fmt.Sprintf("spec.publicKeys[%d]", i)
		if problem := checkKeyName(k.Name); problem != "" {
			problems = append(problems, oci.Fieldf(path+".name", "%s", problem))
		} else if first, taken := names[k.Name]; taken {
			problems = append(problems, oci.Fieldf(path+".name", "the name %q is taken by publicKeys[%d]", k.Name, first))
		} else {
			names[k.Name] = i
		}
		parsed, problem := parsePublicKey(k.Key)
		if problem != nil {
			problem.Path = path + ".key"
			problems = append(problems, problem)
			continue
		}
		key, err := newTrustedKey(k.Name, parsed)
		if err != nil {
			problems = append(problems, oci.Fieldf(path+".key", "not usable: %v", err))
			continue
		}
		if first, taken := prints[key.Fingerprint]; taken {
			warning := oci.Fieldf(path+".key", "the same key as publicKeys[%d]", first)
			warning.Warning = true
			problems = append(problems, warning)
		} else {
			prints[key.Fingerprint] = i
		}
		in.keys = append(in.keys, key)
	}
	if slices.ContainsFunc(problems, func(err error) bool { return !isWarning(err) }) {
		return nil, errors.Join(problems...)
	}
	in.revision = in.hash()
	in.wants = in.describe()
	return in, errors.Join(problems...)
}

// Name returns the document's name.
func (i *Integration) Name() string { return i.name }

// Revision is a hash of the name-independent canonical spec, the parsed keys
// and the verifier's version, equal in every process. Results under another
// revision are never used.
func (i *Integration) Revision() string { return i.revision }

// Wants says in a few words which signers would satisfy, for messages: the
// names of the keys, of which it lists the first few.
func (i *Integration) Wants() string { return i.wants }

// describe keeps to one short line: at least one name, at most five.
func (i *Integration) describe() string {
	const mostNames, mostBytes = 5, 200
	var text strings.Builder
	for n, k := range i.keys {
		if n == mostNames || n > 0 && text.Len()+len(k.Name) > mostBytes {
			fmt.Fprintf(&text, " and %d more", len(i.keys)-n)
			break
		}
		if n > 0 {
			text.WriteString(", ")
		}
		text.WriteString(k.Name)
	}
	return text.String()
}

// hash does not depend on the order of the keys, nor on how their PEM was laid
// out. Each part carries its length, so that no two lists of parts read alike.
func (i *Integration) hash() string {
	parts := []string{}
	for _, k := range i.keys {
		parts = append(parts, k.Name+"\x00"+k.Fingerprint)
	}
	slices.Sort(parts)
	h := sha256.New()
	for _, part := range append([]string{"vouchsafe integration", verifierVersion}, parts...) {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part)))
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func checkKeyName(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "a key needs a name"
	case len(name) > maxKeyName:
		return fmt.Sprintf("the name is longer than %d characters", maxKeyName)
	case name != strings.TrimSpace(name), strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Sprintf("%q: a name is printable and neither begins nor ends with a space", name)
	}
	return ""
}

func isWarning(err error) bool {
	field, ok := errors.AsType[*oci.FieldError](err)
	return ok && field.Warning
}
