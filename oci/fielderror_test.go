package oci_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/oci"
)

func TestFieldErrorIsOneLine(t *testing.T) {
	err := oci.Fieldf("spec.images[0]", "%q has no registry", "acme/api")
	if got, want := err.Error(), `spec.images[0]: "acme/api" has no registry`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	err.Hint = "write docker.io/acme/api"
	if got, want := err.Error(), `spec.images[0]: "acme/api" has no registry (write docker.io/acme/api)`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFieldErrorsFindsAll(t *testing.T) {
	a, b, c := oci.Fieldf("a", "x"), oci.Fieldf("b", "y"), oci.Fieldf("c", "z")
	got := oci.FieldErrors(errors.Join(a, errors.Join(b, errors.New("plain")), c))
	want := []*oci.FieldError{a, b, {Message: "plain"}, c}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if got := oci.FieldErrors(nil); got != nil {
		t.Errorf("got %v for no error", got)
	}
	if got := oci.FieldErrors(a); len(got) != 1 || got[0] != a {
		t.Errorf("got %v for one error", got)
	}
}
