package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	runtimemetrics "runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// shedAbove is the part of GOMEMLIMIT that live memory may have before new
	// requests are turned away: above it the collector would take the processors
	// from the requests that run.
	shedAbove = 0.9
	// relieveAbove is the part above which caches give back what they can spare,
	// before anybody is turned away.
	relieveAbove = 0.8
	// relieveEvery is how often they are asked to at most.
	relieveEvery = 5 * time.Second
	// shedLook is how often memory is looked at, by requests as they come.
	shedLook = 250 * time.Millisecond
	// shedSay is how often the log says at most that memory is short.
	shedSay = 10 * time.Second
	// shedRetryAfter is when whoever was turned away may come again.
	shedRetryAfter = "2"
)

// shedder turns requests away while memory is short, so that those that run come
// to their end and the process lives, and makes memory free again. A nil shedder
// does nothing. It is safe for concurrent use.
type shedder struct {
	// limit is in bytes.
	limit float64
	// read returns the memory that is in use, in bytes, as the collector last
	// found it.
	read func() float64
	// shed counts one request that was turned away.
	shed func()
	// release lets go of what can be had again, collect makes it free.
	release, collect func()
	log              *slog.Logger

	next atomic.Int64 // when to look again, Unix nanoseconds
	over atomic.Bool
	// short has a value when memory is to be made free.
	short chan struct{}

	mu sync.Mutex // guards what follows
	// said is true from the line that says that memory is short to the one that
	// says that it is not; began is when the last such time began.
	said  bool
	began time.Time
	// away counts those turned away since the last line that told of them.
	away atomic.Int64
}

// newShedder returns nil when no limit is set.
func newShedder(shed, release func(), log *slog.Logger) *shedder {
	limit := memoryLimit()
	if limit == math.MaxInt64 {
		return nil
	}
	return &shedder{
		limit: float64(limit), read: memoryInUse, shed: shed,
		release: release, collect: runtime.GC, log: log, short: make(chan struct{}, 1),
	}
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
func (s *shedder) overloaded(ctx context.Context, now time.Time) bool {
	next := s.next.Load()
	if now.UnixNano() >= next && s.next.CompareAndSwap(next, now.Add(shedLook).UnixNano()) {
		s.look(ctx, now)
	}
	return s.over.Load()
}

// look looks at memory, and has it made free where it is nearly short.
func (s *shedder) look(ctx context.Context, now time.Time) {
	inUse := s.read()
	over := inUse > shedAbove*s.limit
	s.over.Store(over)
	if inUse > relieveAbove*s.limit {
		select {
		case s.short <- struct{}{}:
		default: // it was asked for already
		}
	}
	s.say(ctx, now, over, inUse)
}

// say tells the log when memory became short and when it was free again. A time
// that is short of memory again within shedSay is left out, unless it lasts.
func (s *shedder) say(ctx context.Context, now time.Time, over bool, inUse float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case over && !s.said && now.Sub(s.began) >= shedSay:
		s.said, s.began = true, now
		s.log.WarnContext(ctx, "memory is short: new requests are answered 503", "inUse", mebibytes(inUse), "limit", mebibytes(s.limit))
	case !over && s.said:
		s.said = false
		s.log.InfoContext(ctx, "memory is free again", "inUse", mebibytes(inUse), "limit", mebibytes(s.limit),
			"refused", s.away.Swap(0), "durationMs", now.Sub(s.began).Milliseconds())
	}
}

// follow makes memory free when it is short, until ctx ends. While requests are
// turned away it looks by itself: with nobody left to allocate anything the
// collector would not run, and what it found last would stand for minutes.
func (s *shedder) follow(ctx context.Context) {
	if s == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.short:
		}
		s.release()
		s.collect()
		s.look(ctx, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-time.After(relieveEvery):
		}
		if s.over.Load() {
			s.look(ctx, time.Now())
		}
	}
}

// problem says that memory is short.
func (s *shedder) problem() error {
	if s == nil || !s.overloaded(context.Background(), time.Now()) {
		return nil
	}
	return fmt.Errorf("short: %s of GOMEMLIMIT's %s are in use, new requests are answered 503", mebibytes(s.read()), mebibytes(s.limit))
}

// handler wraps next.
func (s *shedder) handler(next http.Handler) http.Handler {
	if s == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.overloaded(r.Context(), time.Now()) {
			next.ServeHTTP(w, r)
			return
		}
		s.shed()
		s.away.Add(1)
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
