package faults_test

import (
	"math/rand/v2"
	"strings"

	"vouchsafe/e2e/faults/history"
)

// prepare fills the registry and opens it.
func (c *cell) prepare() error {
	c.reg = &registry{
		cell: c.name(), addr: c.addr(), recorder: c.lab.recorder,
		user: "cell", password: c.password(), repos: map[string]*repository{},
	}
	if c.variant.token {
		token := c.bearer()
		c.reg.token.Store(&token)
	}
	if c.variant.secure {
		if err := c.present(c.certificate, c.key); err != nil {
			return err
		}
	}
	c.exchanges, c.fault, c.more = nil, history.Fault{Cell: c.name()}, nil
	c.trusted, c.listing = map[string]map[string]bool{}, map[string]map[string][]string{}
	c.onceOnly = map[string]bool{}
	size := c.variant.layer
	if size == 0 {
		size = layerBytes
	}
	random := c.random()
	c.signed = c.push(random, "good", true, size)
	c.unsigned = c.push(random, "bad", false, size)
	c.disguise(random)
	if c.variant.setup != nil {
		c.variant.setup(c)
	}
	return c.reg.listen()
}

// push makes a subject.
func (c *cell) push(random *rand.Rand, tag string, trusted bool, size int) subject {
	s := subject{trusted: trusted, tag: tag, image: newImage(random, size)}
	top := s.image.document
	c.store(c.path(), s.image, "")
	if c.kind == byChild {
		index := newIndex(s.image.document, newImage(random, 64).document)
		s.index, top = &index, index
	}
	c.publish(c.path(), tag, top)
	if trusted {
		c.trust(c.path(), top.digest, s.image.digest)
		c.sign(c.path(), top.digest, c.lab.signer.layer(payload(top.digest)), payload(top.digest))
	}
	return s
}

// store puts an image and its blobs into a repository.
func (c *cell) store(path string, image imageContent, tag string) {
	held := c.reg.repo(path)
	for digest, b := range image.blobs {
		held.blobs[digest] = b
		origin := c.origin(path)
		if c.listing[origin] == nil {
			c.listing[origin] = map[string][]string{}
		}
		c.listing[origin][digest] = append(c.listing[origin][digest], image.digest)
	}
	c.publish(path, tag, image.document)
}

// publish puts a document under its digest, and a tag when there is one.
func (c *cell) publish(path, tag string, d document) {
	held := c.reg.repo(path)
	held.docs[d.digest] = &d
	if tag != "" {
		held.docs[tag] = &d
	}
}

// trust tells the checker what is vouched for.
func (c *cell) trust(path string, digests ...string) {
	origin := c.origin(path)
	if c.trusted[origin] == nil {
		c.trusted[origin] = map[string]bool{}
	}
	for _, d := range digests {
		c.trusted[origin][d] = true
	}
}

// sign puts signatures where cosign does: layers are the signatures, payloads
// the signed bytes of which the registry has a blob.
func (c *cell) sign(path, digest string, layer descriptor, payloads ...[]byte) {
	c.signMany(path, digest, []descriptor{layer}, payloads...)
}

func (c *cell) signMany(path, digest string, layers []descriptor, payloads ...[]byte) {
	manifest, config := signatureManifest(layers...)
	held := c.reg.repo(path)
	for _, b := range append(payloads, config) {
		held.blobs[digestOf(b)] = b
		held.artifacts[digestOf(b)] = true
	}
	held.artifacts[manifest.digest] = true
	c.publish(path, signatureTag(digest), manifest)
}

func signatureTag(digest string) string { return strings.Replace(digest, ":", "-", 1) + ".sig" }

// disguise prepares what must be refused whatever goes wrong: an image under the
// tag of a signature, and the signed bytes where nobody signed them.
func (c *cell) disguise(random *rand.Rand) {
	hidden := newImage(random, 4096)
	tag := signatureTag(digestOf([]byte(c.name())))
	c.store(c.path(), hidden, tag)
	c.store(c.twin(), c.signed.image, "good")
	c.more = append(c.more,
		c.manifest("GET", c.twin(), c.signed.image.digest, false),
		c.manifest("GET", c.twin(), "good", false),
		c.manifest("GET", c.path(), tag, false),
		c.manifest("HEAD", c.path(), tag, false),
	)
}

func (c *cell) origin(path string) string { return c.registryName() + "/" + path }
