package admission_test

import (
	"testing"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

func reference(t testing.TB, name string) oci.Reference {
	t.Helper()
	ref, err := oci.ParseReference(name)
	check(t, err)
	return ref
}

func (w *world) integration(string) (*verify.Integration, bool) {
	return w.current().Integrations[0], true
}
