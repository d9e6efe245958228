package verify_test

import (
	"fmt"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

func TestEvidence(t *testing.T) {
	s := newSigner(t)
	digest := someImage("a")
	b := newBench(t, verify.Config{})
	b.world.sig("app", digest, s.layer(t, digest))
	for _, step := range []struct {
		name   string
		pass   time.Duration
		maxAge time.Duration
		asks   int
	}{
		{"nothing is known yet", 0, time.Hour, 1},
		{"young enough", time.Minute, time.Minute, 1},
		{"too old", time.Minute, time.Minute, 2},
		{"fresh is wanted", 0, 0, 3},
	} {
		b.clock.pass(step.pass)
		got, err := b.Evidence(t.Context(), b.world.repository("app"), digest, step.maxAge)
		if err != nil || len(got.Items) != 1 || b.asks() != step.asks {
			t.Errorf("%s: got %d items, %d collections, %v; want 1 and %d", step.name, len(got.Items), b.asks(), err, step.asks)
		}
	}
}

func TestEvidenceStoreIsBounded(t *testing.T) {
	b := newBench(t, verify.Config{EvidenceBytes: 64 << 10})
	var images []oci.Digest
	for i := range 8 {
		digest := someImage(fmt.Sprint(i))
		b.world.sig("app", digest, layer{payload: make([]byte, 20<<10)})
		images = append(images, digest)
	}
	for range 2 {
		for _, digest := range images {
			_, err := b.Evidence(t.Context(), b.world.repository("app"), digest, time.Hour)
			check(t, err)
		}
	}
	if n := b.asks(); n != 16 {
		t.Errorf("got %d collections: more was kept than 64 KiB", n)
	}
	last := images[len(images)-1]
	_, err := b.Evidence(t.Context(), b.world.repository("app"), last, time.Hour)
	if check(t, err); b.asks() != 16 {
		t.Errorf("the last evidence was not kept")
	}
	b.Release()
	_, err = b.Evidence(t.Context(), b.world.repository("app"), last, time.Hour)
	if check(t, err); b.asks() != 17 {
		t.Errorf("got %d collections, want one more for evidence that was let go of", b.asks())
	}
}
