// Package clients holds the programs that people pull with against what can
// become of a pull: crane, Skopeo, Podman and two containerds, each with an
// image, an index and an image of Docker's second schema, each of which is
// allowed, refused, out of reach, or cut in the middle of a layer. What a person
// sees is kept in testdata, one file for each program; UPDATE=1 writes them anew.
//
// The container image of the product is run and pulled here too. Like its parent
// the package imports nothing of the product and, as root, works in a network
// namespace that has a loopback device and nothing else.
package clients
