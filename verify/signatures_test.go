package verify_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// apart is a bench whose images have their signatures at another registry, in
// the repository there.
type apart struct {
	*bench
	there *world
}

const there = "acme/signatures"

func newApart(t testing.TB, cfg verify.Config) apart {
	return apart{newBench(t, cfg), newWorld(t)}
}

// elsewhere is an integration that looks for signatures there.
func (a apart) elsewhere(t testing.TB, s signer, name string, change ...func(*verify.Spec)) *verify.Integration {
	t.Helper()
	spec := verify.Spec{
		PublicKeys:          []verify.PublicKeySpec{{Name: name, Key: s.pem(t)}},
		SignatureRepository: a.there.repository(there).String(),
	}
	for _, one := range change {
		one(&spec)
	}
	in, err := verify.NewIntegration(name, spec)
	check(t, err)
	return in
}

// seen are the results that were judged so far.
func (a apart) seen() []verify.Result {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.judged)
}

// waitFor waits for work that goes on behind answers.
func (a apart) waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("it is not done after 5 s")
}

// requests are those to one repository, as manifests, referrers and blobs.
func (a apart) requests(w *world, repository string) [3]int {
	name := w.repository(repository).String()
	return [3]int{a.source.count(name + " manifests"), a.source.count(name + " referrers"), a.source.count(name + " blobs")}
}

func TestSignaturesInAnotherRepository(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	for _, c := range []struct {
		name string
		// set is told the image's registry and the other one.
		set     func(beside, elsewhere *world)
		status  verify.Status
		message string
	}{
		{"cosign's own tag", func(_, w *world) { w.sig(there, digest, s.layer(t, digest)) }, verify.Verified, "signed by k"},
		{"a bundle in the referrers API", func(_, w *world) {
			w.api(there, digest, w.referrer(there, digest, s.bundle(t, digest)))
		}, verify.Verified, "signed by k"},
		{"a bundle under the referrers tag", func(_, w *world) {
			w.referrersTag(there, digest, w.referrer(there, digest, s.bundle(t, digest)))
		}, verify.Verified, "signed by k"},
		{"nowhere", func(_, _ *world) {}, verify.Unsigned, "no signature found in ELSEWHERE (asked: tag sha256-"},
		{"beside the image alone", func(w, _ *world) {
			w.sig("app", digest, s.layer(t, digest))
			w.api("app", digest, w.referrer("app", digest, s.bundle(t, digest)))
			w.referrersTag("app", digest, w.referrer("app", digest, s.bundle(t, digest)))
		}, verify.Unsigned, "no signature found in ELSEWHERE"},
		{"a repository of the same name beside the image", func(w, _ *world) {
			w.sig(there, digest, s.layer(t, digest))
		}, verify.Unsigned, "no signature found in ELSEWHERE"},
		{"a stranger's there and a good one beside the image", func(beside, w *world) {
			beside.sig("app", digest, s.layer(t, digest))
			w.sig(there, digest, newSigner(t).layer(t, digest))
		}, verify.Untrusted, "signed by another key; wanted k"},
		{"one of another image", func(_, w *world) {
			w.sig(there, digest, s.layer(t, someImage("b")))
		}, verify.Untrusted, "signed by k, but for another image"},
		{"trouble there", func(_, w *world) {
			w.answer(there+"/manifests/"+digest.TagName()+".sig", status(500))
		}, verify.Unavailable, "signatures could not be read in ELSEWHERE: tag sha256-"},
		{"no right to read there", func(_, w *world) {
			w.answer(there+"/referrers/"+digest.String(), status(401))
		}, verify.Unavailable, "signatures could not be read in ELSEWHERE: referrers API"},
		{"trouble beside the image", func(beside, w *world) {
			beside.answer("app/manifests/"+digest.TagName()+".sig", status(500))
			w.sig(there, digest, s.layer(t, digest))
		}, verify.Verified, "signed by k"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newApart(t, verify.Config{})
			c.set(a.world, a.there)
			got := a.results(t, verify.Query{Digest: digest, Needed: []*verify.Integration{a.elsewhere(t, s, "k")}})[0]
			where := a.there.repository(there)
			if want := strings.ReplaceAll(c.message, "ELSEWHERE", where.String()); got.Status != c.status || !strings.Contains(got.Message, want) {
				t.Errorf("got %v %q, want %v %q", got.Status, got.Message, c.status, want)
			}
			for _, one := range got.Signatures {
				if one.Source.Repository != where {
					t.Errorf("a signature was found in %s", one.Source)
				}
			}
			if beside := a.requests(a.world, "app"); beside != [3]int{} {
				t.Errorf("the image's own repository was asked: %v", beside)
			}
		})
	}
}

