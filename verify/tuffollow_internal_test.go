package verify

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/internal/lab"
)

// counted counts refreshes by the first file of each, and may be away.
type counted struct {
	handler  http.Handler
	away     atomic.Bool
	requests atomic.Int64
}

func (c *counted) Do(r *http.Request) (*http.Response, error) {
	if c.away.Load() {
		c.requests.Add(1)
		return nil, errors.New("away")
	}
	if r.URL.Path == "/timestamp.json" {
		c.requests.Add(1)
	}
	return handled{c.handler}.Do(r)
}

// following runs test with a mirror that is followed, on a clock that nobody waits
// for.
func following(t *testing.T, refresh time.Duration, test func(t *testing.T, m *Mirrors, c *counted, mirror *lab.Mirror, source MirrorSource)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		mirror := must(lab.NewMirror(recordedTrust(t, "trusted_root.json")))(t)
		client := &counted{handler: mirror}
		m := NewMirrors(MirrorsConfig{Client: client})
		source := MirrorSource{Mirror: "http://mirror.test", Anchor: string(mirror.Root()), Refresh: refresh}
		if err := m.Follow([]MirrorSource{source}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go m.Run(ctx)
		test(t, m, client, mirror, source)
	})
}

// wantRequests lets time pass and fails unless the mirror was asked from least to
// most times meanwhile.
func wantRequests(t *testing.T, c *counted, passes time.Duration, least, most int64) {
	t.Helper()
	c.requests.Store(0)
	time.Sleep(passes)
	synctest.Wait()
	if got := c.requests.Swap(0); got < least || got > most {
		t.Errorf("in %v asked %d times, want %d to %d", passes, got, least, most)
	}
}

// wantRequest fails unless the mirror was asked once since the last look.
func wantRequest(t *testing.T, c *counted) {
	t.Helper()
	synctest.Wait()
	if got := c.requests.Swap(0); got != 1 {
		t.Errorf("asked %d times, want once", got)
	}
}

func TestAMirrorIsAskedAsOftenAsWanted(t *testing.T) {
	following(t, 24*time.Hour, func(t *testing.T, m *Mirrors, c *counted, mirror *lab.Mirror, source MirrorSource) {
		wantRequest(t, c)
		if root, _, _ := m.look(source); root == nil {
			t.Fatal("it is not in use")
		}
		wantRequests(t, c, 21*time.Hour, 0, 0)
		wantRequests(t, c, 3*time.Hour, 1, 1)
		// Metadata that ends sooner is asked for when it ends.
		mirror.Ends = time.Now().Add(6 * time.Hour)
		if err := mirror.Rotate(recordedTrust(t, "trusted_root.json")); err != nil {
			t.Fatal(err)
		}
		m.Hurry()
		wantRequest(t, c)
		mirror.Ends = time.Time{}
		if err := mirror.Rotate(recordedTrust(t, "trusted_root.json")); err != nil {
			t.Fatal(err)
		}
		wantRequests(t, c, 6*time.Hour, 1, 1)
	})
}

func TestAMirrorThatIsAwayIsAskedMoreAndMoreSeldom(t *testing.T) {
	following(t, 24*time.Hour, func(t *testing.T, m *Mirrors, c *counted, _ *lab.Mirror, _ MirrorSource) {
		wantRequest(t, c)
		c.away.Store(true)
		m.Hurry()
		wantRequest(t, c)
		wantRequests(t, c, 10*time.Second, 3, 4)
		wantRequests(t, c, time.Hour, 15, 25)
		c.away.Store(false)
		wantRequests(t, c, lastRetry, 1, 1)
		if got := m.Statuses(); len(got) != 1 || got[0].Failure != nil {
			t.Errorf("got %+v", got)
		}
	})
}

// TestSourcesShare: two documents with one mirror and root file have one cache and
// one that asks, by the shorter refresh; what nobody follows is not asked.
func TestSourcesShare(t *testing.T) {
	following(t, 24*time.Hour, func(t *testing.T, m *Mirrors, c *counted, _ *lab.Mirror, source MirrorSource) {
		wantRequests(t, c, time.Hour, 1, 1)
		often := source
		often.Refresh = time.Hour
		if err := m.Follow([]MirrorSource{source, often}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantRequests(t, c, 10*time.Hour, 10, 12)
		if got := len(m.Statuses()); got != 1 {
			t.Errorf("got %d mirrors, want 1", got)
		}
		if err := m.Follow([]MirrorSource{source}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantRequests(t, c, 20*time.Hour, 0, 1)
		if err := m.Follow(nil); err != nil {
			t.Fatal(err)
		}
		wantRequests(t, c, 100*time.Hour, 0, 0)
		if got := len(m.Statuses()); got != 0 {
			t.Errorf("got %d mirrors, want none", got)
		}
	})
}

// TestAStartIsNoReasonToAsk: what is kept and not due is used as it is.
func TestAStartIsNoReasonToAsk(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		mirror := must(lab.NewMirror(recordedTrust(t, "trusted_root.json")))(t)
		client := &counted{handler: mirror}
		source := MirrorSource{Mirror: "http://mirror.test", Anchor: string(mirror.Root()), Refresh: 24 * time.Hour}
		cfg := MirrorsConfig{Client: client, Folder: func() (string, error) { return folder, nil }}
		if err := NewMirrors(cfg).Refresh(t.Context(), []MirrorSource{source}); err != nil {
			t.Fatal(err)
		}
		again := NewMirrors(cfg)
		if err := again.Follow([]MirrorSource{source}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go again.Run(ctx)
		wantRequests(t, client, 20*time.Hour, 0, 0)
		wantRequests(t, client, 4*time.Hour, 1, 1)
	})
}
