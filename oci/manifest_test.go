package oci_test

import (
	"testing"

	"vouchsafe/oci"
)

func TestKindString(t *testing.T) {
	for kind, want := range map[oci.Kind]string{0: "invalid", oci.KindImage: "image", oci.KindIndex: "index", 9: "invalid"} {
		if got := kind.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
