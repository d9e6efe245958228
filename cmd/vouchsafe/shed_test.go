package main

import (
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"testing"
	"time"
)

func TestRequestsAreTurnedAwayWhileMemoryIsShort(t *testing.T) {
	inUse, turnedAway := 0.0, 0
	s := &shedder{limit: 100, read: func() float64 { return inUse }, shed: func() { turnedAway++ }}
	handler := s.handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
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
		inUse = test.inUse
		s.next.Store(0)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v2/", nil))
		if w.Code != test.status {
			t.Errorf("%s: got %d, want %d", test.name, w.Code, test.status)
		}
		if refused := w.Header().Get("Retry-After") != ""; refused != (test.status != http.StatusOK) {
			t.Errorf("%s: Retry-After is %q", test.name, w.Header().Get("Retry-After"))
		}
	}
	if turnedAway != 1 {
		t.Errorf("counted %d requests, want 1", turnedAway)
	}
}

func TestMemoryIsLookedAtOncePerQuarterSecond(t *testing.T) {
	looks := 0
	s := &shedder{limit: 100, read: func() float64 { looks++; return 0 }}
	begin := time.Unix(1000, 0)
	for i := range 1000 {
		s.overloaded(begin.Add(time.Duration(i) * time.Millisecond))
	}
	if looks != 4 {
		t.Errorf("looked %d times in a second, want 4", looks)
	}
}

func TestOnlyAMemoryLimitSheds(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	if newShedder(nil) != nil && before > 1<<60 {
		t.Error("requests are shed without a limit")
	}
	debug.SetMemoryLimit(1 << 40)
	s := newShedder(nil)
	if s == nil || s.limit != 1<<40 || s.overloaded(time.Now()) {
		t.Errorf("got %+v with a limit of 1 TiB", s)
	}
	if inUse := memoryInUse(); inUse < 1<<20 || inUse > 1<<34 {
		t.Errorf("%v bytes in use", inUse)
	}
}
