package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"time"

	"github.com/go-openapi/strfmt"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/sigstore/pkg/signature"
)

// logQuestion is what a log is asked about one item.
type logQuestion struct {
	item     int
	proposed []models.ProposedEntry
}

// questions are about the signatures for which in lacks nothing but a log entry;
// none when it needs none. A stranger's signature is never asked for: whoever may
// push could have a log asked without end, and told what is pulled here.
func questions(evidence Evidence, in *Integration, now time.Time) []logQuestion {
	asked := question{repository: evidence.Repository, digest: evidence.Digest, now: now}
	var all []logQuestion
	for i, item := range unasked(evidence).Items {
		one, _, ok := read(item)
		if !ok {
			continue
		}
		if judgeSafely(one, asked, &in.trust).status == Verified {
			return nil
		}
		proposed, err := guard(func() ([]models.ProposedEntry, error) { return proposals(one, one.answer.signers) })
		if err == nil && len(proposed) > 0 {
			all = append(all, logQuestion{i, proposed})
		}
	}
	return all
}

// proposals are the entries that signing tools make of a signature by signers. A
// log finds an entry by the hash of all of it, so each form in which the signer
// may have been written is one.
func proposals(one *signed, signers []signer) ([]models.ProposedEntry, error) {
	var all []models.ProposedEntry
	seen := map[string]bool{}
	for _, by := range signers {
		for _, written := range writtenForms(one, by) {
			if seen[string(written)] || len(all) == MaxLogAnswers {
				continue
			}
			seen[string(written)] = true
			entries, err := proposal(one, by, written)
			if err != nil {
				return nil, err
			}
			all = append(all, entries...)
		}
	}
	return all, nil
}

// writtenForms are the PEMs that an entry may name the signer by: cosign writes
// the certificate when there was one, although a key would verify as well.
func writtenForms(one *signed, by signer) [][]byte {
	var forms [][]byte
	leaf := by.leaf
	if by.key != nil {
		if der, err := x509.MarshalPKIXPublicKey(by.key.public); err == nil {
			forms = append(forms, pem.EncodeToMemory(&pem.Block{Type: pemPublicKey, Bytes: der}))
		}
		if one.certified {
			// Without it the key alone is asked for.
			leaf, _ = recall(one, leafKey{}, one.leaf)
		}
	}
	if leaf != nil {
		forms = append(forms, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))
	}
	return forms
}

// proposal is one entry, or two of a statement, whose entry has the hash of the
// envelope as it was written: as the DSSE library writes it, and as sigstore-go
// does, which is cosign 3. It is nil for a signature that no kind of entry which is read
// can hold, such as plain Ed25519 over a payload.
func proposal(one *signed, by signer, written []byte) ([]models.ProposedEntry, error) {
	if one.covers == coversStatement {
		raw := one.content.EnvelopeContent().RawEnvelope()
		payload, err := raw.DecodeB64Payload()
		if err != nil {
			return nil, err
		}
		other := &protodsse.Envelope{Payload: payload, PayloadType: raw.PayloadType}
		for _, each := range raw.Signatures {
			sig, err := base64.StdEncoding.DecodeString(each.Sig)
			if err != nil {
				return nil, err
			}
			other.Signatures = append(other.Signatures, &protodsse.Signature{Sig: sig, Keyid: each.KeyID})
		}
		var all []models.ProposedEntry
		for _, form := range []any{raw, other} {
			envelope, err := json.Marshal(form)
			if err != nil {
				return nil, err
			}
			all = append(all, &models.DSSE{APIVersion: new("0.0.1"), Spec: models.DSSEV001Schema{
				ProposedContent: &models.DSSEV001SchemaProposedContent{Envelope: new(string(envelope)), Verifiers: []strfmt.Base64{written}},
			}})
		}
		return all, nil
	}
	algorithm, sum := loggedDigest(one, by.public())
	if algorithm == "" {
		return nil, nil
	}
	return []models.ProposedEntry{&models.Hashedrekord{APIVersion: new("0.0.1"), Spec: models.HashedrekordV001Schema{
		Data: &models.HashedrekordV001SchemaData{Hash: &models.HashedrekordV001SchemaDataHash{Algorithm: &algorithm, Value: new(hex.EncodeToString(sum))}},
		Signature: &models.HashedrekordV001SchemaSignature{
			Content: one.signature, PublicKey: &models.HashedrekordV001SchemaSignaturePublicKey{Content: written},
		},
	}}}, nil
}

func (s signer) public() crypto.PublicKey {
	if s.key != nil {
		return s.key.public
	}
	return s.leaf.PublicKey
}

// loggedDigest is what was hashed to be signed, with the name of the hash in
// entries; "" when no digest was signed.
func loggedDigest(one *signed, public crypto.PublicKey) (algorithm string, sum []byte) {
	if one.covers == coversDigest {
		message := one.content.MessageSignatureContent()
		return hashNames[entryHashes[message.DigestAlgorithm()]], message.Digest()
	}
	switch public.(type) {
	case *ecdsa.PublicKey, *rsa.PublicKey:
	default:
		return "", nil
	}
	for _, hash := range hashesFor(public) {
		verifier, err := signature.LoadVerifier(public, hash)
		if err == nil && one.verifies(verifier, public) {
			return hashNames[hash], sumBy(hash, one.payload)
		}
	}
	return "", nil
}

var hashNames = map[crypto.Hash]string{crypto.SHA256: "sha256", crypto.SHA384: "sha384", crypto.SHA512: "sha512"}