func TestTwoPlacesAreOneCollectionEach(t *testing.T) {
	one, other, digest := newSigner(t), newSigner(t), someImage("a")
	a := newApart(t, verify.Config{})
	a.world.sig("app", digest, one.layer(t, digest))
	a.there.sig(there, digest, other.layer(t, digest))
	q := verify.Query{Digest: digest, Needed: []*verify.Integration{
		one.integration(t, "beside"), a.elsewhere(t, other, "elsewhere"), other.integration(t, "not beside"), a.elsewhere(t, one, "not elsewhere"),
	}}
	want := []verify.Status{verify.Verified, verify.Verified, verify.Untrusted, verify.Untrusted}
	for range 2 {
		for i, got := range a.results(t, q) {
			if got.Status != want[i] || got.Integration != q.Needed[i].Name() {
				t.Errorf("%s: got %v of %s, want %v", q.Needed[i].Name(), got.Status, got.Integration, want[i])
			}
		}
		// Two tags, the referrers API and the payload, each once for two pulls.
		for name, asked := range map[string][3]int{"beside": a.requests(a.world, "app"), "elsewhere": a.requests(a.there, there)} {
			if asked != [3]int{2, 1, 1} {
				t.Errorf("%s: got %v requests, want 2 manifests, 1 list, 1 blob", name, asked)
			}
		}
	}
}

func TestTroubleAtOnePlaceIsNoneOfTheOthers(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	for _, c := range []struct {
		name string
		end  func(apart)
		want [2]verify.Status
	}{
		{"the other registry is down", func(a apart) { a.there.server.Close() }, [2]verify.Status{verify.Verified, verify.Unavailable}},
		{"the image's registry is down", func(a apart) { a.world.server.Close() }, [2]verify.Status{verify.Unavailable, verify.Verified}},
		{"the other registry hangs", func(a apart) {
			for _, path := range []string{"referrers/" + digest.String(), "manifests/" + digest.TagName(), "manifests/" + digest.TagName() + ".sig"} {
				a.there.answer(there+"/"+path, hang)
			}
		}, [2]verify.Status{verify.Verified, verify.Unavailable}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newApart(t, verify.Config{Timeout: 400 * time.Millisecond})
			a.world.sig("app", digest, s.layer(t, digest))
			a.there.sig(there, digest, s.layer(t, digest))
			c.end(a)
			got := a.results(t, verify.Query{Digest: digest, Needed: []*verify.Integration{s.integration(t, "beside"), a.elsewhere(t, s, "elsewhere")}})
			if status := [2]verify.Status{got[0].Status, got[1].Status}; status != c.want {
				t.Errorf("got %v (%s, %s), want %v", status, got[0].Message, got[1].Message, c.want)
			}
		})
	}
}

// TestOnlyTheOverduePlaceIsOverdue has a caller with less time than a registry takes.
func TestOnlyTheOverduePlaceIsOverdue(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	a := newApart(t, verify.Config{Timeout: 2 * time.Second})
	a.world.sig("app", digest, s.layer(t, digest))
	a.there.answer(there+"/referrers/"+digest.String(), hang)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	got, err := a.Results(ctx, verify.Query{
		Repository: a.world.repository("app"), Digest: digest,
		Needed: []*verify.Integration{a.elsewhere(t, s, "elsewhere"), s.integration(t, "beside")},
	})
	check(t, err)
	if got[0].Status != verify.Unavailable || got[0].Reason != verify.Timeout || got[1].Status != verify.Verified {
		t.Errorf("got %v %s and %v", got[0].Status, got[0].Reason, got[1].Status)
	}
}

