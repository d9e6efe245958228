package verify

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/sigstore/cosign/v2/pkg/oci/static"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore/pkg/signature/payload"
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

// critical is what a simple-signing payload says, without its optional part,
// which whoever signed may fill with anything of any size.
type critical struct {
	Critical payload.Critical `json:"critical"`
}

// parseSimpleSigning reads one layer of a .sig image. Its certificate, chain, log
// entry and timestamp stay text until they are wanted: cosign panics on some of
// them, and what nobody demands must not spoil a signature.
func parseSimpleSigning(item Item) (*signed, finding, bool) {
	encoded := item.Annotations[static.SignatureAnnotationKey]
	if encoded == "" {
		return nil, malformed("the layer has no signature annotation"), false
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, malformed("the signature is not base64"), false
	}
	var said critical
	if err := json.Unmarshal(item.Payload, &said); err != nil {
		return nil, malformed("the payload is not simple-signing JSON"), false
	}
	if said.Critical.Type != payload.CosignSignatureType {
		return nil, malformed("the payload's type is %.60q", said.Critical.Type), false
	}
	leafText := strings.TrimSpace(item.Annotations[static.CertificateAnnotationKey])
	return &signed{
		covers:    coversPayload,
		payload:   item.Payload,
		encoded:   encoded,
		signature: raw,
		content:   messageOf(item.Payload, raw),
		says:      said.Critical.Image.DockerManifestDigest,
		name:      said.Critical.Identity.DockerReference,
		certified: leafText != "",
		leaf:      func() (*x509.Certificate, error) { return annotatedLeaf(leafText) },
		hints: func() []*x509.Certificate {
			return parseHints(pemCertificates(item.Annotations[static.ChainAnnotationKey]))
		},
		entries: func() ([]*protorekor.TransparencyLogEntry, error) {
			return annotatedEntry(item.Annotations[static.BundleAnnotationKey])
		},
		tokens: func() ([][]byte, error) {
			return annotatedToken(item.Annotations[static.RFC3161TimestampAnnotationKey])
		},
	}, finding{}, true
}
