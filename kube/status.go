package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Errors that a StatusError is one of, for [errors.Is].
var (
	// ErrNotFound is an object that does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict is an object that another writer changed or made first.
	ErrConflict = errors.New("changed by another writer")
	// ErrForbidden is what the service account may not do.
	ErrForbidden = errors.New("forbidden")
	// ErrExpired is a version of a list from which a watch cannot go on any more.
	ErrExpired = errors.New("the version is too old")
	// ErrTooLarge is an answer over its bound.
	ErrTooLarge = errors.New("the answer is too large")
)

// maxStatusText bounds what is kept of a refusal's message, in bytes.
const maxStatusText = 512

// StatusError is a refusal of the API server. It is one of the errors above
// where one fits.
type StatusError struct {
	// Method and Path are what was asked.
	Method, Path string
	// Code is the HTTP status.
	Code int
	// Message is the server's, at most 512 bytes.
	Message string
}

// Error implements error.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: the API server answers %d: %s", e.Method, e.Path, e.Code, e.Message)
}

// Unwrap returns which error it is, nil for none of those that are named.
func (e *StatusError) Unwrap() error {
	switch e.Code {
	case http.StatusNotFound:
		return ErrNotFound
	// A JSON patch whose test does not hold is answered 422.
	case http.StatusConflict, http.StatusUnprocessableEntity:
		return ErrConflict
	case http.StatusForbidden, http.StatusUnauthorized:
		return ErrForbidden
	case http.StatusGone:
		return ErrExpired
	}
	return nil
}

// status is what is read of a Status object.
type status struct {
	Message string `json:"message"`
	Code    int    `json:"code"`
}

// readStatus reads the refusal of a call.
func readStatus(one call, response *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	var s status
	if err != nil || json.Unmarshal(b, &s) != nil || s.Message == "" {
		s.Message = http.StatusText(response.StatusCode)
	}
	return &StatusError{Method: one.method, Path: one.path, Code: response.StatusCode, Message: cut(s.Message, maxStatusText)}
}

// cut returns at most limit bytes of s, ending at the end of a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xC0 == 0x80 {
		limit--
	}
	return s[:limit]
}
