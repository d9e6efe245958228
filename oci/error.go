package oci

import (
	"errors"
	"net/http"
	"time"

	"github.com/distribution/distribution/v3/registry/api/errcode"
)

// Code classes a failure by what the client is told. It is a closed set; the
// zero value is an internal error, never a success.
type Code uint8

const (
	// CodeInternal is a bug or a cancelled request: 500.
	CodeInternal Code = iota
	// CodeNameInvalid is a malformed name in the request: 400.
	CodeNameInvalid
	// CodeTagInvalid is a malformed tag in the request: 400.
	CodeTagInvalid
	// CodeDigestInvalid is a malformed digest in the request: 400.
	CodeDigestInvalid
	// CodePageInvalid is a malformed page size in the request: 400.
	CodePageInvalid
	// CodeNotListed is a registry without a Registry document: 404.
	CodeNotListed
	// CodeNameUnknown is a repository of which the upstream said 404.
	CodeNameUnknown
	// CodeManifestUnknown is a manifest of which the upstream said 404.
	CodeManifestUnknown
	// CodeBlobUnknown is a blob of which the upstream said 404.
	CodeBlobUnknown
	// CodeUnauthorized is an upstream 401 or 403 to the gateway's own
	// credentials: 403 UNAUTHORIZED, since no credential of the client helps.
	CodeUnauthorized
	// CodeUnauthenticated is a client that did not show a token of ours, where
	// one is demanded: 401 UNAUTHORIZED, with a challenge.
	CodeUnauthenticated
	// CodeDenied is a decision against the image: 403.
	CodeDenied
	// CodeUndecided is a decision that could not be made: 503 with Retry-After.
	CodeUndecided
	// CodeUpstream is trouble at the upstream: 502.
	CodeUpstream
	// CodeManifestInvalid is a manifest that must not be read: 502.
	CodeManifestInvalid
	// CodeTimeout is an upstream that did not answer in time: 504.
	CodeTimeout
	// CodeBusy is too many requests, here or at the upstream: 429 with
	// Retry-After.
	CodeBusy
	// CodeUnsupported is a method or route that a gateway does not have: 405.
	CodeUnsupported
	// CodeRangeInvalid is a Range that the content does not have: 416.
	CodeRangeInvalid
)

// wire is the one table from class to status and to the codes of the OCI
// distribution specification 1.1 ("Error Codes").
var wire = map[Code]struct {
	name   string
	status int
	code   errcode.ErrorCode
}{
	CodeInternal:        {"internal error", http.StatusInternalServerError, errcode.ErrorCodeUnknown},
	CodeNameInvalid:     {"invalid name", http.StatusBadRequest, errcode.ErrorCodeNameInvalid},
	CodeTagInvalid:      {"invalid tag", http.StatusBadRequest, errcode.ErrorCodeTagInvalid},
	CodeDigestInvalid:   {"invalid digest", http.StatusBadRequest, errcode.ErrorCodeDigestInvalid},
	CodePageInvalid:     {"invalid page size", http.StatusBadRequest, errcode.ErrorCodePaginationNumberInvalid},
	CodeNotListed:       {"registry not listed", http.StatusNotFound, errcode.ErrorCodeNameUnknown},
	CodeNameUnknown:     {"repository unknown", http.StatusNotFound, errcode.ErrorCodeNameUnknown},
	CodeManifestUnknown: {"manifest unknown", http.StatusNotFound, errcode.ErrorCodeManifestUnknown},
	CodeBlobUnknown:     {"blob unknown", http.StatusNotFound, errcode.ErrorCodeBlobUnknown},
	CodeUnauthorized:    {"not readable by the gateway", http.StatusForbidden, errcode.ErrorCodeUnauthorized},
	CodeUnauthenticated: {"not authenticated", http.StatusUnauthorized, errcode.ErrorCodeUnauthorized},
	CodeDenied:          {"denied", http.StatusForbidden, errcode.ErrorCodeDenied},
	CodeUndecided:       {"undecided", http.StatusServiceUnavailable, errcode.ErrorCodeUnavailable},
	CodeUpstream:        {"upstream trouble", http.StatusBadGateway, errcode.ErrorCodeUnavailable},
	CodeManifestInvalid: {"manifest invalid", http.StatusBadGateway, errcode.ErrorCodeManifestInvalid},
	CodeTimeout:         {"upstream timeout", http.StatusGatewayTimeout, errcode.ErrorCodeUnavailable},
	CodeBusy:            {"too many requests", http.StatusTooManyRequests, errcode.ErrorCodeTooManyRequests},
	CodeUnsupported:     {"unsupported", http.StatusMethodNotAllowed, errcode.ErrorCodeUnsupported},
	CodeRangeInvalid:    {"range not satisfiable", http.StatusRequestedRangeNotSatisfiable, errcode.ErrorCodeRangeInvalid},
}

// String names the class for people.
func (c Code) String() string { return wire[c].name }

// Status returns the HTTP status of the class.
func (c Code) Status() int {
	if w, ok := wire[c]; ok {
		return w.status
	}
	return http.StatusInternalServerError
}

// Error is a failure with its class. Every error that leaves package upstream
// or content is one, or wraps a context error.
type Error struct {
	// Code says what the client is told.
	Code Code
	// Reason is a stable word for one kind of failure inside the class, such as
	// "duplicate_key"; may be empty.
	Reason string
	// Message is for people: lower case, one line, no secret. May be empty, then
	// the class's name stands for it.
	Message string
	// RetryAfter is when another try makes sense, for CodeBusy and
	// CodeUndecided; zero means not known.
	RetryAfter time.Duration
	// Detail is the machine-readable part of the wire error; may be nil.
	Detail any
	// Err is the cause, for logs only; may be nil.
	Err error
}

// Error returns the message with the cause.
func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = e.Code.String()
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the class of err: that of the outermost [Error] in its tree,
// else CodeInternal.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// WireErrors returns the body of the answer for err, ready for JSON (OCI
// distribution specification 1.1, "Error Codes"). The cause is left out.
func WireErrors(err error) errcode.Errors {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Code: CodeInternal, Message: "internal error"}
	}
	message := e.Message
	if message == "" {
		message = e.Code.String()
	}
	w, ok := wire[e.Code]
	if !ok {
		w = wire[CodeInternal]
	}
	return errcode.Errors{errcode.Error{Code: w.code, Message: message, Detail: e.Detail}}
}
