package policy

import (
	"crypto/rand"
	"time"

	"github.com/oklog/ulid/v2"
)

// NewID returns a ULID of t (ULID specification, "Canonical String
// Representation"), with entropy of crypto/rand. A time before 1970 counts as
// 1970. It is safe for concurrent use.
func NewID(t time.Time) string {
	milliseconds := min(uint64(max(0, t.UnixMilli())), ulid.MaxTime())
	return ulid.MustNew(milliseconds, rand.Reader).String()
}