func TestTheImagesOwnRepositoryIsOnePlace(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	a := newApart(t, verify.Config{})
	a.world.sig("app", digest, s.layer(t, digest))
	same := a.elsewhere(t, s, "same", func(spec *verify.Spec) { spec.SignatureRepository = a.world.repository("app").String() })
	got := a.results(t, verify.Query{Digest: digest, Needed: []*verify.Integration{s.integration(t, "beside"), same}})
	if got[0].Status != verify.Verified || got[1].Status != verify.Verified || a.asks() != 1 {
		t.Errorf("got %v and %v after %d collections, want one", got[0].Status, got[1].Status, a.asks())
	}
}

// TestASignedNameIsTheImages holds that signedName is about the image, wherever
// its signature is.
func TestASignedNameIsTheImages(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	for name, want := range map[string]verify.Status{"app": verify.Verified, there: verify.Untrusted} {
		a := newApart(t, verify.Config{})
		named := a.world.repository(name).String()
		if name == there {
			named = a.there.repository(name).String()
		}
		payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, named, digest)
		a.there.sig(there, digest, layer{payload: payload, annotations: map[string]string{signatureAnnotation: base64.StdEncoding.EncodeToString(s.sign(t, payload))}})
		in := a.elsewhere(t, s, "k", func(spec *verify.Spec) { spec.SignedName = "Repository" })
		if got := a.results(t, verify.Query{Digest: digest, Needed: []*verify.Integration{in}})[0]; got.Status != want {
			t.Errorf("a signature for %s: got %v (%s), want %v", named, got.Status, got.Message, want)
		}
	}
}

// TestThoseNobodyWaitsForAreJudgedAtTheirOwnPlace: each image gets a result for
// each integration, and what is at hand is asked for no second time.
func TestThoseNobodyWaitsForAreJudgedAtTheirOwnPlace(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	for _, c := range []struct {
		name   string
		needed int
	}{{"one is needed", 1}, {"none is needed", 0}} {
		t.Run(c.name, func(t *testing.T) {
			a := newApart(t, verify.Config{})
			a.world.sig("app", digest, s.layer(t, digest))
			a.there.sig(there, digest, s.layer(t, digest))
			beside, elsewhere := s.integration(t, "beside"), a.elsewhere(t, s, "elsewhere")
			q := verify.Query{Digest: digest, Others: []*verify.Integration{elsewhere, s.integration(t, "behind")}}
			q.Needed = []*verify.Integration{beside}[:c.needed]
			a.results(t, q)
			a.waitFor(t, func() bool { return len(a.seen()) == 2+c.needed })
			a.results(t, q)
			a.Close()
			for _, in := range q.Others {
				key := verify.CacheKey{Repository: a.world.repository("app"), Digest: digest, Integration: in.Name(), Revision: in.Revision()}
				if got, fresh, _ := a.cache.Get(t.Context(), key); !fresh || got.Status != verify.Verified {
					t.Errorf("%s: got %v", in.Name(), got.Status)
				}
			}
			if one, other := a.requests(a.world, "app"), a.requests(a.there, there); one != [3]int{2, 1, 1} || other != [3]int{2, 1, 1} {
				t.Errorf("got %v and %v requests", one, other)
			}
		})
	}
}

// TestNothingIsAskedElsewhereForKeptResults: a pull that was answered from memory
// asks no registry on behalf of others.
func TestNothingIsAskedElsewhereForKeptResults(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	a := newApart(t, verify.Config{})
	a.world.sig("app", digest, s.layer(t, digest))
	q := verify.Query{Digest: digest, Needed: []*verify.Integration{s.integration(t, "beside")}}
	a.results(t, q)
	q.Others = []*verify.Integration{a.elsewhere(t, s, "elsewhere")}
	a.results(t, q)
	q.Needed = append(q.Needed, s.integration(t, "from kept evidence"))
	a.results(t, q)
	a.Close()
	if other := a.requests(a.there, there); other != [3]int{} {
		t.Errorf("got %v requests", other)
	}
}

