package content_test

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/content"
	"vouchsafe/oci"
)

func TestRequestsUpstreamForEachClientCall(t *testing.T) {
	one, two := body("one"), body("two")
	d1, d2 := oci.SHA256(one), oci.SHA256(two)
	type world struct {
		up *registry
		r  *content.Resolver
	}
	tests := map[string]struct {
		before func(t *testing.T, w world)
		call   oci.Reference
		want   []string
		digest oci.Digest
		code   oci.Code
	}{
		"the first resolution of a tag is one GET": {
			call: byTag("v1"), want: []string{"GET v1"}, digest: d1,
		},
		"the same tag within its time to live asks nobody": {
			before: func(t *testing.T, w world) { resolve(t, w.r, byTag("v1")) },
			call:   byTag("v1"), digest: d1,
		},
		"a digest that a tag brought asks nobody": {
			before: func(t *testing.T, w world) { resolve(t, w.r, byTag("v1")) },
			call:   byDigest(d1), digest: d1,
		},
		"a tag and a digest together are the digest": {
			before: func(t *testing.T, w world) { resolve(t, w.r, byTag("v1")) },
			call:   byTag("other").WithDigest(d1), digest: d1,
		},
		"a new digest is one GET by digest": {
			call: byDigest(d1), want: []string{"GET " + d1.Short()}, digest: d1,
		},
		"an old tag that did not move is one HEAD": {
			before: func(t *testing.T, w world) { resolve(t, w.r, byTag("v1")); time.Sleep(31 * time.Second) },
			call:   byTag("v1"), want: []string{"HEAD v1"}, digest: d1,
		},
		"an old tag that moved is a HEAD and a GET by digest": {
			before: func(t *testing.T, w world) {
				resolve(t, w.r, byTag("v1"))
				w.up.push("v1", two)
				time.Sleep(31 * time.Second)
			},
			call: byTag("v1"), want: []string{"HEAD v1", "GET " + d2.Short()}, digest: d2,
		},
		"an old tag that moved to bytes in memory is one HEAD": {
			before: func(t *testing.T, w world) {
				resolve(t, w.r, byTag("v1"))
				w.up.push("v1", two)
				resolve(t, w.r, byDigest(d2))
				time.Sleep(31 * time.Second)
			},
			call: byTag("v1"), want: []string{"HEAD v1"}, digest: d2,
		},
		"a HEAD starts the time to live anew": {
			before: func(t *testing.T, w world) {
				resolve(t, w.r, byTag("v1"))
				time.Sleep(31 * time.Second)
				resolve(t, w.r, byTag("v1"))
				time.Sleep(29 * time.Second)
			},
			call: byTag("v1"), digest: d1,
		},
		"a HEAD without digest is followed by a GET by tag": {
			before: func(t *testing.T, w world) {
				resolve(t, w.r, byTag("v1"))
				w.up.head = func(string) (oci.Digest, error) { return oci.Digest{}, nil }
				time.Sleep(31 * time.Second)
			},
			call: byTag("v1"), want: []string{"HEAD v1", "GET v1"}, digest: d1,
		},
		"a HEAD that claims a sha512 does not choose the algorithm": {
			before: func(t *testing.T, w world) {
				resolve(t, w.r, byTag("v1"))
				w.up.head = func(string) (oci.Digest, error) { return sha512Of(one), nil }
				time.Sleep(31 * time.Second)
			},
			call: byTag("v1"), want: []string{"HEAD v1", "GET v1"}, digest: d1,
		},
		"a HEAD that claims what the registry does not have is followed by a GET by tag": {
			before: func(t *testing.T, w world) {
				resolve(t, w.r, byTag("v1"))
				w.up.head = func(string) (oci.Digest, error) { return oci.SHA256([]byte("lie")), nil }
				time.Sleep(31 * time.Second)
			},
			call: byTag("v1"), want: []string{"HEAD v1", "GET " + oci.SHA256([]byte("lie")).Short(), "GET v1"}, digest: d1,
		},
		"a HEAD that claims one digest and a GET that answers other bytes are refused": {
			before: func(t *testing.T, w world) {
				resolve(t, w.r, byTag("v1"))
				w.up.head = func(string) (oci.Digest, error) { return d2, nil }
				w.up.get = func(context.Context, oci.Reference) ([]byte, error) { return one, nil }
				time.Sleep(31 * time.Second)
			},
			call: byTag("v1"), want: []string{"HEAD v1", "GET " + d2.Short()}, code: oci.CodeUpstream,
		},
		"a tag that is gone is unknown": {
			before: func(t *testing.T, w world) {
				resolve(t, w.r, byTag("v1"))
				w.up.head = func(string) (oci.Digest, error) { return oci.Digest{}, &oci.Error{Code: oci.CodeManifestUnknown} }
				time.Sleep(31 * time.Second)
			},
			call: byTag("v1"), want: []string{"HEAD v1"}, code: oci.CodeManifestUnknown,
		},
		"a HEAD that fails is that failure and no GET": {
			before: func(t *testing.T, w world) {
				resolve(t, w.r, byTag("v1"))
				w.up.head = func(string) (oci.Digest, error) { return oci.Digest{}, &oci.Error{Code: oci.CodeBusy} }
				time.Sleep(31 * time.Second)
			},
			call: byTag("v1"), want: []string{"HEAD v1"}, code: oci.CodeBusy,
		},
		"an error is not kept": {
			before: func(t *testing.T, w world) {
				w.up.get = func(context.Context, oci.Reference) ([]byte, error) {
					return nil, &oci.Error{Code: oci.CodeUpstream}
				}
				_, err := w.r.Resolve(t.Context(), byTag("v1"))
				wantCode(t, err, oci.CodeUpstream)
				w.up.get = nil
			},
			call: byTag("v1"), want: []string{"GET v1"}, digest: d1,
		},
		"bytes of another repository do not count": {
			before: func(t *testing.T, w world) {
				other := byTag("v1")
				other.Repository.Path = "other/api"
				resolve(t, w.r, other)
			},
			call: byDigest(d1), want: []string{"GET " + d1.Short()}, digest: d1,
		},
		"a sha512 is fetched and checked as asked": {
			before: func(t *testing.T, w world) { resolve(t, w.r, byTag("v1")) },
			call:   byDigest(sha512Of(one)), want: []string{"GET " + sha512Of(one).Short()}, digest: sha512Of(one),
		},
		"a registry that answers other bytes than the digest is refused": {
			before: func(_ *testing.T, w world) {
				w.up.get = func(context.Context, oci.Reference) ([]byte, error) { return two, nil }
			},
			call: byDigest(d1), want: []string{"GET " + d1.Short()}, code: oci.CodeUpstream,
		},
		"a manifest that must not be read is refused": {
			before: func(_ *testing.T, w world) {
				w.up.get = func(context.Context, oci.Reference) ([]byte, error) { return []byte("{}{}"), nil }
			},
			call: byTag("v1"), want: []string{"GET v1"}, code: oci.CodeManifestInvalid,
		},
		"neither tag nor digest asks nobody": {
			call: oci.Reference{Repository: repository}, code: oci.CodeTagInvalid,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := world{up: newRegistry()}
				w.r = content.New(w.up, content.Config{})
				w.up.push("v1", one)
				if test.before != nil {
					test.before(t, w)
				}
				w.up.requests()
				got, err := w.r.Resolve(t.Context(), test.call)
				wantRequests(t, w.up, test.want...)
				if test.digest.IsZero() {
					wantCode(t, err, test.code)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				checkImage(t, got, test.call, test.digest)
			})
		})
	}
}

