package faults_test

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Statuses of the contract, shorter.
const (
	ok       = http.StatusOK
	denied   = http.StatusForbidden
	gone     = http.StatusNotFound
	busy     = http.StatusTooManyRequests
	later    = http.StatusServiceUnavailable
	upstream = http.StatusBadGateway
	slow     = http.StatusGatewayTimeout
)

var (
	manifests = []part{partManifest}
	blobs     = []part{partBlob}
	contents  = []part{partManifest, partBlob}
	evidence  = []part{partEvidence, partPayload}
	all       = []part{partManifest, partBlob, partEvidence, partPayload}
	tokens    = []part{partManifest, partBlob, partEvidence, partPayload, partToken}
)

// variants are all that the suite knows, in the order of the list of faults.
func variants() []*variant {
	return slices.Concat(
		unreachable(), statuses(), bodies(), redirects(), credentials(),
		documents(), signatures(), crowds(), processes(),
	)
}

// each makes what a fault needs for one run of a cell out of what needs nothing.
func each(f fault) func(*cell) fault { return func(*cell) fault { return f } }

// unreachable are F1 to F4: registries that do not answer, or not in time.
func unreachable() []*variant {
	away := func(name string, trouble byte, statuses ...int) *variant {
		return &variant{
			name: name, hits: all, named: true, brief: true, manifest: statuses, blob: statuses, stale: mustBeStale,
			begin: func(c *cell) {
				if c.lab.names != nil {
					c.lab.names.setTrouble(c.registryName(), trouble)
				}
				// A connection that is open needs no name.
				c.reg.close()
			},
			end: func(c *cell) {
				if c.lab.names != nil {
					c.lab.names.setTrouble(c.registryName(), 0)
				}
				c.reopen()
			},
		}
	}
	refused := away("F1-refused", 0, upstream)
	refused.named = false
	return []*variant{
		{name: "F0-nothing-wrong", hits: all, manifest: []int{normal}, evidence: []int{normal}, blob: []int{normal}},
		{name: "F0-nothing-wrong-over-tls", secure: true, hits: all, manifest: []int{normal}, evidence: []int{normal}, blob: []int{normal}},
		refused,
		impostor(),
		away("F1-name-unknown", nameUnknown, upstream),
		away("F1-name-failure", nameFailure, upstream),
		away("F1-name-silent", nameSilent, upstream, slow),
		{name: "F2-no-answer", brief: true, short: true, hits: contents, fault: each(hang), manifest: []int{slow}, blob: []int{slow}, stale: mustBeStale},
		{name: "F2-no-answer-about-signatures", brief: true, short: true, hits: evidence, fault: each(hang), evidence: []int{later}},
		{name: "F3-manifest-stalls", brief: true, short: true, hits: manifests, fault: each(stall), manifest: []int{slow, upstream}, stale: mustBeStale},
		{name: "F3-blob-stalls", brief: true, short: true, hits: blobs, fault: each(stall), blob: []int{ok, slow, upstream}, broken: true},
		{name: "F3-signatures-stall", brief: true, short: true, hits: evidence, fault: each(stall), evidence: []int{later, normal}},
		{name: "F4-manifest-drips", brief: true, short: true, hits: manifests, fault: each(drip), manifest: []int{slow, upstream}, stale: mustBeStale},
		{name: "F4-blob-drips", brief: true, short: true, hits: blobs, fault: each(drip), blob: []int{ok, slow, upstream}, broken: true},
		{name: "F4-signatures-drip", brief: true, short: true, hits: evidence, fault: each(drip), evidence: []int{later, normal}},
	}
}

// impostor is a registry whose certificate nobody trusts.
func impostor() *variant {
	return &variant{
		name: "F1-other-certificate", secure: true, brief: true, hits: all, manifest: []int{upstream}, blob: []int{upstream}, stale: mustBeStale,
		begin: func(c *cell) {
			certificate, key, err := certify(1, c.host())
			if err := errors.Join(err, c.present(certificate, key)); err != nil {
				panic(err)
			}
			c.reg.close()
			c.reopen()
		},
		end: func(c *cell) {
			if err := c.present(c.certificate, c.key); err != nil {
				panic(err)
			}
			c.reg.close()
			c.reopen()
		},
	}
}

