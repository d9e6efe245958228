package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"

	"vouchsafe/config"
	"vouchsafe/content"
	"vouchsafe/inventory"
)

const (
	// atRest is what the process needs before it keeps anything, in bytes.
	atRest = 50 << 20
	// smallLimit is the least GOMEMLIMIT that is worth starting with, in bytes:
	// below it a single large pull makes memory short.
	smallLimit = 96 << 20
	// evidenceBytes is what package verify keeps of evidence by itself.
	evidenceBytes = 32 << 20
)

// What one entry costs in memory, from above, in bytes, with names of the usual
// length and two integrations.
const (
	resultCost = 2 << 10
	imageCost  = 2 << 10
	factCost   = 512
	tagCost    = 512
)

// sizes are the most that is kept for longer than one request.
type sizes struct {
	// manifests, blobs and evidence are in bytes.
	manifests, blobs, evidence int64
	// results, images, facts and tags are numbers of entries.
	results, images, facts, tags int64
}

// least is what is kept however small the limit is: with less, the gateway asks
// registries the same again for each pull.
var least = sizes{
	manifests: 1 << 20, blobs: 2 << 20, evidence: 1 << 20,
	results: 1000, images: 1000, facts: 5000, tags: 1000,
}

// sizesOf are those that settings ask for, and the defaults of what has no
// setting.
func sizesOf(settings config.Settings) sizes {
	return sizes{
		manifests: int64(settings.ManifestCache), blobs: int64(settings.BlobBuffer), evidence: evidenceBytes,
		results: int64(settings.CacheEntries), images: inventory.DefaultImages, facts: inventory.DefaultFacts, tags: content.DefaultTags,
	}
}

// bytes is what all of it may take.
func (s sizes) bytes() int64 {
	return s.manifests + s.blobs + s.evidence + s.results*resultCost + s.images*imageCost + s.facts*factCost + s.tags*tagCost
}

// within makes all of s smaller, in proportion, so that it takes at most half of
// what limit leaves above atRest: the other half is for requests under way and for
// what the collector has yet to find. A limit of math.MaxInt64 is none.
func (s sizes) within(limit int64) sizes {
	most := max(0, limit-atRest) / 2
	if s.bytes() <= most {
		return s
	}
	part := float64(most) / float64(s.bytes())
	scale := func(n, floor int64) int64 { return min(n, max(floor, int64(part*float64(n)))) }
	return sizes{
		manifests: scale(s.manifests, least.manifests), blobs: scale(s.blobs, least.blobs), evidence: scale(s.evidence, least.evidence),
		results: scale(s.results, least.results), images: scale(s.images, least.images),
		facts: scale(s.facts, least.facts), tags: scale(s.tags, least.tags),
	}
}

// String names all of it, by the settings' names where there are some.
func (s sizes) String() string {
	return fmt.Sprintf("MANIFEST_CACHE %s, BLOB_BUFFER %s, CACHE_ENTRIES %d, evidence %s, images %d, what lists what %d, tags %d: %s together",
		mebibytes(s.manifests), mebibytes(s.blobs), s.results, mebibytes(s.evidence), s.images, s.facts, s.tags, mebibytes(s.bytes()))
}

func mebibytes[N int64 | float64](n N) string { return fmt.Sprintf("%.0fMiB", float64(n)/(1<<20)) }

// memoryLimit is GOMEMLIMIT in bytes, math.MaxInt64 for none.
func memoryLimit() int64 { return debug.SetMemoryLimit(-1) }

// saySizes says once what is kept, when that is not what settings ask for: a
// warning when somebody wrote down a part of it.
func saySizes(ctx context.Context, settings config.Settings, limit int64, log *slog.Logger) {
	if limit == math.MaxInt64 {
		return
	}
	if limit < smallLimit {
		log.WarnContext(ctx, "GOMEMLIMIT is too small: expect 503 for want of memory", "limit", mebibytes(limit), "wanted", mebibytes[int64](smallLimit))
	}
	set := sizesOf(settings)
	used := set.within(limit)
	if used == set {
		return
	}
	level := slog.LevelInfo
	if usual, err := config.LoadSettings(nil, nil); err != nil || set != sizesOf(usual) {
		level = slog.LevelWarn
	}
	log.Log(ctx, level, "GOMEMLIMIT has no room for what was set, so less is kept", "limit", mebibytes(limit), "set", set.String(), "used", used.String())
}
