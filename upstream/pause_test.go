package upstream_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s := time.Second
	for _, row := range []struct {
		name   string
		values []string
		want   time.Duration
		ok     bool
	}{
		{"missing", nil, 0, false},
		{"empty", []string{""}, 0, false},
		{"a word", []string{"soon"}, 0, false},
		{"seconds", []string{"7"}, 7 * s, true},
		{"seconds with blanks", []string{" 7 "}, 7 * s, true},
		{"zero is the least", []string{"0"}, s, true},
		{"negative is the least", []string{"-5"}, s, true},
		{"a sign", []string{"+5"}, 5 * s, true},
		{"two signs", []string{"--5"}, 0, false},
		{"a fraction is rounded up", []string{"1.5"}, 2 * s, true},
		{"a fraction of nothing", []string{"3.000"}, 3 * s, true},
		{"a fraction alone", []string{".5"}, 0, false},
		{"half a minute", []string{"30"}, 30 * s, true},
		{"more", []string{"31"}, 30 * s, true},
		{"a year", []string{"31536000"}, 30 * s, true},
		{"more than any integer", []string{"99999999999999999999999999"}, 30 * s, true},
		{"a fraction above the most", []string{"30.5"}, 30 * s, true},
		{"an exponent", []string{"1e9"}, 0, false},
		{"infinity", []string{"inf"}, 0, false},
		{"hexadecimal", []string{"0x10"}, 0, false},
		{"a date", []string{"Mon, 23 Nov 2026 12:00:20 GMT"}, 20 * s, true},
		{"an old form of date", []string{"Monday, 23-Nov-26 12:00:20 GMT"}, 20 * s, true},
		{"a date that has passed", []string{"Mon, 23 Nov 2026 11:00:00 GMT"}, s, true},
		{"a date next year", []string{"Tue, 23 Nov 2027 12:00:00 GMT"}, 30 * s, true},
		{"two values", []string{"2", "9"}, 9 * s, true},
		{"two values, one unreadable", []string{"x", "4"}, 4 * s, true},
		{"two values in one", []string{"2, 9"}, 0, false},
		{"very long", []string{strings.Repeat("1", 100)}, 0, false},
	} {
		if got, ok := upstream.RetryAfter(row.values, now); got != row.want || ok != row.ok {
			t.Errorf("%s: got %v, %v, want %v, %v", row.name, got, ok, row.want, row.ok)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, v := range []string{"", "7", "-1", "1.5", "Mon, 23 Nov 2026 12:00:20 GMT", "99999999999999999999", "+", "-", "."} {
		f.Add(v, "3", int64(1_800_000_000))
	}
	f.Fuzz(func(t *testing.T, a, b string, now int64) {
		got, ok := upstream.RetryAfter([]string{a, b}, time.Unix(now, 0))
		if ok && (got < time.Second || got > 30*time.Second) || !ok && got != 0 {
			t.Errorf("%q, %q: got %v, %v", a, b, got, ok)
		}
	})
}

// busy answers 429, or another status, with Retry-After.
func busy(status int, after ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, value := range after {
			w.Header().Add("Retry-After", value)
		}
		w.WriteHeader(status)
	}
}

// wantBusy fails unless err is CodeBusy with this much left.
func wantBusy(t *testing.T, err error, left time.Duration) {
	t.Helper()
	wantCode(t, err, oci.CodeBusy, "paused")
	if e, ok := errors.AsType[*oci.Error](err); !ok || e.RetryAfter != left {
		t.Errorf("got %v left, want %v", e.RetryAfter, left)
	}
}

