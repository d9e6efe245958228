package verify

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vouchsafe/internal/lab"
)

// tufWorld is a TUF repository behind a mirror on loopback, and what we know of it.
type tufWorld struct {
	mirror  *lab.Mirror
	server  *httptest.Server
	handler atomic.Pointer[http.Handler]
	source  MirrorSource
	folder  string
	mirrors *Mirrors
	now     time.Time
	changed atomic.Int64
}

// newTUFWorld has a mirror of the fixtures' trusted root that nobody asked yet.
func newTUFWorld(t *testing.T) *tufWorld {
	t.Helper()
	w := &tufWorld{mirror: must(lab.NewMirror(recordedTrust(t, "trusted_root.json")))(t), folder: t.TempDir(), now: time.Now()}
	w.answer(w.mirror)
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*w.handler.Load()).ServeHTTP(rw, r) }))
	t.Cleanup(w.server.Close)
	w.source = MirrorSource{Mirror: w.server.URL, Anchor: string(w.mirror.Root()), Refresh: time.Hour}
	w.restart(w.server.Client())
	return w
}

// answer has h stand for the mirror.
func (w *tufWorld) answer(h http.Handler) { w.handler.Store(&h) }

// restart forgets what is in memory; a nil client asks nobody.
func (w *tufWorld) restart(client MirrorClient) {
	w.mirrors = NewMirrors(MirrorsConfig{
		Client: client, UserAgent: "test", Folder: func() (string, error) { return w.folder, nil },
		Now: func() time.Time { return w.now }, Changed: func() { w.changed.Add(1) },
	})
}

func (w *tufWorld) refresh(t *testing.T) error {
	t.Helper()
	return w.mirrors.Refresh(t.Context(), []MirrorSource{w.source})
}

func (w *tufWorld) mustRefresh(t *testing.T) {
	t.Helper()
	if err := w.refresh(t); err != nil {
		t.Fatal(err)
	}
}

// wantRoot fails unless the trusted root in use is text; "" is none.
func (w *tufWorld) wantRoot(t *testing.T, text []byte) {
	t.Helper()
	material, absent, err := w.mirrors.look(w.source)
	switch {
	case err != nil:
		t.Fatal(err)
	case (material == nil) != (text == nil) || (material == nil) != (absent != ""):
		t.Fatalf("got a trusted root: %v (%s), want one: %v", material != nil, absent, text != nil)
	case text == nil:
		return
	}
	one := must(w.mirrors.find(w.source))(t)
	if one.given.text != string(text) {
		t.Errorf("got the trusted root %.80q…, want %.80q…", one.given.text, text)
	}
}

// otherRoot is the fixtures' trusted root with other URLs.
func otherRoot(t *testing.T) []byte {
	return bytes.ReplaceAll(recordedTrust(t, "trusted_root.json"), []byte("127.0.0.1"), []byte("localhost"))
}

// wantAsked fails unless the mirror was asked for exactly these files.
func (w *tufWorld) wantAsked(t *testing.T, want ...string) {
	t.Helper()
	got := w.mirror.Asked()
	for i := range got {
		if at := strings.LastIndex(got[i], "."+mirrorTarget); at >= 0 {
			got[i] = "targets/HASH." + mirrorTarget
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
}

func (w *tufWorld) state() string { return filepath.Join(w.folder, w.source.id(), mirrorFile) }

// handled answers in this goroutine, for tests of time.
type handled struct{ http.Handler }

func (h handled) Do(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}
