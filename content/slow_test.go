package content_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/content"
	"vouchsafe/oci"
)

// tally is an upstream that counts what each caller asks it.
type tally struct {
	*depot
	mu sync.Mutex // guards of
	of map[any]int
}

func newTally() *tally { return &tally{depot: newDepot(), of: map[any]int{}} }

// callerKey is the key of a caller in its context.
type callerKey struct{}

func (u *tally) OpenBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, byteRange string) (*oci.Blob, error) {
	u.mu.Lock()
	u.of[ctx.Value(callerKey{})]++
	u.mu.Unlock()
	return u.depot.OpenBlob(ctx, repository, digest, byteRange)
}

// counts returns the requests in all, and the most of one caller.
func (u *tally) counts() (all, most int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for n := range maps.Values(u.of) {
		all, most = all+n, max(most, n)
	}
	return all, most
}

// Three readers of each of three hundred blobs, at 1 MB/s: more than the buffer
// holds. Nobody asks more than twice, and most not even once.
func TestSlowReadersOfManyBlobsDoNotThrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const blobs, readers, size = 300, 3, 512 * kib
		up := newTally()
		var seen outcomes
		b := content.NewBlobs(up, content.BlobsConfig{Buffer: 16 << 20, Observe: seen.observe})
		var digests []oci.Digest
		for i := range blobs {
			want := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, size/2)
			digests = append(digests, up.push(want))
		}
		var wg sync.WaitGroup
		for i := range blobs * readers {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				blob, err := b.OpenBlob(context.WithValue(t.Context(), callerKey{}, i), repository, digests[i%blobs], "")
				if err != nil {
					t.Error(err)
					return
				}
				defer blob.Body.Close()
				n, err := io.Copy(io.Discard, &paced{blob.Body, 32 * kib, 32 * time.Millisecond})
				if err != nil || n != size {
					t.Errorf("got %d bytes, %v", n, err)
				}
			})
		}
		wg.Wait()
		all, most := up.counts()
		t.Logf("%d requests, at most %d of one reader, %v", all, most, seen.of)
		if most > 2 {
			t.Errorf("one reader asked %d times, want at most 2", most)
		}
		if all > blobs*readers {
			t.Errorf("%d readers asked %d times, want no more than if nothing were shared", blobs*readers, all)
		}
		time.Sleep(2 * time.Minute)
		wantNothingLeft(t, up.depot)
	})
}

func TestStalledReadersOfABlobCostItsOthersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, want := newDepot(), noise(1, 100*kib)
		digest := up.push(want)
		b := content.NewBlobs(up, content.BlobsConfig{Buffer: 1 << 20})
		for range 500 {
			read(t, opened(t, b, digest, ""), kib)
		}
		for range 100 {
			blob := opened(t, b, digest, "")
			wantBlob(t, blob, want)
			_ = blob.Body.Close()
			time.Sleep(10 * time.Second)
		}
		wantAsked(t, up, "GET")
	})
}

func TestStalledReadersOfOtherBlobsPushOutNoBlobThatIsPulled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, want := newDepot(), noise(1, 100*kib)
		b := content.NewBlobs(up, content.BlobsConfig{Buffer: 1 << 20})
		popular := up.push(want)
		for i := range 200 {
			stalled := opened(t, b, up.push(noise(byte(i), 200*kib+i)), "")
			read(t, stalled, 10)
			blob := opened(t, b, popular, "")
			wantBlob(t, blob, want)
			_ = blob.Body.Close()
			time.Sleep(time.Second)
		}
		if got := len(up.requests()); got != 201 {
			t.Errorf("%d requests for 200 blobs that nobody reads and one that is pulled, want 201", got)
		}
	})
}

// Whoever fell behind asks when its client takes bytes again: with a thousand of
// them nothing is asked until then, and then once each.
func TestStalledReaderAsksWhenItIsReadAgainAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, want := newDepot(), noise(1, 200*kib)
		var seen outcomes
		b := content.NewBlobs(up, content.BlobsConfig{Buffer: 256 * kib, Observe: seen.observe})
		digest := up.push(want)
		first := opened(t, b, digest, "")
		got := read(t, first, 10)
		synctest.Wait()
		time.Sleep(5 * time.Second)
		up.requests()
		for i := range 20 { // each needs memory, and a fetch that may run
			blob := opened(t, b, up.push(noise(byte(2+i), 100*kib)), "")
			wantBlob(t, blob, noise(byte(2+i), 100*kib))
			_ = blob.Body.Close()
		}
		if asked := up.requests(); !slices.Equal(asked, slices.Repeat([]string{"GET"}, 20)) {
			t.Errorf("requests upstream: got %q, want 20 GETs of whole blobs", asked)
		}
		time.Sleep(time.Hour)
		wantAsked(t, up)
		rest, err := io.ReadAll(first.Body)
		if got = append(got, rest...); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		wantAsked(t, up, "GET bytes=10-")
		if seen.count("behind") != 1 {
			t.Errorf("got %v, want one reader behind", seen.of)
		}
		closeAll(t, up, first)
	})
}

func TestPartThatWasReadToItsEndAsksForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, want := newDepot(), noise(1, 40*kib)
		b := content.NewBlobs(up, content.BlobsConfig{Buffer: 64 * kib})
		digest := up.push(want)
		whole := opened(t, b, digest, "")
		read(t, whole, kib)
		synctest.Wait()
		part := opened(t, b, digest, "bytes=10-99")
		got := read(t, part, 90)
		time.Sleep(5 * time.Second)
		for i := range 6 { // needs all places
			opened(t, b, up.push(noise(byte(2+i), 100*kib)), "")
		}
		up.requests()
		if n, err := part.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) || !bytes.Equal(got, want[10:100]) {
			t.Errorf("got %d more bytes and %v, want the end of the part", n, err)
		}
		wantAsked(t, up)
		wantBlob(t, whole, want[kib:])
		wantAsked(t, up, "GET bytes=1024-") // so the blob had left
	})
}

// Blobs that clients open and do not read hold the places of a registry's
// fetches for as long as somebody may still read them, and not longer.
func TestStalledFetchesGiveTheirPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newDepot()
		var seen outcomes
		b := content.NewBlobs(up, content.BlobsConfig{Buffer: 64 * kib, Observe: seen.observe})
		var stalled []*oci.Blob
		for i := range 20 {
			stalled = append(stalled, opened(t, b, up.push(noise(byte(i), 100*kib)), ""))
			read(t, stalled[i], 10)
		}
		if seen.count("unshared") == 0 {
			t.Fatalf("got %v, want more blobs than places", seen.of)
		}
		refused := seen.count("unshared")
		time.Sleep(5 * time.Second)
		want := noise(100, 100*kib)
		digest := up.push(want)
		up.requests()
		one, other := opened(t, b, digest, ""), opened(t, b, digest, "")
		var wg sync.WaitGroup
		wg.Go(func() { wantBlob(t, one, want) })
		wg.Go(func() { wantBlob(t, other, want) })
		wg.Wait()
		if got := seen.count("unshared"); got != refused {
			t.Errorf("got %v, want a place for one more", seen.of)
		}
		for i, blob := range stalled {
			rest, err := io.ReadAll(blob.Body)
			if err != nil || !bytes.Equal(rest, noise(byte(i), 100*kib)[10:]) {
				t.Errorf("blob %d: got %d more bytes, %v", i, len(rest), err)
			}
		}
		closeAll(t, up, append(stalled, one, other)...)
	})
}

// Slow readers of more blobs than there are places do not keep others from
// sharing: one of a herd reads apart, the rest share one fetch.
func TestHerdSharesBesideSlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newDepot()
		var seen outcomes
		b := content.NewBlobs(up, content.BlobsConfig{Buffer: 2 << 20, Observe: seen.observe})
		var wg sync.WaitGroup
		var all []*oci.Blob
		for i := range 20 {
			slow := opened(t, b, up.push(noise(byte(i), 1<<20)), "")
			all = append(all, slow)
			wg.Go(func() {
				got, err := io.ReadAll(&paced{slow.Body, 128 * kib, time.Second})
				if err != nil || !bytes.Equal(got, noise(byte(i), 1<<20)) {
					t.Errorf("blob %d: got %d bytes, %v", i, len(got), err)
				}
			})
		}
		time.Sleep(3500 * time.Millisecond)
		if seen.count("unshared") == 0 {
			t.Fatalf("got %v, want more blobs than places", seen.of)
		}
		want := noise(100, 100*kib)
		digest := up.push(want)
		up.requests()
		for range 100 {
			all = append(all, opened(t, b, digest, ""))
		}
		for _, blob := range all[20:] {
			wg.Go(func() { wantBlob(t, blob, want) })
		}
		time.Sleep(time.Millisecond)
		wantAsked(t, up, "GET", "GET")
		wg.Wait()
		if got := up.requests(); len(got) != 1 {
			t.Errorf("the herd pushed out %q, want one slow reader", got)
		}
		closeAll(t, up, all...)
	})
}
