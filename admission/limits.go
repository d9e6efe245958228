package admission

import (
	"net/http"
	"time"
)

// Bounds of a review's time. The API server says how long it waits; the default is
// its own.
const (
	defaultTimeout = 10 * time.Second
	minTimeout     = time.Second
	maxTimeout     = 30 * time.Second
	// The margin is a tenth of the timeout, within these.
	minMargin = 300 * time.Millisecond
	maxMargin = time.Second
)

// limits are the instants of one review.
type limits struct {
	// judged is when all is judged, by what is known by then.
	judged time.Time
	// answered is when the answer is given up, should something hang that must not.
	answered time.Time
}

// limitsOf reads the timeout that the API server adds to the URL; one that cannot
// be read counts as absent.
func limitsOf(r *http.Request, begin time.Time) limits {
	timeout, err := time.ParseDuration(r.URL.Query().Get("timeout"))
	if err != nil {
		timeout = defaultTimeout
	}
	timeout = min(max(timeout, minTimeout), maxTimeout)
	margin := min(max(timeout/10, minMargin), maxMargin)
	return limits{judged: begin.Add(timeout - margin), answered: begin.Add(timeout - margin/4)}
}
