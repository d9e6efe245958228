package content

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"vouchsafe/oci"
)

// joinPart makes a reader of a part whose beginning is in memory. It returns nil
// for any other part, and for a range that it does not understand.
func (b *Blobs) joinPart(ctx context.Context, at place, byteRange string) *oci.Blob {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.streams[at]
	if s == nil || !s.open || s.size < 0 {
		return nil
	}
	first, end, ok := parsePart(byteRange, s.size)
	if !ok || first < s.start || first >= s.given {
		return nil
	}
	return &oci.Blob{
		Body: b.enter(ctx, s, first, end),
		Size: end - first, ContentRange: fmt.Sprintf("bytes %d-%d/%d", first, end-1, s.size),
	}
}

// parsePart reads one range of a Range header (RFC 9110, section 14.1.2) as the
// bytes from first up to end of a blob of size bytes. A range that is outside of
// the blob is not ok: the upstream says what follows from that.
func parsePart(byteRange string, size int64) (first, end int64, ok bool) {
	set, found := strings.CutPrefix(byteRange, "bytes=")
	from, to, dash := strings.Cut(set, "-")
	if !found || !dash || from == "" && to == "" {
		return 0, 0, false
	}
	last, ok := position(to, size-1)
	if !ok {
		return 0, 0, false
	}
	if from == "" {
		first = max(0, size-last)
		return first, size, first < size
	}
	first, ok = position(from, 0)
	end = min(size-1, last) + 1
	return first, end, ok && first <= last && first < size
}

// position reads digits alone; nothing is otherwise.
func position(s string, otherwise int64) (int64, bool) {
	if s == "" {
		return otherwise, true
	}
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err == nil
}
