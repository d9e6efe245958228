package content_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"vouchsafe/content"
	"vouchsafe/oci"
)

const kib = 1 << 10

// sixteenth is the buffer in which a piece has 1 KiB.
const sixteenth = 16 * kib

func TestBlobsOfAllSizesArriveWhole(t *testing.T) {
	for _, size := range []int{0, 1, 2, kib - 1, kib, kib + 1, 2 * kib, 15 * kib, 16 * kib, 40*kib + 7} {
		for _, sizes := range []bool{true, false} {
			for name, wrap := range map[string]func(io.Reader) io.Reader{
				"at once":             func(r io.Reader) io.Reader { return r },
				"byte by byte":        iotest.OneByteReader,
				"with data and error": iotest.DataErrReader,
			} {
				up, want := newDepot(), noise(1, size)
				up.sizes = sizes
				up.wrap = func(_ context.Context, _ string, r io.Reader) io.Reader { return wrap(r) }
				b := content.NewBlobs(up, content.BlobsConfig{Buffer: sixteenth})
				digest := up.push(want)
				blob := opened(t, b, digest, "")
				// A size that was not announced is known when all has come.
				if known := int64(size); blob.Size != known && (sizes || blob.Size != -1) || blob.ContentRange != "" {
					t.Errorf("got size %d and range %q of %d", blob.Size, blob.ContentRange, size)
				}
				wantBlob(t, blob, want)
				if err := blob.Body.Close(); err != nil {
					t.Error(err)
				}
				wantAsked(t, up, "GET")
				if got := b.Bytes(); got > sixteenth {
					t.Errorf("%d bytes in memory, want at most %d", got, sixteenth)
				}
				if t.Failed() {
					t.Fatalf("%d bytes, size known %t, %s", size, sizes, name)
				}
			}
		}
	}
}

func TestFortyReadersMakeOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, want := newDepot(), noise(1, 100*kib)
		up.before = func(context.Context, string) error { time.Sleep(time.Second); return nil }
		up.wrap = func(_ context.Context, _ string, r io.Reader) io.Reader { return &paced{r, 10 * kib, time.Second} }
		digest := up.push(want)
		var seen outcomes
		b := content.NewBlobs(up, content.BlobsConfig{Observe: seen.observe})
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond) // before, while and after it comes
				blob, err := b.OpenBlob(t.Context(), repository, digest, "")
				if err != nil {
					t.Error(err)
					return
				}
				defer blob.Body.Close()
				wantBlob(t, blob, want)
			})
		}
		wg.Wait()
		wantAsked(t, up, "GET")
		if seen.count("fetch") != 1 || seen.count("shared") != 39 {
			t.Errorf("got %v, want 1 fetch and 39 shared", seen.of)
		}
		time.Sleep(2 * time.Minute)
		if got := b.Bytes(); got != 0 {
			t.Errorf("%d bytes in memory two minutes later, want 0", got)
		}
		wantNothingLeft(t, up)
	})
}

// paced gives at most n bytes each time, and takes its time for them.
type paced struct {
	io.Reader
	n     int
	every time.Duration
}

func (p *paced) Read(b []byte) (int, error) {
	time.Sleep(p.every)
	return p.Reader.Read(b[:min(len(b), p.n)])
}

func TestReaderThatLeavesDisturbsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, want := newDepot(), noise(1, 100*kib)
		up.wrap = func(_ context.Context, _ string, r io.Reader) io.Reader { return &paced{r, kib, time.Second} }
		digest := up.push(want)
		b := content.NewBlobs(up, content.BlobsConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		first, err := b.OpenBlob(ctx, repository, digest, "")
		if err != nil {
			t.Fatal(err)
		}
		second := opened(t, b, digest, "")
		read(t, first, kib)
		cancel()
		time.Sleep(time.Second)
		if _, err := io.ReadAll(first.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("the one who left got %v, want its own context's error", err)
		}
		_ = first.Body.Close()
		wantBlob(t, second, want)
		wantAsked(t, up, "GET")
	})
}

func TestLastReaderEndsTheFetch(t *testing.T) {
	for name, stage := range map[string]func(up *depot){
		"while it is opened": func(up *depot) {
			up.before = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		},
		"while it comes": func(up *depot) {
			up.wrap = func(ctx context.Context, _ string, r io.Reader) io.Reader {
				return io.MultiReader(io.LimitReader(r, 10), hung{ctx})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up, want := newDepot(), noise(1, kib)
				digest := up.push(want)
				stage(up)
				b := content.NewBlobs(up, content.BlobsConfig{Timeout: time.Hour})
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() {
						blob, err := b.OpenBlob(ctx, repository, digest, "")
						if err == nil {
							_, err = io.ReadAll(blob.Body)
							_ = blob.Body.Close()
						}
						if !errors.Is(err, context.Canceled) {
							t.Errorf("got %v, want the caller's own end", err)
						}
					})
				}
				synctest.Wait()
				cancel()
				wg.Wait()
				synctest.Wait()
				if got := b.Bytes(); got != 0 {
					t.Errorf("%d bytes in memory, want 0", got)
				}
				wantNothingLeft(t, up)
				up.before, up.wrap = nil, nil
				wantBlob(t, opened(t, b, digest, ""), want)
				wantAsked(t, up, "GET", "GET")
			})
		})
	}
}

