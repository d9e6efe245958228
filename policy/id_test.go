package policy_test

import (
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"vouchsafe/policy"
)

func TestIDsAreDistinctULIDsOfTheirTime(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 500 {
				id := policy.NewID(testNow)
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(seen) != 4000 {
		t.Errorf("got %d distinct ids, want 4000", len(seen))
	}
	for id := range seen {
		parsed, err := ulid.ParseStrict(id)
		if err != nil || !ulid.Time(parsed.Time()).Equal(testNow) {
			t.Fatalf("%s: %v, %v", id, parsed, err)
		}
	}
}

func TestIDsOfTimesThatULIDsDoNotHave(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(-1, 0), time.Date(30000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if _, err := ulid.ParseStrict(policy.NewID(at)); err != nil {
			t.Errorf("%v: %v", at, err)
		}
	}
}