// checkImage states what every resolved image is.
func checkImage(t *testing.T, got oci.Image, asked oci.Reference, digest oci.Digest) {
	t.Helper()
	if got.Reference != asked.WithDigest(digest) {
		t.Errorf("got reference %s, want %s", got.Reference, asked.WithDigest(digest))
	}
	if !got.Reference.Digest.Matches(got.Bytes) {
		t.Errorf("bytes do not hash to %s", got.Reference.Digest)
	}
	if got.MediaType != oci.MediaTypeImageManifest || got.Manifest.Kind != oci.KindImage {
		t.Errorf("got media type %q of kind %s", got.MediaType, got.Manifest.Kind)
	}
}

func resolve(t *testing.T, r *content.Resolver, ref oci.Reference) oci.Image {
	t.Helper()
	got, err := r.Resolve(t.Context(), ref)
	if err != nil {
		t.Fatalf("resolve %s: %v", ref, err)
	}
	return got
}

func sha512Of(b []byte) oci.Digest {
	sum := sha512.Sum512(b)
	d, err := oci.ParseDigest("sha512:" + hex.EncodeToString(sum[:]))
	if err != nil {
		panic(err)
	}
	return d
}

func TestTagTTLIsTheRegistrys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		r := content.New(up, content.Config{TagTTL: func(registry string) time.Duration {
			if registry != repository.Registry {
				t.Errorf("asked for the time to live of %q", registry)
			}
			return 0
		}})
		resolve(t, r, byTag("v1"))
		resolve(t, r, byTag("v1"))
		wantRequests(t, up, "GET v1", "HEAD v1")
	})
}

