package proxy

import (
	"net/http"
	"strconv"
	"strings"
)

// span is one range of bytes as a client asked for it (RFC 9110, section 14.1.2).
// The zero value asks for nothing in particular: the whole.
type span struct {
	// first is the first byte, -1 for a range counted from the end.
	first int64
	// last is the last byte, -1 for all that follow; for a range counted from
	// the end, how many bytes.
	last int64
	set  bool
}

// String returns the value of a Range header, empty for the zero value.
func (s span) String() string {
	switch {
	case !s.set:
		return ""
	case s.first < 0:
		return "bytes=-" + strconv.FormatInt(s.last, 10)
	case s.last < 0:
		return "bytes=" + strconv.FormatInt(s.first, 10) + "-"
	}
	return "bytes=" + strconv.FormatInt(s.first, 10) + "-" + strconv.FormatInt(s.last, 10)
}

// requestedPart returns the part that a request asks for and whether it asks for
// one. Several ranges, other units and nonsense are the whole, as RFC 9110,
// section 14.2, allows; so is an If-Range that names something else.
func requestedPart(header http.Header, etag string) (span, bool) {
	lines := header.Values("Range")
	if len(lines) != 1 {
		return span{}, false
	}
	if condition := header.Get("If-Range"); condition != "" && condition != etag {
		return span{}, false
	}
	if part, ok := parseSpan(lines[0]); ok {
		return part, true
	}
	return span{}, false
}

func parseSpan(s string) (span, bool) {
	unit, set, found := strings.Cut(s, "=")
	if !found || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return span{}, false
	}
	first, last, found := strings.Cut(strings.TrimSpace(set), "-")
	if !found {
		return span{}, false
	}
	if first == "" {
		n, ok := parseOffset(last)
		return span{first: -1, last: n, set: true}, ok && n > 0
	}
	from, ok := parseOffset(first)
	if !ok {
		return span{}, false
	}
	if last == "" {
		return span{first: from, last: -1, set: true}, true
	}
	to, ok := parseOffset(last)
	if !ok || to < from {
		return span{}, false
	}
	return span{first: from, last: to, set: true}, true
}

// parseOffset reads digits alone: no sign, no space.
func parseOffset(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err == nil
}

// length returns how many bytes a Content-Range has, if it answers s: it begins
// where s begins and does not go beyond it.
func (s span) length(contentRange string) (int64, bool) {
	set, found := strings.CutPrefix(contentRange, "bytes ")
	if !found || !s.set {
		return 0, false
	}
	part, total, found := strings.Cut(set, "/")
	if !found {
		return 0, false
	}
	first, last, found := strings.Cut(part, "-")
	from, ok1 := parseOffset(first)
	to, ok2 := parseOffset(last)
	if !found || !ok1 || !ok2 || to < from {
		return 0, false
	}
	size, known := parseOffset(total)
	if !known && total != "*" || known && to >= size {
		return 0, false
	}
	if s.first < 0 {
		return to - from + 1, known && to == size-1 && from == max(0, size-s.last)
	}
	return to - from + 1, from == s.first && (s.last < 0 || to <= s.last)
}
