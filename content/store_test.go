package content_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"vouchsafe/content"
	"vouchsafe/oci"
)

func TestMemoryStaysInBounds(t *testing.T) {
	const limit = 64 << 10
	up := newRegistry()
	r := content.New(up, content.Config{MaxBytes: limit})
	for i := range 300 {
		tag := fmt.Sprintf("v%d", i)
		up.push(tag, body(tag))
		resolve(t, r, byTag(tag))
		if got := r.Bytes(); got > limit || got <= 0 {
			t.Fatalf("%d bytes in memory after %d manifests, want at most %d", got, i+1, limit)
		}
	}
	up.requests()
	resolve(t, r, byTag("v299"))
	wantRequests(t, up)
	gone := resolve(t, r, byTag("v0"))
	wantRequests(t, up, "GET "+gone.Reference.Digest.Short())
}

func TestManifestLargerThanMemoryIsServedAndNotKept(t *testing.T) {
	up := newRegistry()
	up.push("v1", body("one"))
	r := content.New(up, content.Config{MaxBytes: 100})
	for range 2 {
		got := resolve(t, r, byTag("v1"))
		if !bytes.Equal(got.Bytes, body("one")) {
			t.Error("other bytes than were pushed")
		}
	}
	if got := r.Bytes(); got != 0 {
		t.Errorf("%d bytes in memory, want 0", got)
	}
}

// A manifest of many small annotations costs more memory than its bytes.
func TestCostCountsTheParsedForm(t *testing.T) {
	up := newRegistry()
	r := content.New(up, content.Config{})
	small := body("one")
	up.push("v1", small)
	resolve(t, r, byTag("v1"))
	if got := r.Bytes(); got < int64(2*len(small)) {
		t.Errorf("%d bytes counted for a manifest of %d", got, len(small))
	}
	before := r.Bytes()
	var notes []string
	for i := range 1000 {
		notes = append(notes, fmt.Sprintf(`"%d":""`, i))
	}
	large := []byte(strings.TrimSuffix(string(small), "}") + `,"annotations":{` + strings.Join(notes, ",") + "}}")
	up.push("v2", large)
	resolve(t, r, byTag("v2"))
	if got := r.Bytes() - before; got < int64(len(large)+1000*64) {
		t.Errorf("%d bytes counted for a manifest of %d with 1000 annotations", got, len(large))
	}
}

func TestSameDigestInTwoRepositoriesIsCountedTwice(t *testing.T) {
	up := newRegistry()
	up.push("v1", body("one"))
	r := content.New(up, content.Config{})
	resolve(t, r, byTag("v1"))
	once := r.Bytes()
	resolve(t, r, byTag("v1"))
	other := oci.Reference{Repository: oci.Repository{Registry: "registry.test", Path: "other"}, Tag: "v1"}
	resolve(t, r, other)
	if got := r.Bytes(); got != 2*once {
		t.Errorf("got %d bytes, want %d", got, 2*once)
	}
}
