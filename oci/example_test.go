package oci_test

import (
	"fmt"

	"vouchsafe/oci"
)

func ExampleParseReference() {
	for _, name := range []string{"nginx", "index.docker.io/acme/api:1.4", "Registry.Acme.com:443/app"} {
		ref, err := oci.ParseReference(name)
		fmt.Println(ref, err)
	}
	// Output:
	// docker.io/library/nginx:latest <nil>
	// docker.io/acme/api:1.4 <nil>
	// registry.acme.com/app:latest <nil>
}

func ExampleParseDigest() {
	_, err := oci.ParseDigest("sha256:../../etc/passwd")
	fmt.Println(err)
	// Output: sha256 digest has 16 digits, wanted 64
}

func ExampleParseManifest() {
	body := []byte(`{"schemaVersion":2,"layers":[],"manifests":[]}`)
	_, err := oci.ParseManifest(body, oci.MediaTypeImageIndex)
	fmt.Println(err)
	fmt.Println(oci.CodeOf(err).Status())
	// Output:
	// invalid manifest: has manifests and also layers or a config
	// 502
}

func ExampleDigest_Matches() {
	content := []byte("what a registry sent")
	digest := oci.SHA256(content)
	fmt.Println(digest.Matches(content), digest.Matches([]byte("something else")), oci.Digest{}.Matches(content))
	// Output: true false false
}
