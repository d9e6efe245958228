package upstream

import (
	"fmt"
	"strconv"
	"strings"
)

// byteRange is one range of a Range header (RFC 9110, section 14.1.2). The zero
// value asks for the whole.
type byteRange struct {
	// first is -1 for the last n bytes, then last is n; last is -1 for "to the
	// end".
	first, last int64
	asked       bool
}

// parseRange reads a Range header with one range. Anything else, several ranges
// included, asks for the whole: a server may ignore a Range (RFC 9110, section
// 14.2), and what is not understood must not go upstream.
func parseRange(header string) byteRange {
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return byteRange{}
	}
	from, to, ok := strings.Cut(spec, "-")
	if !ok {
		return byteRange{}
	}
	r := byteRange{first: -1, last: -1, asked: true}
	var fromOK, toOK bool
	r.first, fromOK = parsePosition(from)
	r.last, toOK = parsePosition(to)
	switch {
	case !fromOK || !toOK, from == "" && to == "", from != "" && to != "" && r.last < r.first:
		return byteRange{}
	}
	return r
}

// parsePosition reads digits alone; "" is -1.
func parsePosition(s string) (int64, bool) {
	if s == "" {
		return -1, true
	}
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err == nil
}

// String returns the header's value, "" for the whole.
func (r byteRange) String() string {
	switch {
	case !r.asked:
		return ""
	case r.first < 0:
		return fmt.Sprintf("bytes=-%d", r.last)
	case r.last < 0:
		return fmt.Sprintf("bytes=%d-", r.first)
	}
	return fmt.Sprintf("bytes=%d-%d", r.first, r.last)
}

// contentRange is what a Content-Range header says (RFC 9110, section 14.4).
type contentRange struct {
	first, last int64
	// size is the whole's, -1 for "*".
	size int64
}

// parseContentRange reads s, untrusted.
func parseContentRange(s string) (contentRange, bool) {
	spec, ok := strings.CutPrefix(s, "bytes ")
	if !ok {
		return contentRange{}, false
	}
	part, size, ok1 := strings.Cut(spec, "/")
	first, last, ok2 := strings.Cut(part, "-")
	if !ok1 || !ok2 || first == "" || last == "" || size == "" {
		return contentRange{}, false
	}
	var c contentRange
	c.first, ok1 = parsePosition(first)
	c.last, ok2 = parsePosition(last)
	c.size = -1
	ok = true
	if size != "*" {
		c.size, ok = parsePosition(size)
	}
	if !ok || !ok1 || !ok2 || c.last < c.first || c.size >= 0 && c.last >= c.size {
		return contentRange{}, false
	}
	return c, true
}

// String returns the header's value.
func (c contentRange) String() string {
	if c.size < 0 {
		return fmt.Sprintf("bytes %d-%d/*", c.first, c.last)
	}
	return fmt.Sprintf("bytes %d-%d/%d", c.first, c.last, c.size)
}

// length is how many bytes the part has.
func (c contentRange) length() int64 { return c.last - c.first + 1 }

// answers reports whether c is what r asked for. A server may give less at the
// end, never other bytes.
func (c contentRange) answers(r byteRange) bool {
	switch {
	case !r.asked:
		return false
	case r.first < 0:
		return (c.size < 0 || c.last == c.size-1) && c.length() <= r.last
	case r.last < 0:
		return c.first == r.first && (c.size < 0 || c.last == c.size-1)
	}
	return c.first == r.first && c.last <= r.last
}
