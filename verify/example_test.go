package verify_test

import (
	"fmt"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

const exampleKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEo/ECIq/mFp9YBHNJ9/P6M5iZUYH3
CcDeSUVTMRVi5ZSKB5V2vCRsLr6+ASh0FSfM0LuesqZYXw3CC+mKMiisEQ==
-----END PUBLIC KEY-----`

// Judging is a function of evidence, integration and time alone.
func ExampleJudge() {
	release, err := verify.NewIntegration("release-team", verify.Spec{
		PublicKeys: []verify.PublicKeySpec{{Name: "release-2026", Key: exampleKey}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	evidence := verify.Evidence{
		Repository: oci.Repository{Registry: "docker.io", Path: "acme/api"},
		Digest:     oci.SHA256([]byte("a manifest")),
		Items: []verify.Item{{
			Format:  verify.FormatSimpleSigning,
			Payload: []byte(`{"critical":{"image":{"docker-manifest-digest":"sha256:00"},"type":"cosign container image signature"}}`),
			Annotations: map[string]string{
				"dev.cosignproject.cosign/signature": "bm90IGEgc2lnbmF0dXJl",
			},
		}},
	}
	result := verify.Judge(evidence, release, time.Now())
	fmt.Println(result.Status, result.Reason)
	fmt.Println(result.Message)
	// Output:
	// Untrusted KEY_MISMATCH
	// signed by another key; wanted release-2026
}

// A mistake names the field and says what to do; a private key is never shown.
func ExampleNewIntegration() {
	_, err := verify.NewIntegration("release-team", verify.Spec{
		PublicKeys: []verify.PublicKeySpec{{
			Name: "release-2026",
			Key:  "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n…\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----",
		}},
	})
	fmt.Println(err)
	// Output:
	// spec.publicKeys[0].key: this is a private key: remove it and rotate it (paste the public key (cosign.pub))
}
