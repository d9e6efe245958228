package faults_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"vouchsafe/e2e/faults/history"
)

// reopen listens again. The address is the cell's own, so nobody has taken it.
func (c *cell) reopen() {
	if err := c.reg.listen(); err != nil {
		panic(err)
	}
}

// rotate makes every token that was given out so far worthless.
func (c *cell) rotate() {
	token := c.bearer() + "-again"
	c.reg.token.Store(&token)
}

// neighbour is another cell of the lab, with another registry.
func (c *cell) neighbour() *cell { return c.lab.cells[(c.number+1)%len(c.lab.cells)] }

// named is the digest of what a call is about.
func (k *call) named() string {
	if k.doc != nil {
		return k.doc.digest
	}
	return k.ref
}

// digestHeader answers with another digest header; empty is none.
func digestHeader(value string) fault {
	return granted(func(k *call) bool {
		b := k.begin2(value)
		_, _ = k.w.Write(b)
		return true
	})
}

// begin2 is begin with a digest header.
func (k *call) begin2(digest string) []byte {
	if digest != "" {
		k.header().Set("Docker-Content-Digest", digest)
	}
	return k.begin()
}

// top is what a subject's tag leads to.
func (s subject) top() document {
	if s.index != nil {
		return *s.index
	}
	return s.image.document
}

// other answers with a document under the digest of another.
func (k *call) other(d document, digest string) bool {
	if !k.authorized() {
		return true
	}
	k.header().Set("Content-Type", d.mediaType)
	k.header().Set("Docker-Content-Digest", digest)
	k.send(d.bytes)
	return true
}

// alternates gives the signed and the unsigned image in turn, for either tag,
// each with its own digest.
func alternates(c *cell) fault {
	var n atomic.Int64
	return func(k *call) bool {
		if k.ref != c.signed.tag && k.ref != c.unsigned.tag {
			return false
		}
		if !k.authorized() {
			return true
		}
		// Longer than a tag is good for: nothing is answered from memory.
		time.Sleep(5 * time.Millisecond)
		d := c.signed.top()
		if n.Add(1)%2 == 0 {
			d = c.unsigned.top()
		}
		return k.other(d, d.digest)
	}
}

// wrongDigest gives the unsigned image for everything and says that it is the
// signed one.
func wrongDigest(c *cell) fault {
	return func(k *call) bool {
		if k.doc == nil || k.repo != c.path() {
			return false
		}
		return k.other(c.unsigned.top(), c.signed.top().digest)
	}
}

// onlyImages is a pull that leaves indexes out.
func onlyImages(c *cell) []ask {
	var asks []ask
	for _, s := range []subject{c.signed, c.unsigned} {
		for _, a := range c.pull(s) {
			if s.index == nil || a.reference != s.tag {
				asks = append(asks, a)
			}
		}
	}
	return asks
}

// page200 is a token answer of a size, or a page when that is zero.
func page200(size int) fault {
	return func(k *call) bool {
		body := []byte("<html>log in</html>")
		if size > 0 {
			body = append(append([]byte(`{"token":"`), bytes.Repeat([]byte("a"), size)...), `"}`...)
		}
		k.send(body)
		return true
	}
}

// documents are F13 and F14: manifests that must not be read, and indexes at
// their limits.
func documents() []*variant {
	image := func(extra string) string {
		return `{"schemaVersion":2,"mediaType":"` + typeManifest + `","config":{"mediaType":"` + typeConfig + `","digest":"` + digestOf(nil) +
			`","size":0},"layers":[]` + extra + `}`
	}
	list := []*variant{}
	for _, d := range []struct {
		name, mediaType, text string
	}{
		{"huge", typeManifest, image(`,"annotations":{"a":"` + strings.Repeat("a", 5<<20) + `"}`)},
		{"deep", typeManifest, image(`,"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000))},
		{"binary", typeManifest, "\x7fELF\x00\x01\x02\x03"},
		{"empty", typeManifest, ""},
		{"web-page", "text/html", "<html>hello</html>"},
		{"web-page-as-manifest", typeManifest, "<html>hello</html>"},
		{"wrong-type", typeIndex, image("")},
		{"both-types", typeManifest, image(`,"manifests":[]`)},
		{"bad-utf8", typeManifest, image(",\"annotations\":{\"a\":\"\xff\xfe\"}")},
		{"twice", typeManifest, image(`,"layers":[]`)},
		{"trailing", typeManifest, image("") + "{}"},
		{"null", typeManifest, "null"},
	} {
		list = append(list, &variant{name: "F13-" + d.name, script: func(c *cell) []ask {
			return c.odd(newDocument(d.mediaType, []byte(d.text)))
		}})
	}
	return append(list, indexes()...)
}

// odd publishes a document that must not be read, as what the cell pulls, and
// asks for it.
func (c *cell) odd(d document) []ask {
	c.reg.mu.Lock()
	defer c.reg.mu.Unlock()
	c.publish(c.path(), "odd", d)
	c.reg.repo(c.path()).blobs[d.digest] = d.bytes
	invalid := func(reference string) (asks []ask) {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			asks = append(asks, ask{method: method, content: history.Manifest, path: c.path(), reference: reference, want: []int{upstream}})
		}
		return asks
	}
	switch c.kind {
	case byTag:
		return invalid("odd")
	case byDigest:
		return invalid(d.digest)
	case byChild:
		index := newIndex(document{digest: d.digest, mediaType: typeManifest, bytes: d.bytes})
		c.publishSigned(index, "oddindex")
		// The list itself is fine, and is served.
		a := c.manifest(http.MethodGet, c.path(), "oddindex", true)
		a.want = []int{ok}
		return append([]ask{a}, invalid(d.digest)...)
	case byBlob:
	}
	// As a blob it is bytes; whether it is a manifest is looked at.
	return []ask{{method: http.MethodGet, content: history.Blob, path: c.path(), reference: d.digest, want: []int{ok, denied, upstream}}}
}
