package admission

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"vouchsafe/policy"
)

// Limits of what an answer says, in bytes. The API server cuts what is longer.
const (
	maxDenial   = 2000
	maxWarning  = 256
	maxWarnings = 4000
)

// enforcement stands before each denial: whoever reads it in an event finds out
// which of the two gates it was.
const enforcement = "deploy-time enforcement: "

// denial says why a review is denied: what is refused first, then what could not be
// found out. The first message is whole, each is there once.
func denial(decisions []policy.Decision, verdict policy.Verdict) *status {
	var messages []string
	for _, wanted := range []policy.Verdict{policy.Deny, policy.Unavailable} {
		for _, d := range decisions {
			if policy.Worse(d.Verdict, policy.Allow) == wanted && !slices.Contains(messages, d.Message) {
				messages = append(messages, d.Message)
			}
		}
	}
	s := &status{Code: http.StatusForbidden, Reason: "Forbidden", Message: enforcement + join(messages, maxDenial-len(enforcement))}
	if verdict == policy.Unavailable {
		s.Code, s.Reason = http.StatusServiceUnavailable, "ServiceUnavailable"
	}
	return s
}

// join joins messages as long as they fit; the first is there in any case.
func join(messages []string, limit int) string {
	const reserve = len("; … and 1000 more")
	var text strings.Builder
	for i, m := range messages {
		room := limit - text.Len()
		if i < len(messages)-1 {
			room -= reserve
		}
		switch {
		case i == 0:
		case len(m)+2 > room:
			fmt.Fprintf(&text, "; … and %d more", len(messages)-i)
			return text.String()
		default:
			text.WriteString("; ")
		}
		text.WriteString(m)
	}
	return text.String()
}

// warnings are what an allowed image is warned of, each once, as many as the API
// server passes on.
func warnings(decisions []policy.Decision, direct []string) []string {
	var all []string
	total, left := 0, 0
	add := func(text string) {
		text = cut(text, maxWarning)
		switch {
		case slices.Contains(all, text):
		case left > 0 || total+len(text) > maxWarnings:
			left++
		default:
			all = append(all, text)
			total += len(text)
		}
	}
	for _, d := range decisions {
		if d.Verdict == policy.Warn {
			add(d.Message)
		}
	}
	for _, text := range direct {
		add(text)
	}
	if left > 0 {
		all = append(all, fmt.Sprintf("… and %d more warnings", left))
	}
	return all
}

// cut shortens a message in the middle: what stands at its end, behind the last
// "(", is the decision's id.
func cut(text string, limit int) string {
	const mark = "… "
	if len(text) <= limit {
		return text
	}
	tail := ""
	if at := strings.LastIndex(text, "("); at > 0 && len(text)-at < limit/2 {
		tail = text[at:]
	}
	at := limit - len(mark) - len(tail)
	for at > 0 && text[at]&0xC0 == 0x80 {
		at--
	}
	return text[:at] + mark + tail
}