func TestPauses(t *testing.T) {
	ok := status(200, "{}")
	second := time.Second
	for _, row := range []struct {
		name     string
		handlers []http.HandlerFunc
		requests int
		slept    []time.Duration
		left     time.Duration
	}{
		{"a second is waited for", []http.HandlerFunc{busy(429, "1"), ok}, 2, []time.Duration{second}, 0},
		{"two are", []http.HandlerFunc{busy(429, "2"), ok}, 2, []time.Duration{2 * second}, 0},
		{"three are not", []http.HandlerFunc{busy(429, "3"), ok}, 1, nil, 3 * second},
		{"a day is half a minute", []http.HandlerFunc{busy(429, "86400"), ok}, 1, nil, 30 * second},
		{"nothing said is a second, then two, which with it is too long", []http.HandlerFunc{busy(429)}, 2, []time.Duration{second}, 2 * second},
		{"two, and two again, are too long together", []http.HandlerFunc{busy(429, "2")}, 2, []time.Duration{2 * second}, 2 * second},
		{"nonsense is nothing said", []http.HandlerFunc{busy(429, "soon"), ok}, 2, []time.Duration{second}, 0},
		{"a second for ever", []http.HandlerFunc{busy(429, "1")}, 3, []time.Duration{second, second}, second},
		{"503 that says when", []http.HandlerFunc{busy(503, "1"), ok}, 2, []time.Duration{second}, 0},
		{"503 that says later", []http.HandlerFunc{busy(503, "20"), ok}, 1, nil, 20 * second},
		{"503 with nonsense is a plain 503", []http.HandlerFunc{busy(503, "x"), ok}, 2, []time.Duration{100 * time.Millisecond}, 0},
		{"200 with Retry-After is a 200", []http.HandlerFunc{busy(200, "20")}, 1, nil, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, script(row.handlers...))
			c := newClock()
			_, err := openWith(t, s.host(), s.spec(), nil, c.config()).GetManifest(t.Context(), s.image())
			if row.left > 0 {
				wantBusy(t, err, row.left)
			} else if err != nil {
				t.Fatal(err)
			}
			if got := len(s.take()); got != row.requests {
				t.Errorf("got %d requests, want %d", got, row.requests)
			}
			if diff := cmp.Diff(row.slept, c.takeSlept()); diff != "" {
				t.Errorf("pauses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPauseIsEverybodysAndEnds(t *testing.T) {
	s := serve(t, script(busy(429, "20"), good))
	registry, err := upstream.NewRegistry(s.host(), s.spec(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	c := newClock()
	first, second := clientOf(registry, c.config()), clientOf(registry, c.config())
	_, err = first.GetManifest(t.Context(), s.image())
	wantBusy(t, err, 20*time.Second)
	s.take()
	c.advance(5 * time.Second)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, err := second.OpenBlob(t.Context(), s.repository(), oci.SHA256(content), ""); oci.CodeOf(err) != oci.CodeBusy {
				t.Errorf("got %v, want busy", err)
			}
		})
	}
	for _, ask := range asks {
		wantBusy(t, ask(t.Context(), second, s), 15*time.Second)
	}
	group.Wait()
	if got := s.lines(); len(got) != 0 {
		t.Fatalf("requests went out in the pause: %v", got)
	}
	// Its last two seconds are waited for.
	c.advance(13 * time.Second)
	if _, err := second.GetManifest(t.Context(), s.image()); err != nil {
		t.Fatal(err)
	}
	if got := c.takeSlept(); len(got) != 1 || got[0] != 2*time.Second {
		t.Errorf("slept %v, want 2 s", got)
	}
	// It is over for all.
	if _, err := first.GetManifest(t.Context(), s.image()); err != nil || len(c.takeSlept()) != 0 {
		t.Errorf("got %v", err)
	}
}

func TestANewRegistryHasNoPause(t *testing.T) {
	s := serve(t, script(busy(429, "20"), good))
	c := newClock()
	_, err := openWith(t, s.host(), s.spec(), nil, c.config()).GetManifest(t.Context(), s.image())
	wantBusy(t, err, 20*time.Second)
	if _, err := openWith(t, s.host(), s.spec(), nil, c.config()).GetManifest(t.Context(), s.image()); err != nil {
		t.Error(err)
	}
}

func TestPausesWithoutATimeDouble(t *testing.T) {
	var open atomic.Bool
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if open.Load() {
			good(w, r)
			return
		}
		busy(429)(w, r)
	})
	c := newClock()
	client := openWith(t, s.host(), s.spec(), nil, c.config())
	for _, want := range []time.Duration{2, 4, 8, 16, 30} {
		_, err := client.GetManifest(t.Context(), s.image())
		wantBusy(t, err, want*time.Second)
		c.advance(want * time.Second)
	}
	// A good answer ends that.
	open.Store(true)
	if _, err := client.GetManifest(t.Context(), s.image()); err != nil {
		t.Fatal(err)
	}
	open.Store(false)
	_, err := client.GetManifest(t.Context(), s.image())
	wantBusy(t, err, 2*time.Second)
}

