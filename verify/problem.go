package verify

import (
	"context"
	"errors"
	"fmt"

	"vouchsafe/oci"
)

// The reason words of [oci.Error] that mean "larger than anything we read".
var overLimitWords = map[string]bool{"too_large": true, "too_many": true, "too_deep": true}

// absent reports whether err is the registry's plain "there is no such thing".
func absent(err error) bool {
	switch oci.CodeOf(err) {
	case oci.CodeManifestUnknown, oci.CodeNameUnknown, oci.CodeBlobUnknown:
		return true
	default:
		return false
	}
}

// problemOf classes err, met while what was asked for. Trouble that another try
// may cure is Unavailable; what the registry definitely holds and cannot be
// read is a signature that does not verify.
func problemOf(what string, err error) Problem {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Problem{Reason: Timeout, Message: what + ": not done in time", Unavailable: true}
	}
	wire, ok := errors.AsType[*oci.Error](err)
	if !ok {
		return Problem{Reason: FetchFailed, Message: what + ": could not be read", Unavailable: true}
	}
	message := what + ": " + wire.Message
	if wire.Message == "" {
		message = what + ": " + wire.Code.String()
	}
	if overLimitWords[wire.Reason] {
		return Problem{Reason: OverLimit, Message: message}
	}
	switch wire.Code {
	case oci.CodeUnauthorized:
		return Problem{Reason: FetchUnauthorized, Message: message, Unavailable: true}
	case oci.CodeTimeout:
		return Problem{Reason: Timeout, Message: message, Unavailable: true}
	case oci.CodeNotListed:
		return Problem{Reason: RegistryNotListed, Message: message}
	case oci.CodeManifestInvalid:
		return Problem{Reason: Malformed, Message: message}
	case oci.CodeManifestUnknown, oci.CodeNameUnknown, oci.CodeBlobUnknown:
		return Problem{Reason: Malformed, Message: what + ": listed, but missing"}
	default:
		return Problem{Reason: FetchFailed, Message: message, Unavailable: true}
	}
}

func overLimit(format string, args ...any) *Problem {
	return &Problem{Reason: OverLimit, Message: fmt.Sprintf(format, args...)}
}
