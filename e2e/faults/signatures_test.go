package faults_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"vouchsafe/e2e/faults/history"
)

// typeReferrers is the type of an index of referrers.
const typeReferrers = typeIndex

// signatures are F15 and F16: lists of referrers, and what is signed.
func signatures() []*variant {
	// The signed image's signature is under its tag, so whatever the list of
	// referrers is, that one counts.
	listed := func(name string, f func(c *cell) fault, statuses ...int) *variant {
		return &variant{
			name: "F15-" + name, hits: evidence, spare: true, evidence: statuses,
			fault: func(c *cell) fault { return referrers(f(c)) },
		}
	}
	linked := func(link func(c *cell, k *call) string) func(c *cell) fault {
		return func(c *cell) fault {
			return func(k *call) bool {
				k.header().Set("Link", "<"+link(c, k)+`>; rel="next"`)
				return page(http.StatusOK, typeReferrers, referrersList())(k)
			}
		}
	}
	return append([]*variant{
		listed("endless", linked(func(_ *cell, k *call) string {
			return fmt.Sprintf("%s?n=1&last=%d", k.r.URL.Path, k.n)
		}), normal, later),
		listed("same-page", linked(func(_ *cell, k *call) string { return k.r.URL.Path }), normal, later),
		listed("link-elsewhere", linked(func(c *cell, k *call) string {
			return fmt.Sprintf("http://%s/%d%s", c.lab.canaryAddr(), c.number, k.r.URL.Path)
		}), normal, later),
		listed("404", func(*cell) fault { return status(404) }, normal),
		listed("400", func(*cell) fault { return status(400) }, normal),
		listed("web-page", func(*cell) fault { return page(http.StatusOK, "text/html", "<html>hello</html>") }, normal, later),
		listed("wrong-subject", func(c *cell) fault {
			// A list of signatures of another image, and of what is not there.
			top := c.signed.top()
			manifest := *c.reg.repo(c.path()).docs[signatureTag(top.digest)]
			return page(http.StatusOK, typeReferrers, referrersList(describe(typeManifest, manifest.bytes), describe(typeManifest, []byte("nothing"))))
		}, normal, later),
		listed("huge", func(*cell) fault {
			return page(http.StatusOK, typeReferrers, strings.Repeat(" ", 6<<20)+referrersList())
		}, normal, later),
	}, unusable()...)
}

func referrersList(entries ...descriptor) string {
	if entries == nil {
		entries = []descriptor{}
	}
	return string(encode(indexManifest{SchemaVersion: 2, MediaType: typeReferrers, Manifests: entries}))
}

// unusable are F16. The signed image has a signature that cannot be used before
// the good one; a third image has that one alone.
func unusable() []*variant {
	kinds := map[string]func(l *lab, digest string) (descriptor, []byte){
		"missing": func(l *lab, digest string) (descriptor, []byte) {
			gone := append(payload(digest), ' ')
			return l.signer.layer(gone), nil
		},
		"huge": func(l *lab, digest string) (descriptor, []byte) {
			huge := append(payload(digest), bytes.Repeat([]byte(" "), 3<<20)...)
			return l.signer.layer(huge), huge
		},
		"garbage": func(l *lab, digest string) (descriptor, []byte) {
			garbage := []byte("garbage about " + digest)
			return l.signer.layer(garbage), garbage
		},
		"wrong-type": func(l *lab, digest string) (descriptor, []byte) {
			d := l.signer.layer(payload(digest))
			d.MediaType = "application/octet-stream"
			return d, payload(digest)
		},
		"other-image": func(l *lab, digest string) (descriptor, []byte) {
			other := payload(digestOf([]byte(digest)))
			return l.signer.layer(other), other
		},
		"other-key": func(_ *lab, digest string) (descriptor, []byte) {
			return newSigner().layer(payload(digest)), payload(digest)
		},
		"wrong-size": func(l *lab, digest string) (descriptor, []byte) {
			d := l.signer.layer(payload(digest))
			d.Size = 1 << 62
			return d, nil
		},
	}
	var list []*variant
	for _, name := range []string{"missing", "huge", "garbage", "wrong-type", "other-image", "other-key", "wrong-size"} {
		spoil := kinds[name]
		list = append(list, &variant{
			name: "F16-" + name,
			setup: func(c *cell) {
				top := c.signed.top().digest
				bad, signed := spoil(c.lab, top)
				payloads := [][]byte{payload(top)}
				if signed != nil {
					payloads = append(payloads, signed)
				}
				if bad.Digest == digestOf(payload(top)) {
					payloads = payloads[:1]
				}
				c.signMany(c.path(), top, []descriptor{bad, c.lab.signer.layer(payload(top))}, payloads...)
			},
			script: func(c *cell) []ask { return append(c.pull(c.signed), c.spoiled(spoil)...) },
		})
	}
	return list
}

// spoiled pushes an image with an unusable signature alone and asks for it.
func (c *cell) spoiled(spoil func(l *lab, digest string) (descriptor, []byte)) []ask {
	c.reg.mu.Lock()
	defer c.reg.mu.Unlock()
	third := newImage(c.random(), 999)
	c.store(c.path(), third, "third")
	bad, signed := spoil(c.lab, third.digest)
	if signed == nil {
		c.sign(c.path(), third.digest, bad)
	} else {
		c.sign(c.path(), third.digest, bad, signed)
	}
	var asks []ask
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		a := ask{method: method, content: history.Manifest, path: c.path(), reference: "third", want: []int{ok}}
		if c.enforce {
			a.want = []int{denied, later}
		}
		asks = append(asks, a)
	}
	return asks
}
