package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"vouchsafe/oci"
)

// Words in [oci.Error.Reason] of this package, beside those that package oci
// names. They are stable.
const (
	reasonAddress   = "address_refused"
	reasonConnect   = "connect"
	reasonHeader    = "header"
	reasonTooMuch   = "header_too_large"
	reasonIdle      = "idle"
	reasonTotal     = "total"
	reasonCut       = "interrupted"
	reasonStatus    = "status"
	reasonRealm     = "token_realm"
	reasonToken     = "token"
	reasonRedirect  = "redirect"
	reasonLink      = "link"
	reasonEncoding  = "content_encoding"
	reasonTooLarge  = "too_large"
	reasonDigest    = "digest_mismatch"
	reasonRange     = "range"
	reasonAnswer    = "bad_answer"
	reasonMemory    = "memory"
	reasonPaused    = "paused"
	reasonSlow      = "slow"
	reasonProxy     = "egress_proxy"
	reasonResolve   = "resolve"
	maxErrorBody    = 16 << 10
	notReadable     = "no such repository, or not readable by the gateway"
	codeNameUnknown = "NAME_UNKNOWN"
)

// These are why a request of ours was ended by ourselves.
var (
	errIdle   = errors.New("no byte arrived within the idle timeout")
	errTotal  = errors.New("the whole answer took too long")
	errHeader = errors.New("no answer came through the egress proxy in time")
)

// trouble is an error of CodeUpstream about what.
func trouble(reason, what, format string, args ...any) *oci.Error {
	return &oci.Error{Code: oci.CodeUpstream, Reason: reason, Message: what + ": " + fmt.Sprintf(format, args...)}
}

// transportFailure classes an error of a request, or of reading its answer.
// caller is the context of whoever asked: its end is wrapped, since it says
// nothing about the upstream; running is the request's own, whose cause tells
// which of our limits ended it.
func transportFailure(caller, running context.Context, what, reason string, err error) error {
	if callerErr := caller.Err(); callerErr != nil {
		return fmt.Errorf("%s: %w", what, callerErr)
	}
	e := trouble(reason, what, "no connection to the registry")
	e.Err = err
	switch reason {
	case reasonHeader:
		e.Message = what + ": the registry did not answer"
	case reasonCut:
		e.Message = what + ": the answer broke off"
	}
	cause := context.Cause(running)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(cause, errIdle):
		e.Code, e.Reason, e.Message = oci.CodeTimeout, reasonIdle, what+": the answer stalled"
	case errors.Is(cause, errHeader):
		e.Code, e.Reason, e.Message = oci.CodeTimeout, reasonHeader, what+": the registry did not answer in time"
	case errors.Is(cause, errTotal), errors.Is(cause, context.DeadlineExceeded):
		e.Code, e.Reason, e.Message = oci.CodeTimeout, reasonTotal, what+": the answer took too long"
	case refusal(e, what, err):
	case headerTooLarge(err):
		e.Reason = reasonTooMuch
		e.Message = fmt.Sprintf("%s: the header of the registry's answer has more than %d bytes", what, maxHeaderBytes)
	case isNet && timeout.Timeout():
		e.Code, e.Message = oci.CodeTimeout, what+": the registry did not answer in time"
	case reason == reasonHeader && !lost(err):
		e.Reason, e.Message = reasonAnswer, what+": the registry's answer is no HTTP that can be read"
	}
	return e
}

// refusal fills e when err is one of our own refusals, or the egress proxy's.
func refusal(e *oci.Error, what string, err error) bool {
	if refused, ok := errors.AsType[*addressError](err); ok {
		e.Reason = reasonAddress
		e.Message = fmt.Sprintf("%s: the address of %.200q is %s", what, refused.target, refused.class)
		if refused.class == classPrivate {
			e.Message += "; its Registry document does not allow that (allowPrivateAddresses, tokenHosts, redirectHosts)"
		}
		return true
	}
	if unresolved, ok := errors.AsType[*unresolvedError](err); ok {
		e.Reason = reasonResolve
		e.Message = fmt.Sprintf("%s: %.200q cannot be resolved here, which is needed before the egress proxy is asked; hosts in NO_PROXY are asked directly", what, unresolved.target)
		return true
	}
	if proxy, ok := errors.AsType[*proxyError](err); ok {
		e.Reason = reasonProxy
		e.Message = fmt.Sprintf("%s: the egress proxy answered %d", what, proxy.status)
		return true
	}
	return false
}

// headerTooLarge reports whether err is net/http's refusal of a header over
// maxHeaderBytes, by HTTP/1.1 and HTTP/2. It has no type; a test holds the words.
// HTTP/2 says so only of a header that is short on the wire, since compressed; of
// others it says protocol error, which may be anything and stays reasonHeader.
func headerTooLarge(err error) bool {
	text := err.Error()
	return strings.Contains(text, "server response headers exceeded") ||
		strings.Contains(text, "response header list larger than advertised limit")
}

// statusFailure turns an answer that is no success into an error, and ends it.
// gone is the class of a 404; with CodeUpstream that says nothing in particular.
func statusFailure(what string, gone oci.Code, a *answer) error {
	defer a.drain()
	e := &oci.Error{Code: oci.CodeUpstream, Reason: reasonStatus, Message: fmt.Sprintf("%s: the registry answered %d", what, a.status)}
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Code, e.Reason, e.Message = oci.CodeUnauthorized, "", notReadable
		e.Err = fmt.Errorf("%s: status %d", what, a.status)
	case http.StatusNotFound:
		if gone == oci.CodeUpstream {
			return e
		}
		e.Code, e.Reason, e.Message = gone, "", what+": the registry does not have it"
		// Only manifests are told apart: of a blob the repository is known.
		if e.Code == oci.CodeManifestUnknown && a.says(codeNameUnknown) {
			e.Code = oci.CodeNameUnknown
		}
	case http.StatusTooManyRequests:
		return later429(what, a.later)
	case http.StatusServiceUnavailable:
		if a.later > 0 {
			return later429(what, a.later)
		}
	}
	return e
}

// says reports whether the body is an error list with code (OCI distribution
// specification 1.1, "Error Codes").
func (a *answer) says(code string) bool {
	b, err := io.ReadAll(io.LimitReader(a.body, maxErrorBody))
	if err != nil {
		return false
	}
	var list struct {
		Errors []struct{ Code string }
	}
	if json.Unmarshal(b, &list) != nil {
		return false
	}
	for _, e := range list.Errors {
		if e.Code == code {
			return true
		}
	}
	return false
}