func TestManyAnswersToRequestsThatWereUnderWayAreOnePause(t *testing.T) {
	start := newClock().now()
	p := upstream.NewPauses()
	for i := range 1000 {
		// All left at once, and are refused within half a second.
		now := start.Add(time.Duration(i) * time.Second / 2000)
		if left := p.Begin("h:1", 0, start, now); left > time.Second {
			t.Fatalf("answer %d: got %v left, want a second", i, left)
		}
	}
	// The first that leaves behind the pause and meets the same doubles it.
	again := start.Add(2 * time.Second)
	if left := p.Begin("h:1", 0, again, again); left != 2*time.Second {
		t.Errorf("got %v left, want 2 s", left)
	}
	// What is said is never shortened by others.
	p.Begin("h:1", 20*time.Second, again, again)
	if left := p.Begin("h:1", 3*time.Second, again, again); left != 20*time.Second {
		t.Errorf("got %v left, want 20 s", left)
	}
}

func TestAPauseThatIsLongerThanTheDeadlineIsNotWaitedFor(t *testing.T) {
	s := serve(t, busy(429, "2"))
	c := newClock()
	ctx, cancel := contextWith(t, time.Second)
	defer cancel()
	_, err := openWith(t, s.host(), s.spec(), nil, c.config()).GetManifest(ctx, s.image())
	wantBusy(t, err, 2*time.Second)
	if got := len(s.take()); got != 1 || len(c.takeSlept()) != 0 {
		t.Errorf("got %d requests, want one and no pause", got)
	}
}

func TestAPauseIsOfOneHost(t *testing.T) {
	content429 := serve(t, busy(429, "20"))
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, content429.URL+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		good(w, r)
	})
	spec := s.spec()
	spec.RedirectHosts = []string{content429.host()}
	c := newClock()
	client := openWith(t, s.host(), spec, nil, c.config())
	for range 2 {
		wantBusy(t, asks["blob"](t.Context(), client, s), 20*time.Second)
		if err := asks["manifest"](t.Context(), client, s); err != nil {
			t.Errorf("the registry itself: %v", err)
		}
	}
	if got := len(content429.take()); got != 1 {
		t.Errorf("the paused host got %d requests, want 1", got)
	}
}

func TestATokenServiceHasItsOwnPause(t *testing.T) {
	tokens := serve(t, busy(429, "20"))
	g := &gate{}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if g.pass(w, r) {
			good(w, r)
		}
	})
	g.set("never", `Bearer realm="`+tokens.URL+`",service="x"`)
	spec := s.spec()
	spec.TokenHosts = []string{tokens.host()}
	c := newClock()
	client := openWith(t, s.host(), spec, nil, c.config())
	for range 2 {
		_, err := client.GetManifest(t.Context(), s.image())
		wantBusy(t, err, 20*time.Second)
	}
	if got := len(tokens.take()); got != 1 {
		t.Errorf("the token service got %d requests, want 1", got)
	}
	g.set("", "")
	if got := len(s.take()); got == 0 {
		t.Error("the registry was not asked")
	}
}

func TestHostsThatRedirectsNameDoNotFillMemory(t *testing.T) {
	p, now := upstream.NewPauses(), newClock().now()
	for i := range 1000 {
		p.Begin("h:"+itoa(i), time.Second, now, now)
	}
	if got := p.Len(); got > 64 {
		t.Errorf("got %d hosts in memory, want at most 64", got)
	}
}
