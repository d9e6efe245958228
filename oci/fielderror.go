package oci

import (
	"errors"
	"fmt"
)

// FieldError is one mistake in a document, found by the package that owns the
// field. Package config maps Path to file, line and column.
type FieldError struct {
	// Path names the field inside the document, such as
	// "spec.publicKeys[0].key".
	Path string
	// Message says what is wrong, in lower case, without the path. It never
	// contains a secret.
	Message string
	// Hint says what to write instead; may be empty.
	Hint string
	// Warning is true for a remark that does not keep the document from loading.
	Warning bool
}

// Error returns path, message and hint in one line.
func (e *FieldError) Error() string {
	s := e.Path + ": " + e.Message
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Fieldf returns a FieldError for path with a formatted message.
func Fieldf(path, format string, args ...any) *FieldError {
	return &FieldError{Path: path, Message: fmt.Sprintf(format, args...)}
}

// FieldErrors returns every FieldError joined into err (see [errors.Join]), in
// order. An error that is not a FieldError becomes one with an empty path. It
// returns nil for a nil err.
func FieldErrors(err error) []*FieldError {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*FieldError
		for _, e := range many.Unwrap() {
			all = append(all, FieldErrors(e)...)
		}
		return all
	}
	if one, ok := errors.AsType[*FieldError](err); ok {
		return []*FieldError{one}
	}
	return []*FieldError{{Message: err.Error()}}
}
