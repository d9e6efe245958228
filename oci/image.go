package oci

import "time"

// RawManifest is a manifest or index as a registry answered it, unparsed.
type RawManifest struct {
	// ContentType is the Content-Type of the answer, untrusted; empty when the
	// registry sent none.
	ContentType string
	// Bytes is the whole body, at most [MaxManifestBytes].
	Bytes []byte
}

// Image is one manifest or index together with the name by which it was asked
// for: the bytes that were fetched, the digest that was computed from them
// here, and their strict reading. One Image is hashed, judged and served; there
// is no second fetch. Values are shared between requests and must not be
// changed.
type Image struct {
	// Reference is the origin name. Tag is as asked for and may be empty;
	// Digest is always the digest of Bytes.
	Reference Reference
	// MediaType is what the bytes are, checked against Content-Type.
	MediaType string
	// Bytes is what will be served, unchanged.
	Bytes []byte
	// Manifest is the strict reading of Bytes.
	Manifest Manifest
	// Age is zero, or how long ago the tag was last resolved when the upstream
	// could not be asked now.
	Age time.Duration
}

// Referrers is the answer of a registry's referrers API for one subject
// (OCI distribution specification 1.1, "Listing Referrers").
type Referrers struct {
	// Supported is false when the registry has no referrers API. Then there are
	// no Manifests and the tag schema must be read instead.
	Supported bool
	// Manifests lists the referrers in the registry's order, each syntactically
	// valid; entries that are not are left out.
	Manifests []Descriptor
	// Truncated is true when a limit was reached before the registry's end.
	Truncated bool
}
