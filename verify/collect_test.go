package verify_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// hang answers nothing until the client has left.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func TestCollectPlaces(t *testing.T) {
	s := newSigner(t)
	in := s.integration(t, "release")
	digest := someImage("a")
	sigTag, refTag := "app/manifests/"+digest.TagName()+".sig", "app/manifests/"+digest.TagName()
	api := "app/referrers/" + digest.String()

	for _, c := range []struct {
		name   string
		set    func(w *world)
		status verify.Status
		reason verify.Reason
		items  int
	}{
		{"nothing anywhere", func(*world) {}, verify.Unsigned, "", 0},
		{"a layer under the tag", func(w *world) { w.sig("app", digest, s.layer(t, digest)) }, verify.Verified, "", 1},
		{"a bundle in the referrers API", func(w *world) { w.api("app", digest, w.referrer("app", digest, s.bundle(t, digest))) }, verify.Verified, "", 1},
		{"a bundle under the referrers tag", func(w *world) { w.referrersTag("app", digest, w.referrer("app", digest, s.bundle(t, digest))) }, verify.Verified, "", 1},
		{"the same bundle in API and tag counts once", func(w *world) {
			entry := w.referrer("app", digest, s.bundle(t, digest))
			w.api("app", digest, entry)
			w.referrersTag("app", digest, entry)
		}, verify.Verified, "", 1},
		{"the same bundle in two manifests counts once", func(w *world) {
			bundle := s.bundle(t, digest)
			w.api("app", digest, w.referrer("app", digest, bundle), w.referrer("app", someImage("b"), bundle))
		}, verify.Verified, "", 1},
		{"two keys over one payload are two signatures", func(w *world) {
			w.sig("app", digest, newSigner(t).layer(t, digest), s.layer(t, digest))
		}, verify.Verified, "", 2},
		{"an artifact type that is the config's", func(w *world) {
			entry := w.referrer("app", digest, s.bundle(t, digest))
			entry["artifactType"] = "application/vnd.oci.empty.v1+json"
			w.api("app", digest, entry)
		}, verify.Verified, "", 1},
		{"no artifact type", func(w *world) {
			entry := w.referrer("app", digest, s.bundle(t, digest))
			delete(entry, "artifactType")
			w.referrersTag("app", digest, entry)
		}, verify.Verified, "", 1},
		{"an artifact type that is clearly something else is not fetched", func(w *world) {
			entry := w.referrer("app", digest, []byte("an SBOM"))
			entry["artifactType"] = "application/spdx+json"
			w.api("app", digest, entry)
		}, verify.Unsigned, "", 0},
		{"layers of other types under the tag are ignored", func(w *world) {
			w.sig("app", digest, layer{mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", payload: []byte("x")})
		}, verify.Unsigned, "", 0},
		{"a listed bundle that was deleted", func(w *world) {
			entry := w.referrer("app", digest, s.bundle(t, digest))
			w.answer("app/manifests/"+entry["digest"].(oci.Digest).String(), http.NotFound)
			w.api("app", digest, entry)
		}, verify.Untrusted, verify.Malformed, 1},
		{"a listed manifest of unknown kind that was deleted", func(w *world) {
			entry := w.referrer("app", digest, s.bundle(t, digest))
			delete(entry, "artifactType")
			w.answer("app/manifests/"+entry["digest"].(oci.Digest).String(), http.NotFound)
			w.api("app", digest, entry)
		}, verify.Unsigned, "", 0},
		{"a layer whose blob is missing", func(w *world) {
			l := s.layer(t, digest)
			w.sig("app", digest, l)
			w.answer("app/blobs/"+oci.SHA256(l.payload).String(), http.NotFound)
		}, verify.Untrusted, verify.Malformed, 1},
		{"a layer that is longer than it says", func(w *world) {
			l := s.layer(t, digest)
			l.size = 10
			w.sig("app", digest, l)
		}, verify.Untrusted, verify.Malformed, 1},
		{"a layer whose bytes are others", func(w *world) {
			l := s.layer(t, digest)
			w.sig("app", digest, l)
			w.set("app/blobs/"+oci.SHA256(l.payload).String(), "", []byte(strings.Repeat("x", len(l.payload))))
		}, verify.Unavailable, verify.FetchFailed, 1},
		{"a .sig tag that is an index", func(w *world) { w.tag("app", digest.TagName()+".sig", oci.MediaTypeImageIndex, index()) }, verify.Untrusted, verify.Malformed, 0},
		{"a referrers tag that is an image", func(w *world) {
			w.sig("app", digest)
			w.answer(refTag, func(rw http.ResponseWriter, r *http.Request) {
				r.URL.Path = "/v2/" + sigTag
				w.ServeHTTP(rw, r)
			})
		}, verify.Untrusted, verify.Malformed, 0},
		{"a .sig tag that is not JSON", func(w *world) { w.set(sigTag, oci.MediaTypeImageManifest, []byte("nonsense")) }, verify.Untrusted, verify.Malformed, 0},
		{"the tag answers 500", func(w *world) { w.answer(sigTag, status(500)) }, verify.Unavailable, verify.FetchFailed, 0},
		{"the tag answers 401", func(w *world) { w.answer(sigTag, status(401)) }, verify.Unavailable, verify.FetchUnauthorized, 0},
		{"the API answers 502", func(w *world) { w.answer(api, status(502)) }, verify.Unavailable, verify.FetchFailed, 0},
		{"the referrers tag answers 503", func(w *world) { w.answer(refTag, status(503)) }, verify.Unavailable, verify.FetchFailed, 0},
		{"a good layer while the API fails", func(w *world) {
			w.answer(api, status(500))
			w.sig("app", digest, s.layer(t, digest))
		}, verify.Verified, "", 1},
		{"a good bundle while the tag is nonsense", func(w *world) {
			w.set(sigTag, oci.MediaTypeImageManifest, []byte("nonsense"))
			w.api("app", digest, w.referrer("app", digest, s.bundle(t, digest)))
		}, verify.Verified, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.set(w)
			evidence := w.collect("app", digest)
			got := verify.Judge(evidence, in, time.Now())
			if got.Status != c.status || got.Reason != c.reason {
				t.Errorf("got %v %q: %s; want %v %q", got.Status, got.Reason, got.Message, c.status, c.reason)
			}
			if len(evidence.Items) != c.items {
				t.Errorf("got %d items, want %d", len(evidence.Items), c.items)
			}
		})
	}
}

