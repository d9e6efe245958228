package content_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"vouchsafe/content"
	"vouchsafe/oci"
)

// behind opens a blob twice, lets both readers take n bytes side by side, and then
// the second one all.
func behind(t *testing.T, up *depot, b *content.Blobs, want []byte, n int) (slow *oci.Blob, got []byte) {
	t.Helper()
	digest := up.push(want)
	slow, fast := opened(t, b, digest, ""), opened(t, b, digest, "")
	for len(got) < n {
		step := min(n-len(got), 10*kib)
		got = append(got, read(t, slow, step)...)
		read(t, fast, step)
	}
	wantBlob(t, fast, want[n:])
	return slow, got
}

func TestSlowReaderGoesOnByItself(t *testing.T) {
	want := noise(1, 64*kib)
	for name, test := range map[string]struct {
		taken  int
		sizes  bool
		ranges bool
		asked  string
		code   oci.Code
	}{
		"from its beginning":                             {taken: 0, sizes: true, ranges: true, asked: "bytes=0-"},
		"from the edge of a piece":                       {taken: 2 * kib, sizes: true, ranges: true, asked: "bytes=2048-"},
		"from the middle of a piece":                     {taken: 2*kib + 100, sizes: true, ranges: true, asked: "bytes=2148-"},
		"from the middle of the first piece":             {taken: 5, sizes: true, ranges: true, asked: "bytes=5-"},
		"of a blob of unknown size":                      {taken: 2*kib + 100, ranges: true, asked: "bytes=2148-"},
		"where a registry has no ranges":                 {taken: 2*kib + 100, sizes: true, asked: "bytes=2148-"},
		"where a registry has neither ranges nor a size": {taken: 2*kib + 100, asked: "bytes=2148-", code: oci.CodeUpstream},
	} {
		t.Run(name, func(t *testing.T) {
			up := newDepot()
			up.sizes, up.ranges = test.sizes, test.ranges
			var seen outcomes
			b := content.NewBlobs(up, content.BlobsConfig{Buffer: sixteenth, Observe: seen.observe})
			slow, got := behind(t, up, b, want, test.taken)
			up.requests()
			rest, err := io.ReadAll(slow.Body)
			if test.code != 0 {
				wantCode(t, err, test.code)
				return
			}
			if got = append(got, rest...); err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, %v, want %d", len(got), err, len(want))
			}
			wantAsked(t, up, "GET "+test.asked)
			if seen.count("behind") != 1 {
				t.Errorf("got %v, want one reader behind", seen.of)
			}
		})
	}
}

// What a reader got from memory and what it gets by itself are one blob: with
// either of them wrong the last byte is not given.
func TestRestThatIsWrongEndsBroken(t *testing.T) {
	want := noise(1, 64*kib)
	const taken = 2*kib + 100
	right := want[taken:]
	wrong := append(bytes.Clone(right[:len(right)-1]), right[len(right)-1]+1)
	for name, test := range map[string]struct {
		sent  []byte
		size  int64
		says  string
		fails error
	}{
		"other bytes":         {sent: wrong, size: int64(len(right)), says: "bytes 2148-65535/65536"},
		"other bytes early":   {sent: noise(2, len(right)), size: int64(len(right)), says: "bytes 2148-65535/65536"},
		"fewer bytes":         {sent: right[:100], size: int64(len(right)), says: "bytes 2148-65535/65536"},
		"more bytes":          {sent: append(bytes.Clone(right), 'x'), size: int64(len(right)), says: "bytes 2148-65535/65536"},
		"another place":       {sent: right, size: int64(len(right)), says: "bytes 2147-65534/65536"},
		"another size":        {sent: right, size: int64(len(right)), says: "bytes 2148-65535/65537"},
		"a shorter part":      {sent: right[:100], size: 100, says: "bytes 2148-2247/65536"},
		"a part of no length": {sent: nil, size: 0, says: "bytes 2148-2147/65536"},
		"no size":             {sent: right, size: -1, says: "bytes 2148-65535/65536"},
		"an early end":        {fails: &oci.Error{Code: oci.CodeUpstream, Err: io.EOF}},
		"no answer":           {fails: &oci.Error{Code: oci.CodeTimeout}},
	} {
		t.Run(name, func(t *testing.T) {
			up := newDepot()
			faulty := &answers{depot: up, blob: &oci.Blob{Size: test.size, ContentRange: test.says}, sent: test.sent, err: test.fails}
			b := content.NewBlobs(faulty, content.BlobsConfig{Buffer: sixteenth})
			slow, _ := behind(t, up, b, want, taken)
			rest, err := io.ReadAll(slow.Body)
			if err == nil {
				t.Fatalf("got a clean end after %d bytes", len(rest))
			}
			if len(rest) >= len(right) {
				t.Errorf("got all %d bytes", len(rest))
			}
			if _, again := slow.Body.Read(make([]byte, 1)); again == nil || errors.Is(again, io.EOF) {
				t.Errorf("got %v after %v, want an error that stays", again, err)
			}
		})
	}
}

