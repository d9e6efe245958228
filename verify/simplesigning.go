package verify

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"vouchsafe/oci"
)

// annotationPrefixes begin the annotations that belong to a signature; what
// else a layer carries is not kept.
var annotationPrefixes = []string{"dev.cosignproject.cosign/", "dev.sigstore.cosign/"}

func signatureAnnotations(all map[string]string) map[string]string {
	kept := map[string]string{}
	for k, v := range all {
		for _, prefix := range annotationPrefixes {
			if strings.HasPrefix(k, prefix) {
				kept[k] = v
			}
		}
	}
	return kept
}

// claim is what a simple-signing payload says, without its optional part, which
// whoever signed may fill with anything of any size.
type claim struct {
	Critical payload.Critical `json:"critical"`
}

// judgeSimpleSigning verifies one layer of a .sig image. Only payload and
// signature go to cosign: certificate and log entry stay behind, since nothing
// of them is demanded and since cosign panics on some of them.
func judgeSimpleSigning(item Item, digest oci.Digest, in *Integration) finding {
	signature := item.Annotations[static.SignatureAnnotationKey]
	if signature == "" {
		return malformed("the layer has no signature annotation")
	}
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return malformed("the signature is not base64")
	}
	var said claim
	if err := json.Unmarshal(item.Payload, &said); err != nil {
		return malformed("the payload is not simple-signing JSON")
	}
	if said.Critical.Type != payload.CosignSignatureType {
		return malformed("the payload's type is %.60q", said.Critical.Type)
	}
	signed := said.Critical.Image.DockerManifestDigest
	hash, err := v1.NewHash(digest.String())
	if err != nil {
		return finding{reason: Unsupported, message: "digests of this algorithm cannot be checked"}
	}
	sig, err := static.NewSignature(item.Payload, signature)
	if err != nil {
		return malformed("the signature cannot be read")
	}
	for _, key := range in.keys {
		for _, verifier := range key.verifiers {
			if signed == digest.String() {
				if _, err := cosign.VerifyImageSignature(context.Background(), sig, hash, verifier.options); err == nil {
					return verified(key)
				}
				continue
			}
			if verifier.signature.VerifySignature(bytes.NewReader(raw), bytes.NewReader(item.Payload)) == nil {
				return otherImage(key, signed)
			}
		}
	}
	if strings.TrimSpace(item.Annotations[static.CertificateAnnotationKey]) != "" {
		return byCertificate()
	}
	return byOtherKey()
}