// hung gives nothing until its context ends.
type hung struct{ ctx context.Context }

func (h hung) Read([]byte) (int, error) { <-h.ctx.Done(); return 0, h.ctx.Err() }

func TestOpeningFailsForThoseWhoWaitAndForNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newDepot()
		digest := up.push(noise(1, kib))
		up.before = func(context.Context, string) error {
			time.Sleep(time.Second)
			return &oci.Error{Code: oci.CodeBusy, RetryAfter: time.Minute}
		}
		b := content.NewBlobs(up, content.BlobsConfig{})
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_, err := b.OpenBlob(t.Context(), repository, digest, "")
				wantCode(t, err, oci.CodeBusy)
			})
		}
		wg.Wait()
		wantAsked(t, up, "GET")
		up.before = nil
		wantBlob(t, opened(t, b, digest, ""), noise(1, kib))
		wantAsked(t, up, "GET")
	})
}

func TestOpeningEndsInItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newDepot()
		digest := up.push(noise(1, kib))
		up.before = func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return fmt.Errorf("dial: %w", ctx.Err())
		}
		b := content.NewBlobs(up, content.BlobsConfig{Timeout: 3 * time.Second})
		start := time.Now()
		_, err := b.OpenBlob(t.Context(), repository, digest, "")
		wantCode(t, err, oci.CodeTimeout)
		if took := time.Since(start); took != 3*time.Second || errors.Is(err, context.Canceled) {
			t.Errorf("took %s: %v", took, err)
		}
	})
}

func TestBlobThatBreaksOrIsWrongEndsBrokenForAll(t *testing.T) {
	right := noise(1, 3*kib)
	wrong := noise(2, 3*kib)
	for name, test := range map[string]struct {
		sent  []byte
		sizes bool
		fails bool // after what was sent
		code  oci.Code
	}{
		"wrong at its end":             {sent: append(bytes.Clone(right[:3*kib-1]), 'x'), sizes: true, code: oci.CodeUpstream},
		"wrong from its beginning":     {sent: wrong, sizes: true, code: oci.CodeUpstream},
		"wrong, of unknown size":       {sent: wrong, code: oci.CodeUpstream},
		"shorter than announced":       {sent: right[:2*kib], sizes: true, code: oci.CodeUpstream},
		"shorter, of unknown size":     {sent: right[:2*kib], code: oci.CodeUpstream},
		"longer than announced":        {sent: append(bytes.Clone(right), 'x'), sizes: true, code: oci.CodeUpstream},
		"empty":                        {sizes: true, code: oci.CodeUpstream},
		"broken off":                   {sent: right[:2*kib], sizes: true, fails: true, code: oci.CodeUpstream},
		"broken off behind everything": {sent: right, sizes: true, fails: true, code: oci.CodeUpstream},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up := newDepot()
				up.sizes = test.sizes
				digest := up.push(right)
				up.wrap = func(context.Context, string, io.Reader) io.Reader {
					var r io.Reader = &paced{bytes.NewReader(test.sent), 512, time.Second}
					if test.fails {
						r = io.MultiReader(r, iotest.ErrReader(&oci.Error{Code: oci.CodeUpstream}))
					}
					return r
				}
				b := content.NewBlobs(up, content.BlobsConfig{Buffer: sixteenth})
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() {
						blob, err := b.OpenBlob(t.Context(), repository, digest, "")
						if err != nil {
							t.Error(err)
							return
						}
						defer blob.Body.Close()
						got, err := io.ReadAll(blob.Body)
						wantCode(t, err, test.code)
						if len(got) >= len(test.sent) && len(test.sent) > 0 {
							t.Errorf("got all %d bytes", len(got))
						}
					})
				}
				wg.Wait()
				wantAsked(t, up, "GET")
				b.Release() // buffers that are used again
				if got := b.Bytes(); got != 0 {
					t.Errorf("%d bytes in memory of a blob that failed", got)
				}
				up.wrap = nil
				wantBlob(t, opened(t, b, digest, ""), right)
				wantNothingLeft(t, up)
			})
		})
	}
}

