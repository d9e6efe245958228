// Package sigstore signs images in every way that a whole Sigstore makes
// possible, pulls each through the real gateway under trust that is right and
// under trust that is wrong in one thing, and asks "vouchsafe verify" the same.
// The servers run on loopback, see e2e/internal/sigstore; where they are not
// built yet and cannot be, the tests fail.
package sigstore
