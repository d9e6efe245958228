package verify_test

import (
	"fmt"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

func cacheKey(name string) verify.CacheKey {
	return verify.CacheKey{Repository: oci.Repository{Registry: "registry.test", Path: "app"}, Digest: someImage(name), Integration: "k", Revision: "1"}
}

func TestLRU(t *testing.T) {
	clock := newClock()
	start := clock.Now()
	good := verify.Result{Status: verify.Verified, JudgedAt: start}
	bad := verify.Result{Status: verify.Untrusted, JudgedAt: start}
	away := verify.Result{Status: verify.Unavailable, JudgedAt: start}
	remembers := away
	remembers.LastVerifiedAt = start
	hour := start.Add(time.Hour)

	type put struct {
		result verify.Result
		until  time.Time
	}
	for _, c := range []struct {
		name   string
		puts   []put
		pass   time.Duration
		status verify.Status
		fresh  bool
		found  bool
	}{
		{"nothing", nil, 0, 0, false, false},
		{"within its lifetime", []put{{good, hour}}, time.Hour - 1, verify.Verified, true, true},
		{"a Verified past its lifetime says when", []put{{good, hour}}, time.Hour, verify.Verified, false, true},
		{"for a day", []put{{good, hour}}, 24*time.Hour - 1, verify.Verified, false, true},
		{"not longer", []put{{good, hour}}, 24 * time.Hour, 0, false, false},
		{"an Untrusted past its lifetime is gone", []put{{bad, hour}}, time.Hour, 0, false, false},
		{"an Unavailable past its lifetime is gone", []put{{away, hour}}, time.Hour, 0, false, false},
		{"unless it says when", []put{{remembers, hour}}, time.Hour, verify.Unavailable, false, true},
		{"Unavailable never replaces a fresh Verified", []put{{good, hour}, {away, hour}}, 0, verify.Verified, true, true},
		{"it does replace one that is over", []put{{good, start}, {remembers, hour}}, 0, verify.Unavailable, true, true},
		{"Untrusted replaces a fresh Verified", []put{{good, hour}, {bad, hour}}, 0, verify.Untrusted, true, true},
		{"Verified replaces Unavailable", []put{{away, hour}, {good, hour}}, 0, verify.Verified, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := newClock()
			cache := verify.NewLRU(10, clock.Now)
			for _, p := range c.puts {
				cache.Put(t.Context(), cacheKey("a"), p.result, p.until)
			}
			clock.pass(c.pass)
			got, fresh, found := cache.Get(t.Context(), cacheKey("a"))
			if got.Status != c.status || fresh != c.fresh || found != c.found {
				t.Errorf("got %v, fresh %v, found %v; want %v, %v, %v", got.Status, fresh, found, c.status, c.fresh, c.found)
			}
		})
	}
}

func TestLRUIsBounded(t *testing.T) {
	cache := verify.NewLRU(10, nil)
	for i := range 100 {
		cache.Put(t.Context(), cacheKey(fmt.Sprint(i)), verify.Result{Status: verify.Verified}, time.Now().Add(time.Hour))
	}
	if cache.Len() != 10 {
		t.Errorf("got %d results, want 10", cache.Len())
	}
	if _, _, found := cache.Get(t.Context(), cacheKey("99")); !found {
		t.Error("the latest result is gone")
	}
}

func TestLRUEveryPartOfTheKeyCounts(t *testing.T) {
	cache := verify.NewLRU(10, nil)
	cache.Put(t.Context(), cacheKey("a"), verify.Result{Status: verify.Verified}, time.Now().Add(time.Hour))
	for name, change := range map[string]func(*verify.CacheKey){
		"registry":    func(k *verify.CacheKey) { k.Repository.Registry = "other.test" },
		"path":        func(k *verify.CacheKey) { k.Repository.Path = "other" },
		"digest":      func(k *verify.CacheKey) { k.Digest = someImage("b") },
		"integration": func(k *verify.CacheKey) { k.Integration = "other" },
		"revision":    func(k *verify.CacheKey) { k.Revision = "2" },
	} {
		key := cacheKey("a")
		change(&key)
		if _, _, found := cache.Get(t.Context(), key); found {
			t.Errorf("another %s: found", name)
		}
	}
}

func TestLRUKeepsVerifiedSignaturesOnly(t *testing.T) {
	cache := verify.NewLRU(10, nil)
	cache.Put(t.Context(), cacheKey("a"), verify.Result{Status: verify.Verified, Signatures: []verify.Signature{
		{Status: verify.Untrusted}, {Status: verify.Verified}, {Status: verify.Unsigned},
	}}, time.Now().Add(time.Hour))
	if got, _, _ := cache.Get(t.Context(), cacheKey("a")); len(got.Signatures) != 1 || got.Signatures[0].Status != verify.Verified {
		t.Errorf("got %v, want the one that verified", got.Signatures)
	}
}
