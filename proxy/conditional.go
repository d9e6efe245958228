package proxy

import (
	"net/http"
	"strings"
)

// notModified reports whether the client already has what etag names (RFC 9110,
// section 13.1.2). It is asked only after a decision has passed.
func notModified(r *http.Request, etag string) bool {
	for _, line := range r.Header.Values("If-None-Match") {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}
