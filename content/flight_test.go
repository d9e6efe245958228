package content_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/content"
	"vouchsafe/oci"
)

func TestHundredCallersMakeOneFetch(t *testing.T) {
	for name, ref := range map[string]oci.Reference{"by tag": byTag("v1"), "by digest": byDigest(oci.SHA256(body("one")))} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up := newRegistry()
				up.push("v1", body("one"))
				up.get = slow(time.Second)
				var shared, missed atomic.Int32
				r := content.New(up, content.Config{Observe: func(outcome string) {
					switch outcome {
					case "shared":
						shared.Add(1)
					case "miss":
						missed.Add(1)
					}
				}})
				var wg sync.WaitGroup
				for range 100 {
					wg.Go(func() {
						got, err := r.Resolve(t.Context(), ref)
						if err != nil || !got.Reference.Digest.Matches(got.Bytes) {
							t.Errorf("got %s, %v", got.Reference, err)
						}
					})
				}
				wg.Wait()
				if got := len(up.requests()); got != 1 {
					t.Errorf("got %d requests upstream, want 1", got)
				}
				if missed.Load() != 1 || shared.Load() != 99 {
					t.Errorf("got %d misses and %d shared, want 1 and 99", missed.Load(), shared.Load())
				}
			})
		})
	}
}

// slow lets every GET take its time, as long as its context lives.
func slow(d time.Duration) func(context.Context, oci.Reference) ([]byte, error) {
	return func(ctx context.Context, _ oci.Reference) ([]byte, error) {
		select {
		case <-time.After(d):
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func TestLeaderLeavesAndOthersAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		up.get = slow(10 * time.Second)
		r := content.New(up, content.Config{})
		leader, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := r.Resolve(leader, byTag("v1"))
			left <- err
		}()
		synctest.Wait()
		stayed := make(chan error, 1)
		go func() {
			_, err := r.Resolve(t.Context(), byTag("v1"))
			stayed <- err
		}()
		synctest.Wait()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("leader got %v, want its own context's error", err)
		}
		if err := <-stayed; err != nil {
			t.Errorf("the one who stayed got %v", err)
		}
		wantRequests(t, up, "GET v1")
	})
}

func TestResolutionEndsInItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.get = slow(time.Hour)
		r := content.New(up, content.Config{Timeout: 3 * time.Second})
		start := time.Now()
		_, err := r.Resolve(t.Context(), byTag("v1"))
		wantCode(t, err, oci.CodeTimeout)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v reads as the end of the caller's own time", err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %s, want 3s", took)
		}
	})
}

func TestPanicIsAnErrorForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		up.get = func(context.Context, oci.Reference) ([]byte, error) {
			time.Sleep(time.Second)
			panic("hostile input")
		}
		r := content.New(up, content.Config{})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				got, err := r.Resolve(t.Context(), byTag("v1"))
				wantCode(t, err, oci.CodeInternal)
				if got.Bytes != nil {
					t.Error("bytes beside a panic")
				}
			})
		}
		wg.Wait()
		up.get = nil
		resolve(t, r, byTag("v1"))
	})
}

func TestTooManyResolutionsAreBusy(t *testing.T) {
	for name, c := range map[string]struct{ registries, want int }{
		"of one registry":     {1, 300 - 256},
		"of three registries": {3, 3 * (300 - 256)},
		"in all":              {5, 5*300 - 1024},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up := newRegistry()
				up.get = slow(10 * time.Second)
				r := content.New(up, content.Config{})
				var wg sync.WaitGroup
				var busy atomic.Int32
				for i := range 300 * c.registries {
					ref := byTag(fmt.Sprintf("v%d", i))
					ref.Repository.Registry = fmt.Sprintf("r%d.test", i%c.registries)
					wg.Go(func() {
						if _, err := r.Resolve(t.Context(), ref); oci.CodeOf(err) == oci.CodeBusy {
							busy.Add(1)
						}
					})
				}
				wg.Wait()
				if got := int(busy.Load()); got != c.want {
					t.Errorf("got %d busy answers, want %d", got, c.want)
				}
			})
		})
	}
}

// A registry hangs, its clients have left: neither it nor another is busy.
func TestAbandonedResolutionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		up.get = func(ctx context.Context, ref oci.Reference) ([]byte, error) {
			if ref.Repository.Registry != "hung.test" {
				return nil, nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		r := content.New(up, content.Config{})
		hung := func(i int) oci.Reference {
			ref := byTag(fmt.Sprintf("v%d", i))
			ref.Repository.Registry = "hung.test"
			return ref
		}
		const wave = 200
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			var wg sync.WaitGroup
			for i := range wave {
				wg.Go(func() {
					if _, err := r.Resolve(ctx, hung(i)); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v, want the caller's own end", err)
					}
				})
			}
			wg.Wait()
			cancel()
			synctest.Wait()
		}
		if got := len(up.requests()); got != 10*wave {
			t.Errorf("got %d requests, want each wave to start anew: %d", got, 10*wave)
		}
		resolve(t, r, byTag("v1"))
	})
}

// The bytes have arrived when the last caller leaves: they are kept.
func TestWhatHasArrivedIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		ctx, leave := context.WithCancel(t.Context())
		up.get = func(running context.Context, _ oci.Reference) ([]byte, error) {
			leave()
			<-running.Done()
			return body("one"), nil
		}
		r := content.New(up, content.Config{})
		if _, err := r.Resolve(ctx, byTag("v1")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the caller's own end", err)
		}
		synctest.Wait()
		up.requests()
		resolve(t, r, byTag("v1"))
		wantRequests(t, up)
	})
}
