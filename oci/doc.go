// Package oci is the vocabulary that every other package shares: origin
// references, digests, manifests as they were fetched, media types, and the
// errors that reach the wire.
//
// Everything here is a value that describes content or a name. Nothing here
// reads a file, dials a host or knows a policy.
//
// Trust: all input is untrusted. Names come from clients, manifests from
// registries that an attacker may control. A Parse function is the only
// entrance to each type; what it returns obeys the grammar of the OCI
// distribution specification 1.1 and the limits named in this package, so that
// no later package has to look at the characters again.
//
// Limits: a manifest has at most [MaxManifestBytes] bytes and 65,536 fields,
// nests at most [MaxManifestDepth] deep and lists at most [MaxIndexManifests]
// manifests or [MaxLayers] layers.
package oci
