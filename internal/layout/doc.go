// Package layout reads images and their signatures from a folder: an OCI image
// layout (OCI image specification 1.1, "Image Layout") as cosign, Skopeo, crane
// and ORAS write it.
//
// A [Layout] answers what a registry would be asked, so that what verifies an
// image from a registry verifies one from a folder by the same code. It knows
// signatures by the names and notes of those tools:
//
//   - an entry named sha256-<hex>.sig or sha256-<hex>, as a registry's tags are;
//   - an entry that cosign noted as the signatures of the entry before it;
//   - a manifest whose subject is the image, listed or only stored.
//
// Trust: the folder is untrusted like a registry. Each file is read within a
// limit and checked against the digest that names it. Names and notes only say
// where to look: what they lead to is judged by its content. Nothing outside the
// folder is opened, whatever links are in it, and nothing that is no regular file.
package layout
