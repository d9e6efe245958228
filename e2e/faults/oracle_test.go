package faults_test

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"vouchsafe/e2e/faults/history"
)

// ask is one request of a client and what may come of it.
type ask struct {
	method    string
	content   history.Content
	path      string
	reference string
	normal    int
	want      []int
	broken    bool
	// leave is after how many bytes the client goes; zero is never.
	leave int64
}

// known is a pull that makes the gateway know an image: what is normal of it
// holds whenever it is asked in this order.
func (c *cell) known(s subject) []ask {
	var asks []ask
	if s.index != nil {
		asks = append(asks, c.manifest("GET", c.path(), s.tag, s.trusted))
		asks = append(asks, c.manifest("GET", c.path(), s.image.digest, s.trusted))
	} else {
		asks = append(asks, c.manifest("GET", c.path(), s.tag, s.trusted))
		asks = append(asks, c.manifest("HEAD", c.path(), s.image.digest, s.trusted))
	}
	return append(asks, c.blobOf(s, s.image.layer, true), c.blobOf(s, s.image.config, true))
}

// blobOf is a question about a blob of a subject, whose manifest is known or not.
func (c *cell) blobOf(s subject, digest string, known bool) ask {
	a := ask{method: "GET", content: history.Blob, path: c.path(), reference: digest, normal: http.StatusOK}
	if known && c.enforce && !s.trusted {
		a.normal = http.StatusForbidden
	}
	return a
}

// pull is what the cell's client asks during the fault.
func (c *cell) pull(s subject) []ask {
	var asks []ask
	methods, digests := []string{"HEAD", "GET"}, []string{s.image.layer, s.image.config}
	if c.variant.brief {
		methods, digests = methods[:1], digests[:1]
		if s.trusted {
			methods = []string{"GET"}
		}
	}
	manifests := func(references ...string) {
		for _, reference := range references {
			for _, method := range methods {
				a := c.manifest(method, c.path(), reference, s.trusted)
				a.want = c.wantManifest(s, reference, a.normal)
				asks = append(asks, a)
			}
		}
	}
	switch c.kind {
	case byTag:
		manifests(s.tag)
	case byDigest:
		manifests(s.image.digest)
	case byChild:
		manifests(s.tag, s.image.digest)
	case byBlob:
	}
	for _, digest := range digests {
		a := c.blobOf(s, digest, c.warm)
		a.want, a.broken = c.wantBlob(s, a.normal)
		if c.warm && digest == s.image.config {
			a.want = append(a.want, a.normal) // it is at hand
		}
		asks = append(asks, a)
	}
	return asks
}

// wantManifest is the oracle for manifests.
func (c *cell) wantManifest(s subject, reference string, usual int) []int {
	v := c.variant
	tagged := !strings.Contains(reference, ":")
	fetched := v.touches(partManifest) && (!c.warm || tagged)
	judged := (v.touches(partEvidence) || v.touches(partPayload)) && !c.warm && (!v.spare || !s.trusted)
	var want []int
	if fetched {
		want = v.manifest
		if c.warm && v.stale != neverStale {
			want = append(slices.Clone(want), usual)
		}
		if c.warm && v.stale == mustBeStale {
			want = []int{usual}
		}
	}
	if judged {
		switch {
		case c.enforce:
			want = append(slices.Clone(want), v.evidence...)
		case !fetched:
			want = []int{http.StatusOK}
		}
	}
	if c.enforce && v.anyway != nil {
		want = v.anyway
	}
	if len(want) == 0 {
		return []int{usual}
	}
	want = slices.Clone(want)
	for i := range want {
		if want[i] == normal {
			want[i] = usual
		}
	}
	return want
}

// wantBlob is the oracle for blobs. Of an image that nobody signed the general
// rule of the checker says when its blobs are refused.
func (c *cell) wantBlob(s subject, usual int) (want []int, broken bool) {
	v := c.variant
	if c.enforce && (!s.trusted || v.replaces && !c.warm) {
		want = []int{http.StatusOK, http.StatusForbidden, http.StatusServiceUnavailable}
	}
	if c.enforce && !c.warm && (v.touches(partEvidence) || v.touches(partPayload)) {
		// Whether the image is denied could not be found out.
		want = append(want, http.StatusServiceUnavailable, http.StatusGatewayTimeout)
	}
	if !v.touches(partBlob) {
		return append(want, usual), false
	}
	for _, status := range v.blob {
		if status == normal {
			status = usual
		}
		want = append(want, status)
	}
	return want, v.broken
}

// ask asks the gateway once.
func (c *cell) ask(phase history.Phase, a ask) history.Exchange {
	kinds := map[history.Content]string{history.Manifest: "manifests", history.Blob: "blobs"}
	x := history.Exchange{
		Cell: c.name(), Phase: phase, Method: a.method, Content: a.content, Repository: c.origin(a.path),
		Reference: a.reference, Want: a.want, Broken: a.broken, Normal: a.normal, Asked: time.Now(),
	}
	c.lab.exchange(&x, "/v2/"+x.Repository+"/"+kinds[a.content]+"/"+a.reference, a.leave)
	return x
}
