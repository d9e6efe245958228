package proxy

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"vouchsafe/oci"
)

const (
	// servedBytes bounds the large manifests that requests hold, from their
	// arrival until the client has taken them: signatures may take long to come,
	// and clients to read. What requests hold of large blobs that were looked at
	// counts with them. One registry gets half, so that it never has all.
	servedBytes = 256 << 20
	// largeBytes is what counts as large. Smaller ones are bounded by the number
	// of connections.
	largeBytes = 64 << 10
	// inspectedBytes bounds what is in memory of one registry's blobs while they
	// are inspected. Registries are a closed list.
	inspectedBytes = 16 << 20
	// busyRetryAfter is when a client may come again.
	busyRetryAfter = 5 * time.Second
)

// holding counts what requests keep in memory. The zero value is empty.
type holding struct {
	mu sync.Mutex // guards all
	// users are how many requests hold one large manifest, which is in memory
	// once.
	users map[oci.Reference]int
	total int64
	// of is how much of total is of one registry.
	of map[string]int64
	// inspecting are the shares of registries for blobs.
	inspecting map[string]*semaphore.Weighted
}

// manifest counts an image until release is called: twice its size, for its
// reading. It never waits.
func (h *holding) manifest(image oci.Image) (release func(), err error) {
	size := 2 * int64(len(image.Bytes))
	if size <= 2*largeBytes {
		return func() {}, nil
	}
	name := oci.Reference{Repository: image.Reference.Repository, Digest: image.Reference.Digest}
	registry := name.Repository.Registry
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users == nil {
		h.users = map[oci.Reference]int{}
	}
	if h.users[name] == 0 && !h.take(registry, size) {
		return nil, busy("too many large manifests are being served")
	}
	h.users[name]++
	return func() { h.leave(name, size) }, nil
}

func (h *holding) leave(name oci.Reference, size int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users[name]--; h.users[name] > 0 {
		return
	}
	delete(h.users, name)
	h.give(name.Repository.Registry, size)
}

// alone counts bytes of a blob that one request holds for itself until release is
// called, which it may be more than once. It never waits.
func (h *holding) alone(registry string, size int64) (release func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.take(registry, size) {
		return nil, busy("too many large blobs are being served")
	}
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.give(registry, size)
	}), nil
}

// take and give are called with mu held.
func (h *holding) take(registry string, size int64) bool {
	if h.total+size > servedBytes || h.of[registry]+size > servedBytes/2 {
		return false
	}
	if h.of == nil {
		h.of = map[string]int64{}
	}
	h.total += size
	h.of[registry] += size
	return true
}

func (h *holding) give(registry string, size int64) {
	h.total -= size
	if h.of[registry] -= size; h.of[registry] == 0 {
		delete(h.of, registry)
	}
}

// blob waits for a share of a registry's memory until ctx ends. To call release
// more than once is as once.
func (h *holding) blob(ctx context.Context, registry string, size int64) (release func(), err error) {
	h.mu.Lock()
	if h.inspecting == nil {
		h.inspecting = map[string]*semaphore.Weighted{}
	}
	share := h.inspecting[registry]
	if share == nil {
		share = semaphore.NewWeighted(inspectedBytes)
		h.inspecting[registry] = share
	}
	h.mu.Unlock()
	if share.Acquire(ctx, size) != nil {
		return nil, busy("too many large blobs of this registry are being looked at")
	}
	return sync.OnceFunc(func() { share.Release(size) }), nil
}

func busy(message string) error {
	return &oci.Error{Code: oci.CodeBusy, Reason: "memory", RetryAfter: busyRetryAfter, Message: message}
}
