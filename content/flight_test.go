package content_test

import (
	"context"
	"errors"
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
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.get = slow(10 * time.Second)
		r := content.New(up, content.Config{})
		var wg sync.WaitGroup
		var busy atomic.Int32
		for i := range 1100 {
			wg.Go(func() {
				_, err := r.Resolve(t.Context(), byTag("v"+string(rune('a'+i%26))+time.Duration(i).String()))
				if oci.CodeOf(err) == oci.CodeBusy {
					busy.Add(1)
				}
			})
		}
		wg.Wait()
		if got := busy.Load(); got != 1100-1024 {
			t.Errorf("got %d busy answers, want %d", got, 1100-1024)
		}
	})
}
