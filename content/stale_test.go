package content_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/content"
	"vouchsafe/oci"
)

// failing makes every HEAD and GET of up fail with code.
func failing(up *registry, code oci.Code) {
	up.head = func(string) (oci.Digest, error) { return oci.Digest{}, &oci.Error{Code: code} }
	up.get = func(context.Context, oci.Reference) ([]byte, error) { return nil, &oci.Error{Code: code} }
}

// staleFor is a configuration in which a tag is good for 30 s and may serve for
// as long as ttl after it was confirmed.
func staleFor(ttl time.Duration) content.Config {
	return content.Config{StaleTagTTL: func(string) time.Duration { return ttl }}
}

func TestWhatATroubledRegistryMakesOfATag(t *testing.T) {
	one, two := body("one"), body("two")
	for name, test := range map[string]struct {
		ttl     time.Duration
		trouble func(up *registry)
		later   time.Duration
		code    oci.Code
		stale   bool
	}{
		"a 5xx is answered from the past":               {ttl: time.Hour, trouble: func(up *registry) { failing(up, oci.CodeUpstream) }, later: 31 * time.Second, stale: true},
		"so is a time-out":                              {ttl: time.Hour, trouble: func(up *registry) { failing(up, oci.CodeTimeout) }, later: 31 * time.Second, stale: true},
		"so is a 429":                                   {ttl: time.Hour, trouble: func(up *registry) { failing(up, oci.CodeBusy) }, later: 31 * time.Second, stale: true},
		"at the end of its time it still is":            {ttl: time.Hour, trouble: func(up *registry) { failing(up, oci.CodeUpstream) }, later: time.Hour, stale: true},
		"behind the end of its time it is not":          {ttl: time.Hour, trouble: func(up *registry) { failing(up, oci.CodeUpstream) }, later: time.Hour + time.Nanosecond, code: oci.CodeUpstream},
		"no time means never":                           {ttl: 0, trouble: func(up *registry) { failing(up, oci.CodeUpstream) }, later: 31 * time.Second, code: oci.CodeUpstream},
		"a 404 is an answer":                            {ttl: time.Hour, trouble: func(up *registry) { failing(up, oci.CodeManifestUnknown) }, later: 31 * time.Second, code: oci.CodeManifestUnknown},
		"a repository that is gone is an answer":        {ttl: time.Hour, trouble: func(up *registry) { failing(up, oci.CodeNameUnknown) }, later: 31 * time.Second, code: oci.CodeNameUnknown},
		"a 401 is an answer":                            {ttl: time.Hour, trouble: func(up *registry) { failing(up, oci.CodeUnauthorized) }, later: 31 * time.Second, code: oci.CodeUnauthorized},
		"a registry that is not listed any more":        {ttl: time.Hour, trouble: func(up *registry) { failing(up, oci.CodeNotListed) }, later: 31 * time.Second, code: oci.CodeNotListed},
		"a manifest that must not be read is an answer": {ttl: time.Hour, trouble: func(up *registry) { failing(up, oci.CodeManifestInvalid) }, later: 31 * time.Second, code: oci.CodeManifestInvalid},
		"a bug is no trouble of the registry":           {ttl: time.Hour, trouble: func(up *registry) { failing(up, oci.CodeInternal) }, later: 31 * time.Second, code: oci.CodeInternal},
		"a tag that moved to what cannot be had is trouble": {
			ttl: time.Hour, later: 31 * time.Second, stale: true,
			trouble: func(up *registry) {
				up.push("v1", two)
				up.get = func(context.Context, oci.Reference) ([]byte, error) { return nil, &oci.Error{Code: oci.CodeUpstream} }
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up := newRegistry()
				digest := up.push("v1", one)
				r := content.New(up, staleFor(test.ttl))
				resolve(t, r, byTag("v1"))
				time.Sleep(test.later)
				test.trouble(up)
				got, err := r.Resolve(t.Context(), byTag("v1"))
				if !test.stale {
					wantCode(t, err, test.code)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				checkImage(t, got, byTag("v1"), digest)
				if got.Age != test.later {
					t.Errorf("got age %s, want %s", got.Age, test.later)
				}
			})
		})
	}
}

func TestStaleTagIsNotAskedForAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		r := content.New(up, staleFor(time.Hour))
		resolve(t, r, byTag("v1"))
		up.requests()
		time.Sleep(31 * time.Second)
		failing(up, oci.CodeUpstream)
		for range 3 {
			resolve(t, r, byTag("v1"))
		}
		time.Sleep(4 * time.Second)
		resolve(t, r, byTag("v1"))
		wantRequests(t, up, "HEAD v1")
		time.Sleep(time.Second)
		resolve(t, r, byTag("v1"))
		wantRequests(t, up, "HEAD v1")
		time.Sleep(5 * time.Second)
		up.head, up.get = nil, nil
		if got := resolve(t, r, byTag("v1")); got.Age != 0 {
			t.Errorf("got age %s of a registry that is back", got.Age)
		}
		wantRequests(t, up, "HEAD v1")
	})
}

func TestHangingRegistryCostsFiveSecondsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		r := content.New(up, staleFor(time.Hour))
		resolve(t, r, byTag("v1"))
		up.requests()
		time.Sleep(31 * time.Second)
		up.head = func(string) (oci.Digest, error) {
			time.Sleep(20 * time.Second)
			return oci.SHA256(body("one")), nil
		}
		start := time.Now()
		took := func() time.Duration {
			before := time.Now()
			if got := resolve(t, r, byTag("v1")); got.Age < 31*time.Second {
				t.Errorf("got age %s after %s", got.Age, time.Since(start))
			}
			return time.Since(before)
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if got := took(); got != 5*time.Second {
					t.Errorf("waited %s, want 5s", got)
				}
			})
		}
		wg.Wait()
		for time.Since(start) < 19*time.Second {
			if got := took(); got != 0 {
				t.Errorf("waited %s after %s, want nothing", got, time.Since(start))
			}
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Second)
		if got := resolve(t, r, byTag("v1")); got.Age != 0 {
			t.Errorf("got age %s, want the answer that came in the background", got.Age)
		}
		wantRequests(t, up, "HEAD v1")
	})
}

// A request that a stale answer left behind belongs to nobody: who joins it and
// leaves does not end it.
func TestRefreshInTheBackgroundOutlivesThoseWhoJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		r := content.New(up, staleFor(40*time.Second))
		resolve(t, r, byTag("v1"))
		up.requests()
		time.Sleep(31 * time.Second)
		release := make(chan struct{})
		up.head = func(string) (oci.Digest, error) { return oci.Digest{}, nil }
		up.get = func(ctx context.Context, _ oci.Reference) ([]byte, error) {
			select {
			case <-release:
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		resolve(t, r, byTag("v1"))
		time.Sleep(5 * time.Second) // the last resolution is too old now
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Resolve(ctx, byTag("v1")); err == nil {
			t.Error("got an answer older than it may be")
		}
		close(release)
		synctest.Wait()
		resolve(t, r, byTag("v1"))
		wantRequests(t, up, "HEAD v1", "GET v1")
	})
}

func TestTagThatIsGoneStaysGoneInTrouble(t *testing.T) {
	for name, code := range map[string]oci.Code{"a 404": oci.CodeManifestUnknown, "a 401": oci.CodeUnauthorized} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up := newRegistry()
				up.push("v1", body("one"))
				r := content.New(up, staleFor(time.Hour))
				resolve(t, r, byTag("v1"))
				time.Sleep(31 * time.Second)
				failing(up, code)
				_, err := r.Resolve(t.Context(), byTag("v1"))
				wantCode(t, err, code)
				failing(up, oci.CodeUpstream)
				_, err = r.Resolve(t.Context(), byTag("v1"))
				wantCode(t, err, oci.CodeUpstream)
			})
		})
	}
}

func TestStaleTagNeedsItsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		cfg := staleFor(time.Hour)
		cfg.MaxBytes = 1 // nothing is kept
		r := content.New(up, cfg)
		resolve(t, r, byTag("v1"))
		time.Sleep(31 * time.Second)
		failing(up, oci.CodeUpstream)
		_, err := r.Resolve(t.Context(), byTag("v1"))
		wantCode(t, err, oci.CodeUpstream)
	})
}

func TestTagThatWasNeverConfirmedHasNoPast(t *testing.T) {
	up := newRegistry()
	up.push("v1", body("one"))
	r := content.New(up, staleFor(time.Hour))
	digest := resolve(t, r, byTag("v1")).Reference.Digest
	failing(up, oci.CodeUpstream)
	_, err := r.Resolve(t.Context(), byTag("v2"))
	wantCode(t, err, oci.CodeUpstream)
	if got := resolve(t, r, byDigest(digest)); got.Age != 0 {
		t.Errorf("got age %s for a digest, which has none", got.Age)
	}
}

func TestEndOfTheCallersOwnTimeIsNoTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		r := content.New(up, staleFor(time.Hour))
		resolve(t, r, byTag("v1"))
		time.Sleep(31 * time.Second)
		up.head = func(string) (oci.Digest, error) { time.Sleep(4 * time.Second); return oci.SHA256(body("one")), nil }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Resolve(ctx, byTag("v1")); err == nil || oci.CodeOf(err) != oci.CodeInternal {
			t.Errorf("got %v, want the context's error", err)
		}
		time.Sleep(5 * time.Second)
	})
}

func TestStaleTagsAreCountedAndLoggedOncePerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		var log bytes.Buffer
		var outcomes []string
		cfg := staleFor(time.Hour)
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		cfg.Observe = func(outcome string) { outcomes = append(outcomes, outcome) }
		r := content.New(up, cfg)
		resolve(t, r, byTag("v1"))
		time.Sleep(31 * time.Second)
		failing(up, oci.CodeUpstream)
		resolve(t, r, byTag("v1"))
		resolve(t, r, byTag("v1"))
		time.Sleep(59 * time.Second)
		resolve(t, r, byTag("v1"))
		if got := strings.Count(log.String(), "\n"); got != 1 {
			t.Errorf("got %d lines within a minute, want 1:\n%s", got, log.String())
		}
		time.Sleep(10 * time.Second)
		resolve(t, r, byTag("v1"))
		if got := strings.Count(log.String(), "registry.test"); got < 2 {
			t.Errorf("got no line in the next minute:\n%s", log.String())
		}
		if want := []string{"miss", "stale", "stale", "stale", "stale"}; !slices.Equal(outcomes, want) {
			t.Errorf("got %v, want %v", outcomes, want)
		}
	})
}
