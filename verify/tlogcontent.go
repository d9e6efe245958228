package verify

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
)

// entryHashes are the algorithms of entries' digests, by the names of both
// generations of the log.
var entryHashes = map[string]crypto.Hash{
	"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512,
	"SHA2_256": crypto.SHA256, "SHA2_384": crypto.SHA384, "SHA2_512": crypto.SHA512,
}

// contentFor is the signature with the digest of its payload by the algorithm
// that entry has it by. Bundles bring theirs.
func (a *attempt) contentFor(entry *tlog.Entry) sgverify.SignatureContent {
	_, algorithm, ok := entry.GetHashedRekordDigest()
	hash := entryHashes[algorithm]
	if a.signed.covers != coversPayload || !ok || hash == 0 || hash == crypto.SHA256 {
		return a.signed.content
	}
	return bundle.NewMessageSignature(sumBy(hash, a.signed.payload), algorithm, a.signed.signature)
}

// coveredBy reports whether the digest in entry is that of content.
func coveredBy(entry *tlog.Entry, content sgverify.SignatureContent) bool {
	logged, algorithm, ok := entry.GetHashedRekordDigest()
	if !ok {
		payload, isEnvelope := payloadOf(content)
		sum := sha256.Sum256(payload)
		logged, ok = entry.GetDssePayloadHash()
		return isEnvelope && ok && bytes.Equal(logged, sum[:])
	}
	hash := entryHashes[algorithm]
	if hash == 0 {
		return false
	}
	if message := content.MessageSignatureContent(); message != nil {
		return entryHashes[message.DigestAlgorithm()] == hash && bytes.Equal(message.Digest(), logged)
	}
	payload, isEnvelope := payloadOf(content)
	return isEnvelope && bytes.Equal(sumBy(hash, preAuthentication(content, payload)), logged)
}

func payloadOf(content sgverify.SignatureContent) ([]byte, bool) {
	envelope := content.EnvelopeContent()
	if envelope == nil {
		return nil, false
	}
	payload, err := base64.StdEncoding.DecodeString(envelope.RawEnvelope().Payload)
	return payload, err == nil
}

// preAuthentication is what a DSSE signature is over (DSSE 1.0, "Signature
// Definition").
func preAuthentication(content sgverify.SignatureContent, payload []byte) []byte {
	kind := content.EnvelopeContent().RawEnvelope().PayloadType
	return append(fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(kind), kind, len(payload)), payload...)
}

func sumBy(hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	return h.Sum(nil)
}