func TestCollectHangingPlaceDoesNotHideOthers(t *testing.T) {
	s := newSigner(t)
	in := s.integration(t, "release")
	digest := someImage("a")
	for _, c := range []struct{ name, path string }{
		{"the referrers API", "app/referrers/" + digest.String()},
		{"the referrers tag", "app/manifests/" + digest.TagName()},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.answer(c.path, hang)
			source := newSource()
			defer source.close()
			collector := &verify.Collector{Source: source, Timeout: 400 * time.Millisecond}
			got := verify.Judge(collector.Collect(t.Context(), w.repository("app"), digest), in, time.Now())
			if got.Status != verify.Unavailable || got.Reason != verify.Timeout {
				t.Errorf("unsigned: got %v %q, want Unavailable TIMEOUT", got.Status, got.Reason)
			}
			w.sig("app", digest, s.layer(t, digest))
			got = verify.Judge(collector.Collect(t.Context(), w.repository("app"), digest), in, time.Now())
			if got.Status != verify.Verified {
				t.Errorf("signed: got %v %q, want Verified", got.Status, got.Reason)
			}
		})
	}
}

func TestCollectCaps(t *testing.T) {
	s := newSigner(t)
	in := s.integration(t, "release")
	digest := someImage("a")
	junk := func(n int) []layer {
		var all []layer
		for i := range n {
			all = append(all, layer{payload: fmt.Appendf(nil, "junk %d", i), annotations: map[string]string{signatureAnnotation: "AAAA"}})
		}
		return all
	}
	good := s.layer(t, digest)
	big := func(i int) layer {
		return layer{payload: []byte(fmt.Sprint(i, strings.Repeat("x", verify.MaxSignatureBytes-100)))}
	}

	for _, c := range []struct {
		name   string
		set    func(w *world)
		status verify.Status
		reason verify.Reason
		items  int
	}{
		{"the 64th signature counts", func(w *world) { w.sig("app", digest, append(junk(63), good)...) }, verify.Verified, "", 64},
		{"the 65th is over the limit, not unsigned", func(w *world) { w.sig("app", digest, append(junk(64), good)...) }, verify.Untrusted, verify.OverLimit, 64},
		{"a flood in one place does not hide another", func(w *world) {
			w.sig("app", digest, junk(200)...)
			w.api("app", digest, w.referrer("app", digest, s.bundle(t, digest)))
		}, verify.Verified, "", 64},
		{"a flood of referrers does not hide the tag", func(w *world) {
			var entries []object
			for i := range 200 {
				entries = append(entries, w.referrer("app", digest, fmt.Appendf(nil, "{%d", i)))
			}
			w.api("app", digest, entries...)
			w.sig("app", digest, good)
		}, verify.Verified, "", 64},
		{"a layer that says it is over 1 MiB is not fetched", func(w *world) {
			w.sig("app", digest, layer{payload: []byte("x"), size: verify.MaxSignatureBytes + 1})
		}, verify.Untrusted, verify.OverLimit, 1},
		{"a layer that says it has 2^63-1 bytes", func(w *world) {
			w.sig("app", digest, layer{payload: []byte("x"), size: 1<<63 - 1}, good)
		}, verify.Verified, "", 2},
		{"9 of 1 MiB are over 8 MiB together", func(w *world) {
			w.sig("app", digest, big(1), big(2), big(3), big(4), big(5), big(6), big(7), big(8), big(9))
		}, verify.Untrusted, verify.OverLimit, 9},
		{"a small good one still fits behind them", func(w *world) {
			w.sig("app", digest, big(1), big(2), big(3), big(4), big(5), big(6), big(7), big(8), good)
		}, verify.Verified, "", 9},
		{"1,000 layers of 128 MiB", func(w *world) {
			all := []layer{good}
			for i := range 999 {
				all = append(all, layer{payload: fmt.Append(nil, i), size: 128 << 20})
			}
			w.sig("app", digest, all...)
		}, verify.Verified, "", 64},
		{"1,001 entries in the referrers tag", func(w *world) {
			var entries []object
			one := w.referrer("app", digest, []byte("x"))
			for range 1001 {
				entries = append(entries, one)
			}
			w.referrersTag("app", digest, entries...)
		}, verify.Untrusted, verify.OverLimit, 0},
		{"referrers without end", func(w *world) { w.answer("app/referrers/"+digest.String(), endless(w, digest)) }, verify.Untrusted, verify.OverLimit, 0},
		{"referrers without end beside a good one", func(w *world) {
			w.answer("app/referrers/"+digest.String(), endless(w, digest))
			w.sig("app", digest, good)
		}, verify.Verified, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.set(w)
			evidence := w.collect("app", digest)
			got := verify.Judge(evidence, in, time.Now())
			if got.Status != c.status || got.Reason != c.reason {
				t.Errorf("got %v %q: %s; want %v %q", got.Status, got.Reason, got.Message, c.status, c.reason)
			}
			if len(evidence.Items) != c.items {
				t.Errorf("got %d items, want %d", len(evidence.Items), c.items)
			}
		})
	}
}