// answers is a depot with its own answer to ranges.
type answers struct {
	*depot
	blob *oci.Blob
	sent []byte
	err  error
}

func (a *answers) OpenBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, byteRange string) (*oci.Blob, error) {
	if byteRange == "" {
		return a.depot.OpenBlob(ctx, repository, digest, byteRange)
	}
	blob := *a.blob
	blob.Body = io.NopCloser(bytes.NewReader(a.sent))
	return &blob, a.err
}

// A blob that was corrupted on its way into memory is not repaired by a rest that
// is right.
func TestRightRestDoesNotHealAWrongBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, want := newDepot(), noise(1, 64*kib)
		digest := up.push(want)
		up.wrap = func(_ context.Context, byteRange string, r io.Reader) io.Reader {
			if byteRange != "" {
				return r
			}
			bad := append([]byte{want[0] + 1}, want[1:]...)
			return &paced{bytes.NewReader(bad), kib, time.Second}
		}
		b := content.NewBlobs(up, content.BlobsConfig{Buffer: sixteenth})
		slow, fast := opened(t, b, digest, ""), opened(t, b, digest, "")
		read(t, slow, 100)
		read(t, fast, 40*kib)
		rest, err := io.ReadAll(slow.Body)
		wantCode(t, err, oci.CodeUpstream)
		if len(rest) != 64*kib-101 {
			t.Errorf("got %d bytes, want all but the last of %d", len(rest), 64*kib-100)
		}
		closeAll(t, up, slow, fast)
	})
}

func TestSkippingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, want := newDepot(), noise(1, 4<<20)
		up.ranges = false
		b := content.NewBlobs(up, content.BlobsConfig{Buffer: 1 << 20})
		slow, _ := behind(t, up, b, want, 1<<20+1)
		_, err := io.ReadAll(slow.Body)
		wantCode(t, err, oci.CodeUpstream)
		closeAll(t, up, slow)
	})
}

// closeAll closes what is still read and looks for what is open after a while.
func closeAll(t *testing.T, up *depot, blobs ...*oci.Blob) {
	t.Helper()
	for _, blob := range blobs {
		_ = blob.Body.Close()
	}
	time.Sleep(10 * time.Second) // of a bubble
	wantNothingLeft(t, up)
}

func TestPartThatFallsBehindGoesOnByItself(t *testing.T) {
	up, want := newDepot(), noise(1, 100*kib)
	digest := up.push(want)
	b := content.NewBlobs(up, content.BlobsConfig{Buffer: 128 * kib})
	wantBlob(t, opened(t, b, digest, ""), want)
	part := opened(t, b, digest, "bytes=100-20099")
	got := read(t, part, 50)
	for seed := range byte(4) { // until the buffer is full
		opened(t, b, up.push(noise(2+seed, 20*kib)), "")
	}
	up.requests()
	rest, err := io.ReadAll(part.Body)
	if got = append(got, rest...); err != nil || !bytes.Equal(got, want[100:20100]) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	wantAsked(t, up, "GET bytes=150-20099")
}

func TestWhoComesWhenTheBeginningHasLeftStartsAnew(t *testing.T) {
	up, want := newDepot(), noise(1, 64*kib)
	digest := up.push(want)
	var seen outcomes
	b := content.NewBlobs(up, content.BlobsConfig{Buffer: sixteenth, Observe: seen.observe})
	first := opened(t, b, digest, "")
	read(t, first, 40*kib)
	late, later := opened(t, b, digest, ""), opened(t, b, digest, "")
	wantBlob(t, first, want[40*kib:])
	var wg sync.WaitGroup
	wg.Go(func() { wantBlob(t, late, want) })
	wg.Go(func() { wantBlob(t, later, want) })
	wg.Wait()
	if seen.count("fetch") != 1 || seen.count("late") != 1 || seen.count("shared") != 1 {
		t.Errorf("got %v, want a fetch, a late one, and one that shares it", seen.of)
	}
}

