package main

import (
	"math"
	"net/http"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"sync/atomic"
	"time"
)

const (
	// shedAbove is the part of GOMEMLIMIT that live memory may have before new
	// requests are turned away: above it the collector would take the processors
	// from the requests that run.
	shedAbove = 0.9
	// shedLook is how often memory is looked at, by requests as they come.
	shedLook = 250 * time.Millisecond
	// shedRetryAfter is when whoever was turned away may come again.
	shedRetryAfter = "2"
)

// shedder turns requests away while memory is short, so that those that run come
// to their end and the process lives. Without GOMEMLIMIT it does nothing. It is
// safe for concurrent use.
type shedder struct {
	// limit is in bytes.
	limit float64
	// read returns the memory that is in use, in bytes.
	read func() float64
	// shed counts one request that was turned away.
	shed func()

	next atomic.Int64 // when to look again, Unix nanoseconds
	over atomic.Bool
}

// newShedder returns nil when no limit is set.
func newShedder(shed func()) *shedder {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return nil
	}
	return &shedder{limit: float64(limit), read: memoryInUse, shed: shed}
}

// memoryInUse is what the collector found alive at its last run, and what it does
// not collect.
func memoryInUse() float64 {
	samples := []runtimemetrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/metadata/other:bytes"},
		{Name: "/memory/classes/os-stacks:bytes"},
		{Name: "/memory/classes/other:bytes"},
	}
	runtimemetrics.Read(samples)
	total := 0.0
	for _, s := range samples {
		if s.Value.Kind() == runtimemetrics.KindUint64 {
			total += float64(s.Value.Uint64())
		}
	}
	return total
}

// overloaded reports whether memory is short at this moment.
func (s *shedder) overloaded(now time.Time) bool {
	next := s.next.Load()
	if now.UnixNano() >= next && s.next.CompareAndSwap(next, now.Add(shedLook).UnixNano()) {
		s.over.Store(s.read() > shedAbove*s.limit)
	}
	return s.over.Load()
}

// handler wraps next.
func (s *shedder) handler(next http.Handler) http.Handler {
	if s == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.overloaded(time.Now()) {
			next.ServeHTTP(w, r)
			return
		}
		s.shed()
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Retry-After", shedRetryAfter)
		w.WriteHeader(http.StatusServiceUnavailable)
		if r.Method != http.MethodHead {
			// Who asked may have left; there is nobody else to tell.
			_, _ = w.Write([]byte(`{"errors":[{"code":"UNAVAILABLE","message":"the gateway is short of memory; try again"}]}`))
		}
	})
}