// statuses are F5 and F6: registries that say no for now.
func statuses() []*variant {
	var list []*variant
	for _, code := range []int{500, 502, 503, 504} {
		allowed := []int{upstream}
		if code == 504 {
			allowed = append(allowed, slow)
		}
		list = append(list,
			&variant{name: "F5-" + strconv.Itoa(code), brief: true, hits: contents, fault: each(status(code)), manifest: allowed, blob: allowed, stale: mustBeStale},
			&variant{name: "F5-" + strconv.Itoa(code) + "-about-signatures", brief: true, hits: evidence, fault: each(status(code)), evidence: []int{later}},
		)
	}
	list = append(list,
		&variant{name: "F5-500-once", hits: all, fault: each(firstOf(1, status(500))), manifest: []int{normal}, evidence: []int{normal}, blob: []int{normal}},
		&variant{name: "F5-503-once", hits: all, fault: each(firstOf(1, status(503))), manifest: []int{normal}, evidence: []int{normal}, blob: []int{normal}},
	)
	for name, wait := range map[string]struct {
		code   int
		header func() string
		pause  time.Duration
	}{
		"F6-seconds":     {429, func() string { return "2" }, 2 * time.Second},
		"F6-date":        {429, func() string { return time.Now().Add(3 * time.Second).UTC().Format(http.TimeFormat) }, 3 * time.Second},
		"F6-absurd":      {429, func() string { return "99999999999999999999" }, 30 * time.Second},
		"F6-past":        {429, func() string { return "Thu, 01 Jan 1970 00:00:00 GMT" }, 0},
		"F6-negative":    {429, func() string { return "-5" }, 0},
		"F6-missing":     {429, func() string { return "" }, 0},
		"F6-503-seconds": {503, func() string { return "2" }, 2 * time.Second},
	} {
		list = append(list, &variant{
			name: name, brief: true, hits: all, pause: wait.pause, stale: mayBeStale,
			manifest: []int{busy, later}, blob: []int{busy, later}, evidence: []int{busy, later},
			fault: each(func(k *call) bool {
				if value := wait.header(); value != "" {
					k.header().Set("Retry-After", value)
				}
				return status(wait.code)(k)
			}),
		})
	}
	slices.SortFunc(list[len(list)-7:], func(a, b *variant) int { return slices.Compare([]byte(a.name), []byte(b.name)) })
	return list
}

// bodies are F7 to F10: answers that break, or are not what they say.
func bodies() []*variant {
	broken := []int{ok, upstream}
	list := []*variant{
		{name: "F7-reset-with-ranges", hits: blobs, fault: each(cut(true)), blob: []int{normal}},
		{name: "F7-reset-without-ranges", hits: blobs, fault: each(cut(false)), blob: broken, broken: true},
		{name: "F7-reset-in-manifest", hits: manifests, fault: each(cut(false)), manifest: []int{upstream}, stale: mustBeStale},
		{name: "F7-reset-in-signatures", hits: evidence, fault: each(cut(false)), evidence: []int{later, normal}},
		{name: "F7-range-of-other-bytes", hits: blobs, fault: each(otherRange(false)), blob: broken, broken: true},
		{name: "F7-range-elsewhere", hits: blobs, fault: each(otherRange(true)), blob: broken, broken: true},
	}
	for how, fine := range map[string]bool{"absent": true, "chunked": true, "long": false, "short": false, "twice": false} {
		v := &variant{name: "F8-length-" + how, hits: contents, fault: each(length(how)), stale: mayBeStale, manifest: []int{upstream}, blob: broken, broken: true}
		if fine {
			v.manifest, v.blob = []int{normal, upstream}, []int{normal, upstream}
		}
		list = append(list, v)
	}
	slices.SortFunc(list[len(list)-5:], func(a, b *variant) int { return slices.Compare([]byte(a.name), []byte(b.name)) })
	// Where a body by tag is another than before, the checker says what may
	// become of it: it is served under its own digest, or it is not.
	other := []int{ok, denied, upstream}
	return append(list,
		&variant{name: "F9-flipped-blob", hits: blobs, fault: each(flip("")), blob: broken, broken: true},
		&variant{name: "F9-flipped-manifest", hits: manifests, replaces: true, fault: each(flip(`"mediaType":"application/vnd.oci.image.`)), manifest: other, stale: mayBeStale},
		&variant{name: "F9-flipped-text", hits: manifests, replaces: true, fault: each(flip(`:"aaaa`)), manifest: other, stale: mayBeStale, script: onlyImages},
		&variant{name: "F9-flipped-payload", hits: []part{partPayload}, fault: each(flip("")), evidence: []int{denied, later}},
		&variant{name: "F9-alternates", hits: manifests, replaces: true, fault: alternates, manifest: other, stale: mayBeStale},
		&variant{name: "F10-wrong-digest", hits: manifests, replaces: true, fault: wrongDigest, manifest: other, stale: mayBeStale},
		&variant{name: "F10-no-digest", hits: contents, fault: each(digestHeader("")), manifest: []int{normal}, blob: []int{normal}},
		&variant{name: "F10-no-digest-at-all", hits: contents, fault: each(digestHeader("sha256:../../etc/passwd")), manifest: []int{normal, upstream}, blob: []int{normal, upstream}},
	)
}