func TestPanicOfAFetchIsAnErrorForItsReaders(t *testing.T) {
	for name, stage := range map[string]func(up *depot){
		"while it is opened": func(up *depot) { up.before = func(context.Context, string) error { panic("hostile input") } },
		"while it comes": func(up *depot) {
			up.wrap = func(context.Context, string, io.Reader) io.Reader { return panics{} }
		},
	} {
		t.Run(name, func(t *testing.T) {
			up := newDepot()
			digest := up.push(noise(1, kib))
			stage(up)
			b := content.NewBlobs(up, content.BlobsConfig{})
			blob, err := b.OpenBlob(t.Context(), repository, digest, "")
			if err == nil {
				_, err = io.ReadAll(blob.Body)
				_ = blob.Body.Close()
			}
			wantCode(t, err, oci.CodeInternal)
			if got := b.Bytes(); got != 0 {
				t.Errorf("%d bytes in memory, want 0", got)
			}
		})
	}
}

type panics struct{}

func (panics) Read([]byte) (int, error) { panic("hostile input") }

func TestSizeThatIsKnownIsNotAskedFor(t *testing.T) {
	up := newDepot()
	digest := up.push(noise(1, kib))
	b := content.NewBlobs(up, content.BlobsConfig{})
	head := func(repository oci.Repository) {
		t.Helper()
		if size, err := b.HeadBlob(t.Context(), repository, digest); err != nil || size != kib {
			t.Errorf("got %d, %v", size, err)
		}
	}
	head(repository)
	wantAsked(t, up, "HEAD")
	read(t, opened(t, b, digest, ""), 10)
	up.requests()
	head(repository)
	wantAsked(t, up)
	head(oci.Repository{Registry: repository.Registry, Path: "other"})
	wantAsked(t, up, "HEAD")
}

func TestBlobOfAnotherRepositoryIsAnother(t *testing.T) {
	up := newDepot()
	digest := up.push(noise(1, kib))
	b := content.NewBlobs(up, content.BlobsConfig{})
	wantBlob(t, opened(t, b, digest, ""), noise(1, kib))
	blob, err := b.OpenBlob(t.Context(), oci.Repository{Registry: repository.Registry, Path: "other"}, digest, "")
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Body.Close()
	wantBlob(t, blob, noise(1, kib))
	wantAsked(t, up, "GET", "GET")
}

func TestPartsComeFromMemoryWhileItHasThem(t *testing.T) {
	want := noise(1, 10*kib)
	for name, test := range map[string]struct {
		asked    string
		from, to int
		upstream bool
	}{
		"the middle":               {asked: "bytes=1000-2999", from: 1000, to: 3000},
		"an open end":              {asked: "bytes=9000-", from: 9000, to: 10 * kib},
		"an end behind the end":    {asked: "bytes=9000-99999", from: 9000, to: 10 * kib},
		"the largest end":          {asked: "bytes=9000-9223372036854775807", from: 9000, to: 10 * kib},
		"the last bytes":           {asked: "bytes=-10", from: 10*kib - 10, to: 10 * kib},
		"more than all, from back": {asked: "bytes=-99999", from: 0, to: 10 * kib},
		"all":                      {asked: "bytes=0-", from: 0, to: 10 * kib},
		"one byte":                 {asked: "bytes=0-0", from: 0, to: 1},
		"behind the end":           {asked: "bytes=10240-", upstream: true},
		"nothing":                  {asked: "bytes=-0", upstream: true},
		"nonsense":                 {asked: "bytes=+1-2", upstream: true},
		"several":                  {asked: "bytes=1-2,4-5", upstream: true},
		"backwards":                {asked: "bytes=5-2", upstream: true},
	} {
		t.Run(name, func(t *testing.T) {
			up := newDepot()
			digest := up.push(want)
			b := content.NewBlobs(up, content.BlobsConfig{})
			wantBlob(t, opened(t, b, digest, ""), want)
			up.requests()
			got := opened(t, b, digest, test.asked)
			if test.upstream {
				wantAsked(t, up, "GET "+test.asked)
				return
			}
			wantAsked(t, up)
			if header := fmt.Sprintf("bytes %d-%d/%d", test.from, test.to-1, len(want)); got.ContentRange != header || got.Size != int64(test.to-test.from) {
				t.Errorf("got %q and size %d, want %q", got.ContentRange, got.Size, header)
			}
			wantBlob(t, got, want[test.from:test.to])
		})
	}
}

func TestPartThatHasNotComeYetIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, want := newDepot(), noise(1, 10*kib)
		up.wrap = func(_ context.Context, byteRange string, r io.Reader) io.Reader {
			if byteRange == "" {
				return &paced{r, kib, time.Second}
			}
			return r
		}
		digest := up.push(want)
		b := content.NewBlobs(up, content.BlobsConfig{})
		whole := opened(t, b, digest, "")
		wantBlob(t, opened(t, b, digest, "bytes=9000-"), want[9000:])
		wantAsked(t, up, "GET", "GET bytes=9000-")
		read(t, whole, 4*kib)
		wantBlob(t, opened(t, b, digest, "bytes=1000-9999"), want[1000:10000]) // its beginning is there
		wantAsked(t, up)
		wantBlob(t, whole, want[4*kib:])
	})
}
