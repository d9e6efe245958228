package content_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/content"
)

func TestHalfOfTheManifestsIsReleasedTheOldestFirst(t *testing.T) {
	up := newRegistry()
	r := content.New(up, content.Config{})
	for i := range 100 {
		tag := fmt.Sprintf("v%d", i)
		up.push(tag, body(tag))
		resolve(t, r, byTag(tag))
	}
	full := r.Bytes()
	r.Release()
	if got := r.Bytes(); got > full/2 || got < full/2-full/50 {
		t.Errorf("%d bytes of %d after a release, want half", got, full)
	}
	up.requests()
	resolve(t, r, byTag("v99"))
	wantRequests(t, up)
	gone := resolve(t, r, byTag("v0"))
	wantRequests(t, up, "GET "+gone.Reference.Digest.Short())
	for range 20 {
		r.Release()
	}
	if got := r.Bytes(); got != 0 {
		t.Errorf("%d bytes after many releases, want 0", got)
	}
}

func TestTagsAreBoundedAsConfigured(t *testing.T) {
	up := newRegistry()
	r := content.New(up, content.Config{MaxTags: 2})
	for _, tag := range []string{"v1", "v2", "v3"} {
		up.push(tag, body(tag))
		resolve(t, r, byTag(tag))
	}
	up.requests()
	resolve(t, r, byTag("v3"))
	wantRequests(t, up)
	resolve(t, r, byTag("v1"))
	if got := up.requests(); len(got) == 0 {
		t.Error("the tag that was used longest ago was not forgotten")
	}
}

func TestBlobsThatNobodyReadsAreReleasedAndThoseUnderWayStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newDepot()
		b := content.NewBlobs(up, content.BlobsConfig{})
		idle, busy := noise(1, 300*kib), noise(2, 300*kib)
		blob := opened(t, b, up.push(idle), "")
		wantBlob(t, blob, idle)
		if err := blob.Body.Close(); err != nil {
			t.Error(err)
		}
		running := opened(t, b, up.push(busy), "")
		synctest.Wait()
		before := b.Bytes()
		b.Release()
		if got := b.Bytes(); got == 0 || before-got < int64(len(idle)) {
			t.Errorf("%d → %d bytes, want those of one blob less", before, got)
		}
		wantBlob(t, running, busy)
		if err := running.Body.Close(); err != nil {
			t.Error(err)
		}
		b.Release()
		if got := b.Bytes(); got != 0 {
			t.Errorf("%d bytes when nobody reads, want 0", got)
		}
		up.requests()
		wantBlob(t, opened(t, b, up.push(idle), ""), idle)
		wantAsked(t, up, "GET")
		wantNothingLeft(t, up)
	})
}

// A blob whose reader leaves it in the middle is dropped at once, its pieces are
// kept to be used again: they count, and go when nobody uses them.
func TestFreePiecesCountAndGoAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newDepot()
		b := content.NewBlobs(up, content.BlobsConfig{})
		leave := func(fill byte) {
			blob := opened(t, b, up.push(noise(fill, 2<<20)), "")
			synctest.Wait()
			if err := blob.Body.Close(); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		leave(1)
		if b.Bytes() == 0 {
			t.Fatal("no piece was kept, or it was not counted")
		}
		time.Sleep(40 * time.Second)
		leave(2) // takes them, and puts them back
		time.Sleep(40 * time.Second)
		if b.Bytes() == 0 {
			t.Error("pieces went 40 s after their last use")
		}
		time.Sleep(21 * time.Second)
		if got := b.Bytes(); got != 0 {
			t.Errorf("%d bytes a minute after their last use, want 0", got)
		}
		leave(3)
		if b.Bytes() == 0 {
			t.Error("no piece is kept any more")
		}
		time.Sleep(61 * time.Second)
		if got := b.Bytes(); got != 0 {
			t.Errorf("%d bytes a minute after that, want 0", got)
		}
		wantNothingLeft(t, up)
	})
}
