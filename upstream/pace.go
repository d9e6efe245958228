package upstream

import "time"

const (
	// paceWindow and paceRate are the least that a blob must bring: 1 KiB a
	// second on average over 30 s of waiting for it. Less is a registry that drips
	// to hold what serves its readers.
	paceWindow = 30 * time.Second
	paceRate   = 1 << 10
)

// pace measures a body. Only the time in which somebody waits for the registry
// counts, so a slow reader never makes a slow registry. The zero value, with a
// window, is ready.
type pace struct {
	// window is the length of one measurement; zero means not measured.
	window time.Duration
	waited time.Duration
	got    int64
}

// kept counts n bytes that came after waiting for took, and reports false when
// a window brought less than paceRate.
func (p *pace) kept(n int, took time.Duration) bool {
	p.waited += took
	p.got += int64(n)
	if p.window == 0 || p.waited < p.window {
		return true
	}
	least := int64(p.waited.Seconds() * paceRate)
	enough := p.got >= least
	p.waited, p.got = 0, 0
	return enough
}
