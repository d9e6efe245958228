package admission

import (
	"errors"
	"net/http"
)

// unjudged answers a review that was not judged, whatever went wrong. Over HTTP it
// would be failurePolicy that decides, and Ignore admits: a tenant who finds an
// object that fails here would be past the gate. To mutate refuses nothing. Without
// the uid there is nothing that the API server would take for an answer, and nil is
// returned.
func (h *Handler) unjudged(path, uid string, err *httpError) []byte {
	if uid == "" || path != "/mutate" && path != "/validate" {
		return nil
	}
	text := "the review was not judged: " + err.message
	if err.status >= http.StatusInternalServerError {
		text += "; try again"
	}
	answer := response{UID: uid}
	switch {
	case path == "/mutate":
		answer.Allowed = true
	case !h.cfg.Enforces():
		answer.Allowed, answer.Warnings = true, []string{cut(text, maxWarning)}
	default:
		answer.Status = &status{Code: err.status, Reason: reasons[err.status], Message: enforcement + cut(text, maxDenial-len(enforcement))}
	}
	body, failed := encode(answer)
	if failed != nil {
		return nil
	}
	return body
}

// reasons are Kubernetes' words for the statuses of an [httpError].
var reasons = map[int]string{
	http.StatusBadRequest:            "BadRequest",
	http.StatusRequestEntityTooLarge: "RequestEntityTooLarge",
	http.StatusInternalServerError:   "InternalError",
	http.StatusServiceUnavailable:    "ServiceUnavailable",
}

// known returns err as something that may be said; what is not meant for clients is
// an internal error.
func known(err error) *httpError {
	if one, ok := errors.AsType[*httpError](err); ok {
		return one
	}
	return &httpError{status: http.StatusInternalServerError, message: "internal error"}
}