// The age of a resolution counts from the question: an answer that took long is
// as old as the question.
func TestAgeCountsFromTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		up.get = func(context.Context, oci.Reference) ([]byte, error) { time.Sleep(20 * time.Second); return nil, nil }
		r := content.New(up, content.Config{})
		resolve(t, r, byTag("v1"))
		time.Sleep(15 * time.Second)
		resolve(t, r, byTag("v1"))
		wantRequests(t, up, "GET v1", "HEAD v1")
	})
}

func TestAlternatingUpstreamNeverMixesDigestAndBytes(t *testing.T) {
	up := newRegistry()
	bodies := [][]byte{body("signed"), body("unsigned")}
	up.push("v1", bodies[0])
	up.push("v1", bodies[1])
	var mu sync.Mutex
	turn := 0
	next := func() int {
		mu.Lock()
		defer mu.Unlock()
		turn++
		return turn % 2
	}
	up.get = func(_ context.Context, ref oci.Reference) ([]byte, error) {
		if ref.Digest.IsZero() {
			return bodies[next()], nil
		}
		return nil, nil
	}
	up.head = func(string) (oci.Digest, error) {
		if next() == 0 {
			return oci.Digest{}, nil // so that GETs by tag go on
		}
		return oci.SHA256(bodies[next()]), nil
	}
	r := content.New(up, content.Config{TagTTL: func(string) time.Duration { return 0 }})
	mismatches := 0
	for range 10_000 {
		got := resolve(t, r, byTag("v1"))
		if !got.Reference.Digest.Matches(got.Bytes) || !slices.ContainsFunc(bodies, func(b []byte) bool { return bytes.Equal(b, got.Bytes) }) {
			mismatches++
		}
	}
	if mismatches != 0 {
		t.Errorf("%d mismatches in 10000 rounds, want 0", mismatches)
	}
}

func TestObserveNamesTheOutcome(t *testing.T) {
	up := newRegistry()
	up.push("v1", body("one"))
	var got []string
	r := content.New(up, content.Config{Observe: func(outcome string) { got = append(got, outcome) }})
	resolve(t, r, byTag("v1"))
	resolve(t, r, byTag("v1"))
	if want := []string{"miss", "hit"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEndedCallerStartsNothing(t *testing.T) {
	up := newRegistry()
	r := content.New(up, content.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Resolve(ctx, byTag("v1")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	wantRequests(t, up)
}

func TestMessagesNameNoBytes(t *testing.T) {
	up := newRegistry()
	up.get = func(context.Context, oci.Reference) ([]byte, error) { return []byte(`{"secret":"canary"`), nil }
	_, err := content.New(up, content.Config{}).Resolve(t.Context(), byTag("v1"))
	if err == nil || strings.Contains(fmt.Sprint(oci.WireErrors(err)), "canary") {
		t.Errorf("got %v, want an error without the content", err)
	}
}

func BenchmarkResolveWarm(b *testing.B) {
	up := newRegistry()
	d := up.push("v1", body("one"))
	r := content.New(up, content.Config{TagTTL: func(string) time.Duration { return time.Hour }})
	for name, ref := range map[string]oci.Reference{"tag": byTag("v1"), "digest": byDigest(d)} {
		b.Run(name, func(b *testing.B) {
			if _, err := r.Resolve(b.Context(), byTag("v1")); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Resolve(b.Context(), ref); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
