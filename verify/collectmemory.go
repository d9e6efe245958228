package verify

import (
	"context"
	"sync"
	"time"

	"vouchsafe/oci"
)

const (
	// defaultPayloadBytes is the most that signatures under way may have.
	defaultPayloadBytes = 128 << 20
	// smallManifest is not counted: nearly every manifest of signatures fits.
	smallManifest = 32 << 10
	// parsedFactor is what a manifest costs over its bytes, its parsed form
	// included.
	parsedFactor = 2
	memoryRetry  = time.Second
)

// collectMemory bounds what all collections of a Collector hold at one time.
type collectMemory struct {
	once sync.Once
	// payloads are declared before they are fetched, so they are waited for.
	payloads *share
	// manifests are counted as they arrive; until then the [Source] bounds them.
	manifests *share
}

func (c *Collector) memory() *collectMemory {
	c.held.once.Do(func() {
		most := c.PayloadBytes
		if most <= 0 {
			most = defaultPayloadBytes
		}
		c.held.payloads, c.held.manifests = newShare(most), newShare(most/2)
	})
	return &c.held
}

// manifest fetches and parses the manifest that source names, and counts it
// until both are done.
func (r *round) manifest(ctx context.Context, source oci.Reference) (oci.Manifest, error) {
	raw, err := r.collector.Source.GetManifest(ctx, source)
	if err != nil {
		return oci.Manifest{}, err
	}
	if size := int64(len(raw.Bytes)); size > smallManifest {
		release, ok := r.collector.memory().manifests.tryAcquire(r.repository.Registry, parsedFactor*size)
		if !ok {
			return oci.Manifest{}, &oci.Error{
				Code: oci.CodeBusy, Reason: "memory", RetryAfter: memoryRetry,
				Message: "too many large manifests are being read at this moment",
			}
		}
		defer release()
	}
	return oci.ParseManifest(raw.Bytes, raw.ContentType)
}

// reserve waits for memory for the payloads, each once, by the sizes that admit
// let through. What is reserved is given back by release.
func (r *round) reserve(ctx context.Context, payloads map[oci.Digest][]*pending) error {
	var total int64
	for _, items := range payloads {
		total += declared(items)
	}
	release, err := r.collector.memory().payloads.acquire(ctx, r.repository.Registry, total)
	if err == nil {
		r.release = release
	}
	return err
}

// declared is the size of the one payload that items share.
func declared(items []*pending) int64 {
	var size int64
	for _, item := range items {
		size = max(size, item.size)
	}
	return size
}
