// Package removed takes one check out of the product's verifier at a time and
// demands that the tests of the verifier see it. The patches, under
// verify/testdata/removed, name in their heads the tests that must fail.
package removed
