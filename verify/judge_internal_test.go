package verify

import (
	"crypto"
	"io"
	"testing"
	"time"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore/pkg/signature"

	"vouchsafe/oci"
)

// explosive stands for a library that cannot bear what it is given.
type explosive struct{}

func (explosive) PublicKey(...signature.PublicKeyOption) (crypto.PublicKey, error) { panic("boom") }

func (explosive) VerifySignature(_, _ io.Reader, _ ...signature.VerifyOption) error { panic("boom") }

func TestJudgePanicIsAMalformedSignature(t *testing.T) {
	in := &Integration{name: "x", trust: trust{keys: []*trustedKey{{Key: Key{Name: "k"}, verifiers: []keyVerifier{{
		signature: explosive{}, options: &cosign.CheckOpts{SigVerifier: explosive{}, IgnoreTlog: true},
	}}}}}}
	digest := oci.SHA256([]byte("image"))
	for name, claimed := range map[string]string{"of this image": digest.String(), "of another": oci.SHA256(nil).String()} {
		t.Run(name, func(t *testing.T) {
			got := Judge(Evidence{Digest: digest, Items: []Item{{
				Format:      FormatSimpleSigning,
				Payload:     []byte(`{"critical":{"image":{"docker-manifest-digest":"` + claimed + `"},"type":"cosign container image signature"}}`),
				Annotations: map[string]string{"dev.cosignproject.cosign/signature": "AAAA"},
			}}}, in, time.Now())
			if got.Status != Untrusted || got.Reason != Malformed {
				t.Errorf("got %v %q, want Untrusted MALFORMED", got.Status, got.Reason)
			}
		})
	}
}
