package upstream

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxPausedHosts bounds the hosts that are remembered for one registry: its
// redirects choose them. A registry that pushes its own pause out is asked, and
// says again what it said.
const maxPausedHosts = 64

// pause is what one host said.
type pause struct {
	until time.Time
	// step is the last pause that a 429 without Retry-After began, zero for none.
	step time.Duration
}

// pauses are the hosts of one registry (its own, token services, targets of
// redirects) that asked for fewer requests. Each pause holds for every caller
// and for that host:port alone: a content network that is busy says nothing about
// the registry. Safe for concurrent use.
type pauses struct {
	// any is the number of hosts in mind, so that the usual request, in which
	// there is none, takes no lock.
	any atomic.Int64

	// mu guards hosts.
	mu    sync.Mutex
	hosts *simplelru.LRU[string, pause]
}

func newPauses() *pauses {
	hosts, err := simplelru.NewLRU[string, pause](maxPausedHosts, nil)
	if err != nil {
		// Only a size of zero is refused.
		panic(err)
	}
	return &pauses{hosts: hosts}
}

// none reports whether no host is in mind.
func (p *pauses) none() bool { return p.any.Load() == 0 }

// left is how long host is not to be asked, zero for not at all.
func (p *pauses) left(host string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, _ := p.hosts.Peek(host)
	return max(0, known.until.Sub(now))
}

// begin pauses host for said, or, without said, for leastPause and then twice as
// long each time that a request which left behind a pause meets the same. sent
// is when the request left: a hundred answers to requests that were under way
// together are one refusal, not a hundred. begin returns what is left.
func (p *pauses) begin(host string, said time.Duration, sent, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, _ := p.hosts.Get(host)
	switch {
	case said > 0:
		known.step = 0
		known.until = later(known.until, now.Add(said))
	case sent.Before(known.until):
		known.until = later(known.until, now.Add(leastPause))
	default:
		known.step = min(max(leastPause, 2*known.step), mostPause)
		known.until = now.Add(known.step)
	}
	p.hosts.Add(host, known)
	p.any.Store(int64(p.hosts.Len()))
	return max(0, known.until.Sub(now))
}

// end forgets host, which answered a request that left at sent behind its pause.
func (p *pauses) end(host string, sent time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.hosts.Peek(host); ok && !sent.Before(known.until) {
		p.hosts.Remove(host)
		p.any.Store(int64(p.hosts.Len()))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// learn takes from an answer of host whether and how long it is not to be asked
// (429, or 503 with a Retry-After that can be read), zero for not at all.
func (p *pauses) learn(host func() string, status int, header http.Header, sent, now time.Time) time.Duration {
	said, ok := time.Duration(0), false
	switch status {
	case http.StatusTooManyRequests:
		said, _ = retryAfter(header.Values("Retry-After"), now)
		ok = true
	case http.StatusServiceUnavailable:
		said, ok = retryAfter(header.Values("Retry-After"), now)
	}
	if ok {
		return p.begin(host(), said, sent, now)
	}
	if !p.none() {
		p.end(host(), sent)
	}
	return 0
}
