// Package e2e drives the real vouchsafe binary with the programs that people
// use beside it: distribution and a registry with the referrers API as
// upstreams, cosign 2 and 3 as signers, crane and containerd as clients.
//
// It is a module of its own, so that none of this reaches the product's
// dependencies, and it imports nothing of the product: what it knows is what a
// user knows. "go test ./..." builds what it needs. Run as root it works in a
// network namespace that has a loopback device and nothing else, so that
// whatever reaches for the internet fails; containerd needs root, and without
// it those tests are skipped with that reason.
package e2e
