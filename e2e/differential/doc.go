// Package differential compares the product with cosign 2, cosign 3 and
// sigstore-go: recorded signatures that were changed in one place, and trusts that
// are wrong in one thing, are shown to all four. What the others all refuse the
// product must not call Verified; where it differs from one of them, the golden
// file says why.
package differential
