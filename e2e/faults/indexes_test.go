package faults_test

import (
	"fmt"
	"net/http"
	"time"
)

// publishSigned publishes an index and vouches for it and what it lists.
func (c *cell) publishSigned(d document, tag string, children ...string) {
	c.publish(c.path(), tag, d)
	c.sign(c.path(), d.digest, c.lab.signer.layer(payload(d.digest)), payload(d.digest))
	c.trust(c.path(), append(children, d.digest)...)
}

// indexes are F14.
func indexes() []*variant {
	script := func(f func(c *cell) []ask) func(c *cell) []ask {
		return func(c *cell) []ask {
			c.reg.mu.Lock()
			defer c.reg.mu.Unlock()
			return f(c)
		}
	}
	get := func(c *cell, reference string, trusted bool, want ...int) ask {
		a := c.manifest(http.MethodGet, c.path(), reference, trusted)
		if a.want = want; len(want) == 0 {
			a.want = []int{a.normal}
		}
		return a
	}
	long := func(n int) document {
		list := indexManifest{SchemaVersion: 2, MediaType: typeIndex}
		for i := range n {
			d := describe(typeManifest, fmt.Appendf(nil, "child %d", i))
			list.Manifests = append(list.Manifests, d)
		}
		return newDocument(typeIndex, encode(list))
	}
	return []*variant{
		{name: "F14-nested", script: script(func(c *cell) []ask {
			// The image is eight lists below the one that is signed.
			chain := []document{newImage(c.random(), 512).document}
			for range 8 {
				chain = append(chain, newIndex(chain[len(chain)-1]))
			}
			var asks []ask
			for depth := range chain {
				d := chain[len(chain)-1-depth]
				c.publish(c.path(), "", d)
				if depth == 0 {
					c.publishSigned(d, "nested")
				} else if depth <= 4 {
					c.trust(c.path(), d.digest)
				}
				asks = append(asks, get(c, d.digest, depth <= 4))
			}
			return asks
		})},
		{name: "F14-many-children", script: script(func(c *cell) []ask {
			c.publishSigned(long(5000), "many")
			return []ask{get(c, "many", true, ok, upstream)}
		})},
		{name: "F14-too-many-children", script: script(func(c *cell) []ask {
			c.publishSigned(long(100_000), "many")
			return []ask{get(c, "many", true, upstream)}
		})},
		{name: "F14-child-missing", script: script(func(c *cell) []ask {
			missing := newImage(c.random(), 777).document
			c.publishSigned(newIndex(c.signed.image.document, missing), "sparse", missing.digest)
			return []ask{get(c, "sparse", true), get(c, missing.digest, true, gone), get(c, c.signed.image.digest, true)}
		})},
		{name: "F14-unknown-platform", script: script(func(c *cell) []ask {
			child := newImage(c.random(), 778)
			c.store(c.path(), child, "")
			list := indexManifest{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{describe(typeManifest, child.bytes)}}
			list.Manifests[0].Platform = &platform{OS: "unknown", Architecture: "unknown"}
			c.publishSigned(newDocument(typeIndex, encode(list)), "strange", child.digest)
			return []ask{get(c, "strange", true), get(c, child.digest, true)}
		})},
		{name: "F14-unsigned-parent", script: script(func(c *cell) []ask {
			child := newImage(c.random(), 779)
			c.store(c.path(), child, "")
			list := newIndex(child.document, c.signed.image.document)
			c.publish(c.path(), "unsigned", list)
			return []ask{get(c, "unsigned", false), get(c, child.digest, false), get(c, c.unsigned.image.digest, false)}
		})},
	}
}

// slowly sends a half, waits, and sends the rest.
var slowly = granted(func(k *call) bool {
	b := k.begin()
	_, _ = k.w.Write(b[:len(b)/2])
	k.flush()
	select {
	case <-k.r.Context().Done():
	case <-time.After(300 * time.Millisecond):
	}
	_, _ = k.w.Write(b[len(b)/2:])
	return true
})

// crowds are F21 and F22: many clients of one image.
func crowds() []*variant {
	once := func(c *cell) {
		for _, s := range []subject{c.signed, c.unsigned} {
			for _, path := range []string{
				"manifests/" + s.tag, "manifests/" + s.image.digest, "blobs/" + s.image.layer, "blobs/" + s.image.config,
			} {
				c.onceOnly[c.addr()+"/v2/"+c.path()+"/"+path] = true
			}
		}
	}
	usual := []int{normal}
	return []*variant{
		{name: "F21-first-client-leaves", hits: contents, fault: each(slowly), manifest: usual, blob: usual, crowd: 8, leavers: 2},
		{name: "F22-crowd", hits: contents, fault: each(slowly), manifest: usual, blob: usual, crowd: 20, setup: once},
	}
}