// endless answers every page with 100 entries of another kind and a next page.
func endless(w *world, digest oci.Digest) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", oci.MediaTypeImageIndex)
		rw.Header().Set("Link", "next")
		entry := fmt.Sprintf(`{"mediaType":%q,"artifactType":"application/spdx+json","digest":%q,"size":7},`, oci.MediaTypeImageManifest, digest)
		_, _ = fmt.Fprintf(rw, `{"schemaVersion":2,"manifests":[%s]}`, strings.TrimSuffix(strings.Repeat(entry, 100), ","))
	}
}

func TestCollectPreferredComesFirst(t *testing.T) {
	s := newSigner(t)
	digest := someImage("a")
	w := newWorld(t)
	bundle := s.bundle(t, digest)
	good := w.referrer("app", digest, bundle)
	var entries []object
	for i := range 60 {
		entries = append(entries, w.referrer("app", digest, fmt.Appendf(nil, "{%d", i)))
	}
	w.api("app", digest, append(entries, good)...)
	w.sig("app", digest, make([]layer, 20)...)
	source := newSource()
	defer source.close()
	collector := &verify.Collector{Source: source}
	in := s.integration(t, "k")
	got := verify.Judge(collector.Collect(t.Context(), w.repository("app"), digest), in, time.Now())
	if got.Reason != verify.OverLimit {
		t.Errorf("without a hint: got %v %q, want OVER_LIMIT", got.Status, got.Reason)
	}
	evidence := collector.Collect(t.Context(), w.repository("app"), digest, good["digest"].(oci.Digest))
	if got := verify.Judge(evidence, in, time.Now()); got.Status != verify.Verified || evidence.Items[0].Digest != oci.SHA256(bundle) {
		t.Errorf("with a hint: got %v, first item %s", got.Status, evidence.Items[0].Digest)
	}
}

func TestCollectEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	digest := someImage("a")
	for _, path := range []string{"app/referrers/" + digest.String(), "app/manifests/" + digest.TagName(), "app/manifests/" + digest.TagName() + ".sig"} {
		w.answer(path, hang)
	}
	source := newSource()
	defer source.close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	evidence := (&verify.Collector{Source: source}).Collect(ctx, w.repository("app"), digest)
	timeouts := slices.DeleteFunc(slices.Clone(evidence.Problems), func(p verify.Problem) bool { return p.Reason != verify.Timeout || !p.Unavailable })
	if len(timeouts) != 3 {
		t.Errorf("got problems %v, want three time-outs", evidence.Problems)
	}
}

// explodingSource panics wherever it is asked.
type explodingSource struct{ *httpSource }

func (explodingSource) Referrers(context.Context, oci.Repository, oci.Digest) (oci.Referrers, error) {
	panic("referrers")
}

func (explodingSource) SmallBlob(context.Context, oci.Repository, oci.Digest, int64) ([]byte, error) {
	panic("blob")
}

func TestCollectPanicIsTrouble(t *testing.T) {
	s := newSigner(t)
	digest := someImage("a")
	w := newWorld(t)
	w.sig("app", digest, s.layer(t, digest))
	source := newSource()
	defer source.close()
	evidence := (&verify.Collector{Source: explodingSource{source}}).Collect(t.Context(), w.repository("app"), digest)
	got := verify.Judge(evidence, s.integration(t, "k"), time.Now())
	if got.Status != verify.Unavailable || got.Reason != verify.FetchFailed || len(evidence.Items) != 1 {
		t.Errorf("got %v %q with %d items, want Unavailable FETCH_FAILED with one", got.Status, got.Reason, len(evidence.Items))
	}
}
