package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"vouchsafe/config"
	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/verify"
)

func withDefaults(t *testing.T, environ ...string) config.Settings {
	t.Helper()
	settings, err := config.LoadSettings(environ, nil)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

func TestCachesFitIntoTheLimit(t *testing.T) {
	settings := withDefaults(t)
	set := sizesOf(settings)
	if got := set.within(math.MaxInt64); got != set {
		t.Errorf("without a limit %v is kept, want %v", got, set)
	}
	enough := atRest + 2*set.bytes()
	if got := set.within(enough); got != set {
		t.Errorf("with %s %v is kept, want %v", mebibytes(enough), got, set)
	}
	for limit := int64(96 << 20); limit < enough; limit += 16 << 20 {
		got := set.within(limit)
		if most := (limit - atRest) / 2; got.bytes() > most || got.bytes() < most-most/100 {
			t.Errorf("with %s %s is kept, want nearly %s", mebibytes(limit), mebibytes(got.bytes()), mebibytes(most))
		}
		for name, part := range map[string]float64{
			"manifests": float64(got.manifests) / float64(set.manifests), "blobs": float64(got.blobs) / float64(set.blobs),
			"evidence": float64(got.evidence) / float64(set.evidence), "results": float64(got.results) / float64(set.results),
			"images": float64(got.images) / float64(set.images), "facts": float64(got.facts) / float64(set.facts), "tags": float64(got.tags) / float64(set.tags),
		} {
			if want := float64(got.bytes()) / float64(set.bytes()); math.Abs(part-want) > 0.002 {
				t.Errorf("with %s %.3f of %s is kept, want %.3f as of all", mebibytes(limit), part, name, want)
			}
		}
	}
	for _, limit := range []int64{0, 1, atRest, 60 << 20} {
		if got := set.within(limit); got.bytes() > 20<<20 || got.manifests == 0 || got.blobs == 0 || got.results == 0 || got.images == 0 || got.facts == 0 || got.tags == 0 {
			t.Errorf("with %s %v is kept", mebibytes(limit), got)
		}
	}
	small := sizesOf(withDefaults(t, "VOUCHSAFE_MANIFEST_CACHE=100KiB")).within(0)
	if small.manifests != 100<<10 {
		t.Errorf("%d bytes of manifests are kept, more than was set", small.manifests)
	}
}

// The example of docs/operations.md, section Sizing.
func TestExampleOfTheManual(t *testing.T) {
	const want = "MANIFEST_CACHE 22MiB, BLOB_BUFFER 22MiB, CACHE_ENTRIES 34197, evidence 11MiB, images 17098, what lists what 68395, tags 34197: 205MiB together"
	if got := sizesOf(withDefaults(t)).within(460 << 20).String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatIsKeptIsToldAtTheStart(t *testing.T) {
	for _, test := range []struct {
		name    string
		limit   int64
		environ []string
		want    []string
	}{
		{"nothing without a limit", math.MaxInt64, nil, nil},
		{"nothing when all fits", 4 << 30, nil, nil},
		{"what is set and what is used", 460 << 20, nil, []string{"level=INFO msg=\"GOMEMLIMIT has no room for what was set", "set=\"MANIFEST_CACHE 64MiB", "used=\"MANIFEST_CACHE 22MiB"}},
		{"a warning when somebody wrote it down", 460 << 20, []string{"VOUCHSAFE_BLOB_BUFFER=256MiB"}, []string{"level=WARN msg=\"GOMEMLIMIT has no room for what was set", "BLOB_BUFFER 256MiB"}},
		{"that the limit is too small", 90 << 20, nil, []string{"level=WARN msg=\"GOMEMLIMIT is too small", "wanted=96MiB", "level=INFO"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			saySizes(t.Context(), withDefaults(t, test.environ...), test.limit, slog.New(slog.NewTextHandler(&log, nil)))
			for _, want := range test.want {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log does not say %s:\n%s", want, &log)
				}
			}
			if len(test.want) == 0 && log.Len() > 0 {
				t.Errorf("the log says %s", &log)
			}
		})
	}
}

// TestCostsAreTrue measures what entries cost.
func TestCostsAreTrue(t *testing.T) {
	const entries = 20_000
	heap := func() int64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	repository := func(i int) oci.Repository {
		return oci.Repository{Registry: "registry.acme.com", Path: fmt.Sprintf("team-%d/service-%d", i%40, i%900)}
	}
	for _, test := range []struct {
		name string
		cost int64
		fill func() any
	}{
		{"a result that verified", resultCost, func() any {
			cache := verify.NewLRU(entries, nil)
			for i := range entries {
				digest := oci.SHA256(fmt.Append(nil, i))
				cache.Put(t.Context(), verify.CacheKey{Repository: repository(i), Digest: digest, Integration: "release-team", Revision: fmt.Sprintf("%064d", 1)}, verify.Result{
					Integration: "release-team", Status: verify.Verified, Signer: "release-2026", Message: fmt.Sprintf("signed by release-2026 (%s)", digest),
					Signatures: []verify.Signature{{
						Digest: oci.SHA256(fmt.Append(nil, "signature", i)), Source: oci.Reference{Repository: repository(i), Tag: strings.Replace(digest.String(), ":", "-", 1) + ".sig"},
						Key: &verify.Key{Name: "release-2026", Fingerprint: "SHA256:" + digest.Hex()}, Status: verify.Verified,
					}},
				}, time.Now().Add(time.Hour))
			}
			return cache
		}},
		{"what lists what", factCost, func() any {
			lineage := inventory.NewLineage(entries)
			for i := 0; i < entries; i += 10 {
				image := oci.Image{Reference: oci.Reference{Repository: repository(i), Digest: oci.SHA256(fmt.Append(nil, "image", i))}}
				image.Manifest.Kind = oci.KindImage
				image.Manifest.Config.Digest = oci.SHA256(fmt.Append(nil, "config", i))
				for layer := range 9 {
					image.Manifest.Layers = append(image.Manifest.Layers, oci.Descriptor{Digest: oci.SHA256(fmt.Append(nil, i, layer))})
				}
				if err := lineage.Record(t.Context(), image); err != nil {
					t.Fatal(err)
				}
			}
			return lineage
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := heap()
			kept := test.fill()
			each := (heap() - before) / entries
			t.Logf("%d bytes each", each)
			if each > test.cost || each < test.cost/8 {
				t.Errorf("%d bytes each, counted as %d", each, test.cost)
			}
			runtime.KeepAlive(kept)
		})
	}
}
