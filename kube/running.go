package kube

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"vouchsafe/oci"
)

// tellEvery is how often the images that run are handed on at most.
const tellEvery = time.Second

// running is an image with the number of containers that run it; pods share it.
type running struct {
	ref oci.Reference
	n   int
}

// put replaces the images of a pod. p.mu is held.
func (p *Pods) put(uid string, images []oci.Reference) {
	before := p.running[uid]
	delete(p.running, uid)
	if len(images) > 0 {
		now := make([]*running, len(images))
		for i, ref := range images {
			one := p.images[ref]
			if one == nil {
				one = &running{ref: ref}
				p.images[ref], p.told = one, false
			}
			one.n++
			now[i] = one
		}
		p.running[uid] = now
	}
	for _, one := range before {
		if one.n--; one.n == 0 {
			delete(p.images, one.ref)
			p.told = false
		}
	}
	p.count.Store(int64(len(p.images)))
}

// keepOnly forgets the pods that a list did not have.
func (p *Pods) keepOnly(seen map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for uid := range p.running {
		if !seen[uid] {
			p.put(uid, nil)
		}
	}
	if !p.listed {
		p.listed, p.told = true, false
	}
}

// tell hands on the images that run, once all pods were listed.
func (p *Pods) tell(ctx context.Context) {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if images, changed := p.changed(); changed {
			p.hand(ctx, images)
		}
	}
}

// hand calls Deployed; a panic in it is logged.
func (p *Pods) hand(ctx context.Context, images []oci.Reference) {
	defer func() {
		if r := recover(); r != nil {
			p.cfg.Log.ErrorContext(ctx, "deployed images not taken in", "error", fmt.Sprintf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	p.cfg.Deployed(images)
}

// changed returns the images that run if they are others than those that were
// handed on.
func (p *Pods) changed() ([]oci.Reference, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told || !p.listed {
		return nil, false
	}
	p.told = true
	all := make([]oci.Reference, 0, len(p.images))
	for ref := range p.images {
		all = append(all, ref)
	}
	return all, true
}
