package verify

import (
	"fmt"
	"slices"
	"time"
)

// checkWindow holds a key's window against the proven times of signing, else
// against now.
func checkWindow(a *attempt) *miss {
	w := a.signer.key.window
	if w == (window{}) {
		return nil
	}
	if times := a.times(); len(times) > 0 {
		if slices.ContainsFunc(times, w.holds) {
			return nil
		}
		return missed(KeyExpired, "%s at %s, and that key counts %s", a.by(), stamp(times[0]), w)
	}
	if !w.holds(a.now) {
		return missed(KeyExpired, "%s, a key that counts %s; nothing proves when it was signed%s", a.by(), w, a.because())
	}
	a.endsAt = w.notAfter
	return nil
}

// because says why what was attached proves no time.
func (a *attempt) because() string {
	if len(a.doubts) == 0 {
		return ""
	}
	return " (" + a.doubts[0] + ")"
}

// String says when the window is open.
func (w window) String() string {
	switch {
	case w.notBefore.IsZero() && w.notAfter.IsZero():
		return "always"
	case w.notBefore.IsZero():
		return "until " + stamp(w.notAfter)
	case w.notAfter.IsZero():
		return "from " + stamp(w.notBefore)
	}
	return fmt.Sprintf("from %s to %s", stamp(w.notBefore), stamp(w.notAfter))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
