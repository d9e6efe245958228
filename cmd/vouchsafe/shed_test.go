package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// scarce is memory whose use a test sets.
type scarce struct {
	shedder *shedder
	log     bytes.Buffer

	mu sync.Mutex // guards what follows
	// inUse is what is alive, found what the collector found of it last.
	inUse, found, spare  float64
	looks, turned, freed int
}

func newScarce() *scarce {
	m := &scarce{}
	locked := func(f func()) func() { return func() { m.mu.Lock(); defer m.mu.Unlock(); f() } }
	m.shedder = &shedder{
		limit: 100 << 20, log: slog.New(slog.NewTextHandler(&m.log, nil)), short: make(chan struct{}, 1),
		read:    func() float64 { m.mu.Lock(); defer m.mu.Unlock(); m.looks++; return m.found },
		shed:    locked(func() { m.turned++ }),
		release: locked(func() { m.freed++; m.inUse -= m.spare; m.spare = 0 }),
		collect: locked(func() { m.found = m.inUse }),
	}
	return m
}

// use sets how many MiB are alive, as the collector found them, and how many of
// them can be had back.
func (m *scarce) use(alive, spare float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inUse, m.found, m.spare = alive*(1<<20), alive*(1<<20), spare*(1<<20)
}

func (m *scarce) ask(ctx context.Context) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	m.shedder.handler(ok).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/v2/", nil))
	return w
}

// lines counts those of the log that say that memory is short, and free again.
func (m *scarce) lines() (short, free int) {
	return strings.Count(m.log.String(), "memory is short"), strings.Count(m.log.String(), "memory is free again")
}

func TestRequestsAreTurnedAwayWhileMemoryIsShort(t *testing.T) {
	m := newScarce()
	for _, test := range []struct {
		name   string
		inUse  float64
		status int
	}{
		{"little is in use", 10, http.StatusOK},
		{"nine tenths are in use", 90, http.StatusOK},
		{"more than nine tenths are in use", 91, http.StatusServiceUnavailable},
		{"memory was given back", 50, http.StatusOK},
	} {
		m.use(test.inUse, 0)
		m.shedder.next.Store(0)
		w := m.ask(t.Context())
		if w.Code != test.status {
			t.Errorf("%s: got %d, want %d", test.name, w.Code, test.status)
		}
		if refused := w.Header().Get("Retry-After") != ""; refused != (test.status != http.StatusOK) {
			t.Errorf("%s: Retry-After is %q", test.name, w.Header().Get("Retry-After"))
		}
		if err := m.shedder.problem(); (err != nil) != (test.status != http.StatusOK) {
			t.Errorf("%s: the check says %v", test.name, err)
		}
	}
	if m.turned != 1 {
		t.Errorf("counted %d requests, want 1", m.turned)
	}
}

func TestMemoryIsLookedAtOncePerQuarterSecond(t *testing.T) {
	m := newScarce()
	begin := time.Unix(1000, 0)
	for i := range 1000 {
		m.shedder.overloaded(t.Context(), begin.Add(time.Duration(i)*time.Millisecond))
	}
	if m.looks != 4 {
		t.Errorf("looked %d times in a second, want 4", m.looks)
	}
}

func TestMemoryIsMadeFree(t *testing.T) {
	for _, test := range []struct {
		name         string
		alive, spare float64
		// frees is how often caches are asked in 21 s with a request at the start
		// alone; last is the status at their end.
		frees, last int
	}{
		{"not while there is enough", 80, 50, 0, http.StatusOK},
		{"before anybody is turned away", 81, 50, 1, http.StatusOK},
		{"when it is short, without a request", 95, 50, 1, http.StatusOK},
		{"again and again while it stays short, at most every 5 s", 95, 0, 5, http.StatusServiceUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancel(t.Context())
				m := newScarce()
				m.use(test.alive, test.spare)
				go m.shedder.follow(ctx)
				m.ask(ctx)
				time.Sleep(21 * time.Second)
				synctest.Wait()
				if m.freed != test.frees {
					t.Errorf("caches were asked %d times, want %d", m.freed, test.frees)
				}
				if got := m.ask(ctx).Code; got != test.last {
					t.Errorf("got %d at the end, want %d", got, test.last)
				}
				end()
				synctest.Wait()
			})
		})
	}
}

// What requests held goes with them; the collector is run although nobody comes.
func TestSheddingEndsByItselfWhenTheLoadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		m := newScarce()
		m.use(95, 0)
		go m.shedder.follow(ctx)
		for range 30 {
			m.ask(ctx)
			time.Sleep(time.Second)
		}
		m.mu.Lock()
		m.inUse = 40 << 20 // and nobody has found that yet
		m.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if short, free := m.lines(); short != 1 || free != 1 {
			t.Errorf("%d lines say that memory is short, %d that it is free, want 1 and 1:\n%s", short, free, &m.log)
		}
		if !strings.Contains(m.log.String(), "refused=30") {
			t.Errorf("the log does not say how many were turned away:\n%s", &m.log)
		}
		if got := m.ask(ctx).Code; got != http.StatusOK {
			t.Errorf("got %d ten seconds after the load ended, want 200", got)
		}
		end()
		synctest.Wait()
	})
}

func TestMemoryThatComesAndGoesIsToldEveryTenSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newScarce()
		for i := range 60 { // of a second each
			m.use([]float64{95, 50}[i%2], 0)
			m.ask(t.Context())
			time.Sleep(time.Second)
		}
		if short, free := m.lines(); short != 6 || free != 6 {
			t.Errorf("%d and %d lines in a minute, want 6 of each:\n%s", short, free, &m.log)
		}
	})
}

func TestOnlyAMemoryLimitSheds(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	none := func() {}
	if s := newShedder(none, none, slog.Default()); before > 1<<60 {
		if s != nil || s.problem() != nil {
			t.Error("requests are shed without a limit")
		}
		s.follow(t.Context()) // ends at once
	}
	debug.SetMemoryLimit(1 << 40)
	s := newShedder(none, none, slog.Default())
	if s == nil || s.limit != 1<<40 || s.overloaded(t.Context(), time.Now()) || s.problem() != nil {
		t.Errorf("got %+v with a limit of 1 TiB", s)
	}
	if inUse := memoryInUse(); inUse < 1<<20 || inUse > 1<<34 {
		t.Errorf("%v bytes in use", inUse)
	}
}