// redirects are F11, and F19 for its headers.
func redirects() []*variant {
	to := func(name string, code int, target func(c *cell, k *call) string, statuses ...int) *variant {
		return &variant{
			name: "F11-" + name, hits: contents, manifest: statuses, blob: statuses, stale: mayBeStale,
			fault: func(c *cell) fault {
				return func(k *call) bool {
					if len(k.r.URL.Path) > len(moved) && k.r.URL.Path[:len(moved)] == moved {
						return false
					}
					return redirect(code, func(k *call) string { return target(c, k) })(k)
				}
			},
		}
	}
	canary := func(c *cell, k *call) string {
		return "http://" + c.lab.canaryAddr() + "/" + strconv.Itoa(c.number) + k.r.URL.Path
	}
	cdn := func(c *cell, k *call) string {
		return "http://" + c.lab.cdnAddr() + "/" + strconv.Itoa(c.number) + "/" + k.named()
	}
	page303 := func(c *cell) fault {
		return func(k *call) bool {
			if k.r.URL.Query().Has("page") {
				return page(404, "text/html", "<html>not here</html>")(k)
			}
			return redirect(303, func(k *call) string { return k.r.URL.Path + "?page" })(k)
		}
	}
	skew := func(d time.Duration) fault {
		return func(k *call) bool {
			k.header().Set("Date", time.Now().Add(d).UTC().Format(http.TimeFormat))
			return false
		}
	}
	// Redirects may go to that host, but not out of TLS.
	plain := to("out-of-tls", 307, cdn, upstream)
	plain.secure = true
	web := &variant{name: "F11-web-page", hits: contents, fault: page303, manifest: []int{upstream, gone}, blob: []int{upstream, gone}, stale: mayBeStale}
	return []*variant{
		{name: "F11-loop", hits: contents, fault: each(hops(1 << 20)), manifest: []int{upstream}, blob: []int{upstream}, stale: mayBeStale},
		{name: "F11-20-hops", hits: contents, fault: each(hops(20)), manifest: []int{upstream}, blob: []int{upstream}, stale: mayBeStale},
		to("internal", 307, canary, upstream),
		to("other-registry", 307, func(c *cell, k *call) string {
			return "http://" + c.neighbour().addr() + k.r.URL.Path
		}, upstream),
		to("other-scheme", 302, func(c *cell, k *call) string { return "https://" + c.addr() + moved + k.r.URL.Path }, upstream),
		to("file", 302, func(*cell, *call) string { return "file:///etc/passwd" }, upstream),
		to("no-location", 307, func(*cell, *call) string { return "" }, upstream),
		to("relative", 307, func(_ *cell, k *call) string { return moved + k.r.URL.Path }, normal),
		to("cdn", 307, cdn, normal),
		web, plain,
		{name: "F11-web-page-about-signatures", hits: evidence, spare: true, fault: func(c *cell) fault { return referrers(page303(c)) }, evidence: []int{normal}},
		{name: "F19-date-tomorrow", hits: all, fault: each(skew(24 * time.Hour)), manifest: []int{normal}, evidence: []int{normal}, blob: []int{normal}},
		{name: "F19-date-yesterday", hits: all, fault: each(skew(-24 * time.Hour)), manifest: []int{normal}, evidence: []int{normal}, blob: []int{normal}},
	}
}

// credentials are F12: tokens that do not come, and realms that want them.
func credentials() []*variant {
	unreadable := []int{denied, upstream}
	rotated := func(name string, f fault, statuses ...int) *variant {
		return &variant{
			name: "F12-" + name, brief: true, short: true, token: true, hits: tokens, manifest: statuses, blob: statuses, evidence: statuses, stale: mayBeStale,
			begin: func(c *cell) { c.rotate() },
			fault: each(func(k *call) bool { return k.part == partToken && f != nil && f(k) }),
		}
	}
	realm := func(name string, target func(c *cell) string) *variant {
		v := rotated(name, nil, unreadable...)
		v.begin = func(c *cell) {
			c.rotate()
			c.reg.mu.Lock()
			defer c.reg.mu.Unlock()
			c.reg.realm = target(c)
		}
		v.end = func(c *cell) {
			c.reg.mu.Lock()
			defer c.reg.mu.Unlock()
			c.reg.realm = ""
		}
		return v
	}
	return []*variant{
		{
			name: "F12-refused-always", hits: all, manifest: []int{denied}, blob: []int{denied}, evidence: []int{denied},
			fault: each(status(401, "WWW-Authenticate", `Basic realm="lab"`)),
		},
		{name: "F12-forbidden", hits: contents, fault: each(status(403)), manifest: []int{denied}, blob: []int{denied}},
		{name: "F12-signatures-refused", hits: evidence, fault: each(status(401)), evidence: []int{later}},
		rotated("token-ends", nil, normal),
		rotated("token-hangs", hang, slow, upstream),
		rotated("token-500", status(500), upstream),
		rotated("token-huge", page200(2<<20), upstream),
		rotated("token-no-json", page200(0), upstream),
		rotated("token-empty", func(k *call) bool { k.send([]byte(`{"token":""}`)); return true }, upstream),
		realm("realm-elsewhere", func(c *cell) string {
			return "http://" + c.lab.canaryAddr() + "/" + strconv.Itoa(c.number) + "/token"
		}),
		// That host may be redirected to, so nothing but the rule about realms
		// stands before it.
		realm("realm-at-the-cdn", func(c *cell) string {
			return "http://" + c.lab.cdnAddr() + "/" + strconv.Itoa(c.number) + "/token"
		}),
		realm("realm-at-a-neighbour", func(c *cell) string { return "http://" + c.neighbour().addr() + "/token" }),
	}
}