// A fetch waits for the fastest of its readers: one that nobody reads holds no
// more than its share.
func TestFetchRunsAheadOfItsFastestReaderAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, want := newDepot(), noise(1, 10<<20)
		count := &counter{}
		up.wrap = func(_ context.Context, _ string, r io.Reader) io.Reader { count.Reader = r; return count }
		b := content.NewBlobs(up, content.BlobsConfig{})
		digest := up.push(want)
		blob, slow := opened(t, b, digest, ""), opened(t, b, digest, "")
		synctest.Wait()
		if count.n > 1<<20+128<<10 {
			t.Errorf("%d bytes were fetched before anyone read", count.n)
		}
		wantBlob(t, blob, want) // with the other reader standing still
		wantBlob(t, slow, want)
		wantAsked(t, up, "GET")
	})
}

type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestWithoutRoomABlobIsNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newDepot()
		var seen outcomes
		b := content.NewBlobs(up, content.BlobsConfig{Buffer: sixteenth, Observe: seen.observe})
		var blobs []*oci.Blob
		for i := range 10 { // nobody reads any of them
			blobs = append(blobs, opened(t, b, up.push(noise(byte(i), 8*kib)), ""))
		}
		synctest.Wait()
		if got := b.Bytes(); got > sixteenth {
			t.Errorf("%d bytes in memory, want at most %d", got, sixteenth)
		}
		if seen.count("unshared") == 0 || seen.count("fetch") == 0 {
			t.Errorf("got %v, want some of both", seen.of)
		}
		for i, blob := range blobs {
			wantBlob(t, blob, noise(byte(i), 8*kib))
		}
	})
}

func TestOneRegistryLeavesRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newDepot()
		var seen outcomes
		b := content.NewBlobs(up, content.BlobsConfig{Buffer: 64 * kib, Observe: seen.observe})
		for i := range 100 { // readers that stand still, and blobs at rest
			opened(t, b, up.push(noise(byte(i), 32*kib)), "")
			done := opened(t, b, up.push(noise(byte(100+i), kib)), "")
			wantBlob(t, done, noise(byte(100+i), kib))
			_ = done.Body.Close()
		}
		hogged := seen.count("unshared")
		for i := range 3 {
			blob, err := b.OpenBlob(t.Context(), oci.Repository{Registry: "other.test", Path: "acme"}, up.push(noise(byte(200+i), 16*kib)), "")
			if err != nil {
				t.Fatal(err)
			}
			defer blob.Body.Close()
			wantBlob(t, blob, noise(byte(200+i), 16*kib))
		}
		if got := seen.count("unshared") - hogged; got != 0 || hogged == 0 {
			t.Errorf("%d blobs of the other registry were not shared, want 0 (%v)", got, seen.of)
		}
	})
}

func TestRegistryThatHasHalfPaysByItself(t *testing.T) {
	up := newDepot()
	b := content.NewBlobs(up, content.BlobsConfig{Buffer: 64 * kib})
	take := func(registry string, want []byte) {
		t.Helper()
		blob, err := b.OpenBlob(t.Context(), oci.Repository{Registry: registry, Path: "acme"}, up.push(want), "")
		if err != nil {
			t.Fatal(err)
		}
		defer blob.Body.Close()
		wantBlob(t, blob, want)
	}
	few := [][]byte{noise(0, 8*kib), noise(1, 8*kib), noise(2, 8*kib)}
	for _, want := range few {
		take("few.test", want)
	}
	for i := range 10 {
		take("many.test", noise(byte(i+10), 8*kib))
	}
	up.requests()
	for _, want := range few {
		take("few.test", want)
	}
	wantAsked(t, up)
}

func TestRegistryThatHasMoreThanHalfPaysForOthers(t *testing.T) {
	up := newDepot()
	b := content.NewBlobs(up, content.BlobsConfig{Buffer: 64 * kib})
	take := func(registry string, want []byte) {
		t.Helper()
		blob, err := b.OpenBlob(t.Context(), oci.Repository{Registry: registry, Path: "acme"}, up.push(want), "")
		if err != nil {
			t.Fatal(err)
		}
		defer blob.Body.Close()
		wantBlob(t, blob, want)
	}
	few := noise(0, 8*kib)
	take("few.test", few)
	for i := range 5 {
		take("many.test", noise(byte(i+10), 8*kib))
	}
	take("third.test", noise(100, 8*kib))
	up.requests()
	take("few.test", few) // the oldest of all
	wantAsked(t, up)
}

