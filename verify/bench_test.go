package verify_test

import (
	"testing"
	"time"

	"vouchsafe/verify"
)

func judgeBenchmark(b *testing.B, item func(signer) verify.Item) {
	s := newSigner(b)
	in, digest := s.integration(b, "k"), someImage("a")
	evidence := evidenceOf(digest, item(s))
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if r := verify.Judge(evidence, in, now); r.Status != verify.Verified {
			b.Fatal(r.Message)
		}
	}
}

func BenchmarkJudgeKey(b *testing.B) {
	judgeBenchmark(b, func(s signer) verify.Item { return s.layer(b, someImage("a")).item() })
}

func BenchmarkJudgeBundleKey(b *testing.B) {
	judgeBenchmark(b, func(s signer) verify.Item { return bundleItem(s.bundle(b, someImage("a"))) })
}

// BenchmarkResultsWarm is the hit path of a pull.
func BenchmarkResultsWarm(b *testing.B) {
	s := newSigner(b)
	digest := someImage("a")
	w := newWorld(b)
	w.sig("app", digest, s.layer(b, digest))
	source := newSource()
	defer source.close()
	v := verify.New(source, verify.NewLRU(100, nil), verify.Config{})
	defer v.Close()
	q := verify.Query{Repository: w.repository("app"), Digest: digest, Needed: []*verify.Integration{s.integration(b, "k")}}
	if _, err := v.Results(b.Context(), q); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		got, err := v.Results(b.Context(), q)
		if err != nil || !got[0].Cached {
			b.Fatal(got, err)
		}
	}
}

// BenchmarkResultsCold collects from a registry on loopback and judges.
func BenchmarkResultsCold(b *testing.B) {
	s := newSigner(b)
	digest := someImage("a")
	for name, set := range map[string]func(*world){
		"tag":    func(w *world) { w.sig("app", digest, s.layer(b, digest)) },
		"bundle": func(w *world) { w.api("app", digest, w.referrer("app", digest, s.bundle(b, digest))) },
	} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			set(w)
			source := newSource()
			defer source.close()
			v := verify.New(source, verify.NewLRU(100, nil), verify.Config{})
			defer v.Close()
			q := verify.Query{
				Repository: w.repository("app"), Digest: digest,
				Needed: []*verify.Integration{s.integration(b, "k")}, MaxAge: time.Nanosecond,
			}
			b.ReportAllocs()
			for b.Loop() {
				got, err := v.Results(b.Context(), q)
				if err != nil || got[0].Cached || got[0].Status != verify.Verified {
					b.Fatal(got, err)
				}
			}
		})
	}
}