func TestEachPlaceIsRenewedAhead(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	a := newApart(t, verify.Config{})
	a.world.sig("app", digest, s.layer(t, digest))
	a.there.sig(there, digest, s.layer(t, digest))
	q := verify.Query{Digest: digest, Needed: []*verify.Integration{s.integration(t, "beside"), a.elsewhere(t, s, "elsewhere")}}
	a.results(t, q)
	a.clock.pass(4*time.Hour - time.Minute)
	if got := a.results(t, q); !got[0].Cached || !got[1].Cached {
		t.Error("somebody waited")
	}
	a.waitFor(t, func() bool { return len(a.seen()) == 4 })
	a.Close()
	if one, other := a.requests(a.world, "app"), a.requests(a.there, there); one[1] != 2 || other[1] != 2 {
		t.Errorf("got %d and %d collections, want two each", one[1], other[1])
	}
}

// TestWhatVerifiedLastIsAskedForFirstElsewhereToo is a flood by strangers who may
// push to the repository of signatures.
func TestWhatVerifiedLastIsAskedForFirstElsewhereToo(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	a := newApart(t, verify.Config{})
	good := a.there.referrer(there, digest, s.bundle(t, digest))
	a.there.api(there, digest, good)
	q := verify.Query{Digest: digest, Needed: []*verify.Integration{a.elsewhere(t, s, "elsewhere"), s.integration(t, "beside")}}
	a.results(t, q)
	var flood []object
	for i := range verify.MaxSignatures {
		flood = append(flood, a.there.referrer(there, digest, fmt.Appendf(nil, "{%d", i)))
	}
	a.there.api(there, digest, append(flood, good)...)
	a.clock.pass(5 * time.Hour)
	if got := a.results(t, q)[0]; got.Status != verify.Verified || got.Cached {
		t.Errorf("got %v %s", got.Status, got.Reason)
	}
}

func TestWhereSignaturesAreIsPartOfTheRevision(t *testing.T) {
	s := newSigner(t)
	var revisions []string
	for _, where := range []string{"", "r.test/signatures", "r.test/signatures/more", "other.test/signatures"} {
		in, err := verify.NewIntegration("k", verify.Spec{PublicKeys: []verify.PublicKeySpec{{Name: "k", Key: s.pem(t)}}, SignatureRepository: where})
		check(t, err)
		if slices.Contains(revisions, in.Revision()) {
			t.Errorf("%q has the revision of another", where)
		}
		revisions = append(revisions, in.Revision())
	}
}

// explodingCache panics when the result of one integration is to be kept.
type explodingCache struct {
	verify.Cache
	name string
}

func (c explodingCache) Put(ctx context.Context, key verify.CacheKey, result verify.Result, until time.Time) {
	if key.Integration == c.name {
		panic("full")
	}
	c.Cache.Put(ctx, key, result, until)
}

func TestAPanicAtOnePlaceIsItsOwn(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	w, source := newWorld(t), newSource()
	defer source.close()
	w.sig("app", digest, s.layer(t, digest))
	w.sig(there, digest, s.layer(t, digest))
	v := verify.New(source, explodingCache{verify.NewLRU(10, nil), "elsewhere"}, verify.Config{})
	defer v.Close()
	elsewhere, err := verify.NewIntegration("elsewhere", verify.Spec{
		PublicKeys: []verify.PublicKeySpec{{Name: "k", Key: s.pem(t)}}, SignatureRepository: w.repository(there).String(),
	})
	check(t, err)
	got, err := v.Results(t.Context(), verify.Query{
		Repository: oci.Repository{Registry: w.host(), Path: "app"}, Digest: digest,
		Needed: []*verify.Integration{s.integration(t, "beside"), elsewhere},
	})
	check(t, err)
	if got[0].Status != verify.Verified || got[1].Status != verify.Unavailable {
		t.Errorf("got %v and %v, want Verified and Unavailable", got[0].Status, got[1].Status)
	}
}
