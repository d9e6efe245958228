package upstream

import (
	"net/http"
	"strings"
	"time"
)

const (
	// leastPause is the shortest pause, also for "Retry-After: 0": who says
	// "later" does not mean at once. It is what a 429 without Retry-After means.
	leastPause = time.Second
	// mostPause bounds what a registry may ask for: one word of it, or of whoever
	// stands before it, must not close it for a day.
	mostPause = 30 * time.Second
	// maxRetryAfterBytes bounds one value; the longest date has 31.
	maxRetryAfterBytes = 64
)

// retryAfter reads the values of a Retry-After header, untrusted: seconds or a
// date (RFC 9110, section 10.2.3), seconds with a fraction too, which some
// gateways send. The result is from leastPause to mostPause; of several values
// the longest counts. ok is false when none can be read.
func retryAfter(values []string, now time.Time) (pause time.Duration, ok bool) {
	for _, value := range values {
		value = strings.TrimSpace(value)
		if len(value) > maxRetryAfterBytes {
			continue
		}
		if seconds, isNumber := readSeconds(value); isNumber {
			pause, ok = max(pause, seconds), true
		} else if date, err := http.ParseTime(value); err == nil {
			pause, ok = max(pause, date.Sub(now)), true
		}
	}
	if !ok {
		return 0, false
	}
	return min(max(pause, leastPause), mostPause), true
}

// readSeconds reads a decimal number, rounded up, as a duration of at most a
// little more than mostPause; a negative one is zero.
func readSeconds(value string) (time.Duration, bool) {
	digits := strings.TrimLeft(value, "+-")
	if len(value)-len(digits) > 1 {
		return 0, false
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole == "" || strings.Trim(whole, "0123456789") != "" || strings.Trim(fraction, "0123456789") != "" {
		return 0, false
	}
	if value[0] == '-' {
		return 0, true
	}
	var seconds time.Duration
	for _, c := range whole {
		// The sum stays small however many digits there are.
		seconds = min(seconds*10+time.Duration(c-'0'), mostPause/time.Second)
	}
	if strings.Trim(fraction, "0") != "" {
		seconds++
	}
	return seconds * time.Second, true
}