func TestBlobsWithoutReadersLeaveFirst(t *testing.T) {
	up := newDepot()
	b := content.NewBlobs(up, content.BlobsConfig{Buffer: 160 * kib})
	old, recent, read1 := noise(1, 40*kib), noise(2, 40*kib), noise(3, 40*kib)
	for _, content := range [][]byte{old, recent} {
		blob := opened(t, b, up.push(content), "")
		wantBlob(t, blob, content)
		_ = blob.Body.Close()
	}
	held := opened(t, b, up.push(read1), "")
	wantBlob(t, held, read1)
	next := noise(4, 60*kib)
	wantBlob(t, opened(t, b, up.push(next), ""), next)
	up.requests()
	wantBlob(t, opened(t, b, oci.SHA256(recent), ""), recent)
	wantBlob(t, opened(t, b, oci.SHA256(read1), ""), read1)
	wantAsked(t, up)
	wantBlob(t, opened(t, b, oci.SHA256(old), ""), old)
	wantAsked(t, up, "GET")
}

// Many readers of many blobs at many speeds, some of which leave, some blobs of
// which break: every body is right or broken, and memory is never more than the
// buffer.
func TestMemoryOfBlobsStaysInBoundsUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const buffer = 256 * kib
		up := newDepot()
		var contents [][]byte
		for i := range 12 {
			contents = append(contents, noise(byte(i), []int{0, 100, 5 * kib, 40 * kib, 200 * kib, 700 * kib}[i%6]))
			up.push(contents[i])
		}
		up.wrap = func(_ context.Context, byteRange string, r io.Reader) io.Reader {
			if rand.IntN(20) == 0 && byteRange == "" {
				size := r.(*bytes.Reader).Size()
				return io.MultiReader(io.LimitReader(r, rand.Int64N(max(1, size))), iotest.ErrReader(&oci.Error{Code: oci.CodeUpstream}))
			}
			return r
		}
		var seen outcomes
		b := content.NewBlobs(up, content.BlobsConfig{Buffer: buffer, Observe: seen.observe})
		var wg sync.WaitGroup
		for range 24 {
			wg.Go(func() {
				for range 60 {
					want := contents[rand.IntN(len(contents))]
					at := oci.Repository{Registry: fmt.Sprintf("r%d.test", rand.IntN(3)), Path: "acme"}
					if err := takeBlob(b, at, want, buffer); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait() // those whose last reader has left end by themselves
		t.Logf("%v", seen.of)
		for _, outcome := range []string{"fetch", "shared"} {
			if seen.count(outcome) == 0 {
				t.Errorf("got %v, want %q among them", seen.of, outcome)
			}
		}
		wantNothingLeft(t, up)
	})
}

// takeBlob reads a blob or a part of one in pieces of random size, or leaves in
// its middle.
func takeBlob(b *content.Blobs, at oci.Repository, want []byte, buffer int64) error {
	digest, asked := oci.SHA256(want), ""
	if first := rand.IntN(len(want) + 1); rand.IntN(4) == 0 && first < len(want) {
		asked, want = fmt.Sprintf("bytes=%d-", first), want[first:]
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	blob, err := b.OpenBlob(ctx, at, digest, asked)
	if err != nil {
		return nil // it broke before it began
	}
	defer blob.Body.Close()
	got := make([]byte, 0, len(want))
	for leave := rand.IntN(400); ; leave-- {
		if held := b.Bytes(); held > buffer {
			return fmt.Errorf("%d bytes in memory, want at most %d", held, buffer)
		}
		p := make([]byte, 1+rand.IntN(40*kib))
		n, err := blob.Body.Read(p)
		got = append(got, p[:n]...)
		switch {
		case errors.Is(err, io.EOF):
			if !bytes.Equal(got, want) {
				return fmt.Errorf("got %d bytes with a clean end, want %d others", len(got), len(want))
			}
			return nil
		case err != nil:
			if len(got) >= len(want) && len(want) > 0 {
				return fmt.Errorf("got all %d bytes of a broken blob", len(got))
			}
			return nil
		case leave == 0:
			return nil
		}
	}
}
