// Package nodes holds the files that "vouchsafe client-config" writes, and what
// "vouchsafe doctor node" finds, against the runtimes themselves: two containerds
// and Podman, on their own places for files, which this package replaces in a
// namespace of mounts of its own.
//
// The registries that nodes fall back to are there too, under their own names and
// with TLS, so a way round the gateway leads somewhere, and a record shows who
// asked. Like its parent the package imports nothing of the product.
package nodes
