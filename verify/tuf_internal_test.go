package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/internal/lab"
)

func TestAMirrorIsAskedForWhatIsNotKnown(t *testing.T) {
	w := newTUFWorld(t)
	w.wantRoot(t, nil)
	w.wantAsked(t)
	w.mustRefresh(t)
	w.wantRoot(t, recordedTrust(t, "trusted_root.json"))
	w.wantAsked(t, "2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json", "targets/HASH.trusted_root.json")
	w.mustRefresh(t)
	w.wantAsked(t, "2.root.json", "timestamp.json")
	if got := w.changed.Load(); got != 1 {
		t.Errorf("told %d times that something changed, want 1", got)
	}

	// The same trusted root, vouched for anew.
	if err := w.mirror.Publish(recordedTrust(t, "trusted_root.json")); err != nil {
		t.Fatal(err)
	}
	w.mustRefresh(t)
	w.wantAsked(t, "2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json")
	if got := w.changed.Load(); got != 1 {
		t.Errorf("told %d times that something changed, want 1", got)
	}

	if err := w.mirror.Rotate(otherRoot(t)); err != nil {
		t.Fatal(err)
	}
	w.mustRefresh(t)
	w.wantRoot(t, otherRoot(t))
	w.wantAsked(t, "2.root.json", "3.root.json", "timestamp.json", "3.snapshot.json", "3.targets.json", "targets/HASH.trusted_root.json")
	if got := w.changed.Load(); got != 2 {
		t.Errorf("told %d times that something changed, want 2", got)
	}

	// After all keys were rotated, a start without the mirror still has it.
	w.restart(nil)
	w.wantRoot(t, otherRoot(t))
	if wanting := w.mirrors.Wanting([]MirrorSource{w.source}); len(wanting) > 0 {
		t.Errorf("it is wanted although it is kept")
	}
	w.restart(w.server.Client())
	w.mustRefresh(t)
	w.wantAsked(t, "3.root.json", "timestamp.json")
}

// TestWhatAMirrorDoesWrong: each of these leaves the last good trusted root, after a
// start too.
func TestWhatAMirrorDoesWrong(t *testing.T) {
	good := recordedTrust(t, "trusted_root.json")
	type setup struct {
		*tufWorld
		before map[string][]byte
		other  *lab.Mirror
	}
	publish := func(t *testing.T, s setup) {
		t.Helper()
		if err := s.mirror.Publish(otherRoot(t)); err != nil {
			t.Fatal(err)
		}
	}
	serve := func(s setup, changed map[string][]byte) {
		files := s.mirror.Files()
		maps.Copy(files, changed)
		s.mirror.Serve(files)
	}
	always := func(h http.HandlerFunc) func(*testing.T, setup) {
		return func(_ *testing.T, s setup) { s.answer(h) }
	}
	for _, c := range []struct {
		name, want string
		wrong      func(t *testing.T, s setup)
	}{
		{"it is away", "connection refused", func(_ *testing.T, s setup) { s.server.Close() }},
		{"it fails", "2.root.json: the answer is HTTP 503", always(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })},
		{"it has lost everything", "timestamp.json: the answer is HTTP 404", always(http.NotFound)},
		{"it lets nobody read", "timestamp.json: the answer is HTTP 403", always(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })},
		{"it hangs up", "EOF", always(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })},
		{"it never ends", "larger than it may be", always(func(w http.ResponseWriter, _ *http.Request) {
			for _, err := w.Write(make([]byte, 64<<10)); err == nil; _, err = w.Write(make([]byte, 64<<10)) {
			}
		})},
		{"it answers with a page", "timestamp.json: not a JSON object", always(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "root") {
				http.NotFound(w, r)
				return
			}
			_, _ = io.WriteString(w, "<html>sign in</html>")
		})},
		{"it answers with JSON of another shape", "timestamp.json", always(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "root") {
				http.NotFound(w, r)
				return
			}
			_, _ = io.WriteString(w, `{"signed":{"_type":"timestamp","meta":null},"signatures":[]}`)
		})},
		{"the timestamp is another's", "timestamp.json: unsigned metadata error", func(_ *testing.T, s setup) {
			serve(s, map[string][]byte{"timestamp.json": s.other.File("timestamp.json")})
		}},
		{"the next root is another's", "2.root.json: unsigned metadata error", func(t *testing.T, s setup) {
			if err := s.other.Rotate(good); err != nil {
				t.Fatal(err)
			}
			s.mirror.Serve(s.other.Files())
		}},
		{"the next root skips a version", "2.root.json: ", func(t *testing.T, s setup) {
			for range 2 {
				if err := s.mirror.Rotate(good); err != nil {
					t.Fatal(err)
				}
			}
			serve(s, map[string][]byte{"2.root.json": s.mirror.File("3.root.json")})
		}},
		{"the timestamp has ended", "timestamp.json: expired metadata error", func(t *testing.T, s setup) {
			s.mirror.Ends = time.Now().Add(-time.Hour)
			publish(t, s)
		}},
		{"it is frozen", "timestamp.json: the one before, which ended at", func(t *testing.T, s setup) {
			s.mirror.Ends = s.now.Add(time.Hour)
			if err := s.mirror.Publish(good); err != nil {
				t.Fatal(err)
			}
			s.mustRefresh(t)
			s.now = s.now.Add(2 * time.Hour)
		}},
		{"it goes back to before", "timestamp.json: bad version number error: new timestamp version 2 must be >= 3", func(t *testing.T, s setup) {
			publish(t, s)
			older := s.mirror.Files()
			if err := s.mirror.Publish(good); err != nil {
				t.Fatal(err)
			}
			s.mustRefresh(t)
			s.mirror.Serve(older)
		}},
		{"it goes back to before a rotation", "timestamp.json: unsigned metadata error", func(t *testing.T, s setup) {
			if err := s.mirror.Rotate(good); err != nil {
				t.Fatal(err)
			}
			s.mustRefresh(t)
			s.mirror.Serve(s.before)
		}},
		{"the snapshot is an older one", "2.snapshot.json: ", func(t *testing.T, s setup) {
			publish(t, s)
			serve(s, map[string][]byte{"2.snapshot.json": s.before["1.snapshot.json"]})
		}},
		{"the targets are older ones", "2.targets.json: ", func(t *testing.T, s setup) {
			publish(t, s)
			serve(s, map[string][]byte{"2.targets.json": s.before["1.targets.json"]})
		}},
		{"the targets are missing", "2.targets.json: the answer is HTTP 404", func(t *testing.T, s setup) {
			publish(t, s)
			serve(s, map[string][]byte{"2.targets.json": nil})
			files := s.mirror.Files()
			delete(files, "2.targets.json")
			s.mirror.Serve(files)
		}},
		{"the trusted root is another than the one signed", "hash", func(t *testing.T, s setup) {
			publish(t, s)
			for name, text := range s.mirror.Files() {
				if strings.HasPrefix(name, "targets/") && !bytes.Equal(text, good) {
					serve(s, map[string][]byte{name: bytes.Replace(text, []byte("localhost"), []byte("evilhosts"), 1)})
				}
			}
		}},
		{"what is signed is no trusted root", "no trusted root", func(t *testing.T, s setup) {
			if err := s.mirror.Publish([]byte(`{"mediaType":""}`)); err != nil {
				t.Fatal(err)
			}
		}},
		{"what is signed is too large", "larger than it may be", func(t *testing.T, s setup) {
			if err := s.mirror.Publish(append(slicesRepeat(' ', maxTrustedRoot), good...)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTUFWorld(t)
			w.mustRefresh(t)
			s := setup{w, w.mirror.Files(), must(lab.NewMirror(otherRoot(t)))(t)}
			c.wrong(t, s)
			err := w.refresh(t)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			w.wantRoot(t, good)
			if got := w.changed.Load(); got != 1 {
				t.Errorf("told %d times that something changed, want 1", got)
			}
			if got := w.mirrors.Statuses(); len(got) != 0 {
				t.Errorf("got %v of what nobody follows", got)
			}
			w.restart(nil)
			w.wantRoot(t, good)
		})
	}
}

func slicesRepeat(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

// TestNothingOlderIsTakenAfterHalfARefresh: the mirror went away in the middle, and
// comes back with what was before.
func TestNothingOlderIsTakenAfterHalfARefresh(t *testing.T) {
	w := newTUFWorld(t)
	w.mustRefresh(t)
	before := w.mirror.Files()
	if err := w.mirror.Publish(otherRoot(t)); err != nil {
		t.Fatal(err)
	}
	after := w.mirror.Files()
	half := maps.Clone(after)
	delete(half, "2.snapshot.json")
	w.mirror.Serve(half)
	if err := w.refresh(t); err == nil {
		t.Fatal("half a repository was taken")
	}
	w.restart(w.server.Client())
	w.wantRoot(t, recordedTrust(t, "trusted_root.json"))
	w.mirror.Serve(before)
	if err := w.refresh(t); err == nil || !strings.Contains(err.Error(), "new timestamp version 1 must be >= 2") {
		t.Errorf("got %v", err)
	}
	w.wantRoot(t, recordedTrust(t, "trusted_root.json"))
	w.mirror.Serve(after)
	w.mustRefresh(t)
	w.wantRoot(t, otherRoot(t))
}

func TestRotationsOfOneRefreshAreBounded(t *testing.T) {
	w := newTUFWorld(t)
	for range maxRotations + 3 {
		if err := w.mirror.Rotate(otherRoot(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.refresh(t); !errors.Is(err, errRotations) {
		t.Fatalf("got %v, want %v", err, errRotations)
	}
	if got := len(w.mirror.Asked()); got != maxRotations {
		t.Errorf("asked %d times, want %d", got, maxRotations)
	}
	w.wantRoot(t, nil)
	w.restart(w.server.Client())
	w.mustRefresh(t)
	w.wantRoot(t, otherRoot(t))
	if got := len(w.mirror.Asked()); got != 3+1+4 {
		t.Errorf("asked %d times, want 8", got)
	}
}

// TestAMirrorThatIsSlow: one that says nothing, and one that says a byte a second.
func TestAMirrorThatIsSlow(t *testing.T) {
	for name, client := range map[string]clientFunc{
		"silent": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"dripping": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(dripping{r.Context()})}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := must(lab.NewMirror(otherRoot(t)))(t)
				mirrors := NewMirrors(MirrorsConfig{Client: client})
				begin := time.Now()
				err := mirrors.Refresh(t.Context(), []MirrorSource{{Mirror: "http://m.test", Anchor: string(m.Root())}})
				if !errors.Is(err, errMirrorTime) || time.Since(begin) != mirrorTryTimeout {
					t.Errorf("after %v: %v", time.Since(begin), err)
				}
			})
		})
	}
}

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

type dripping struct{ ctx context.Context }

func (d dripping) Read(b []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(time.Second):
		b[0] = ' '
		return 1, nil
	}
}

// TestTheEndOfMetadata: the last good trusted root is in use through its grace, and
// no longer; it comes back with the mirror.
func TestTheEndOfMetadata(t *testing.T) {
	w := newTUFWorld(t)
	w.mustRefresh(t)
	good, frozen := recordedTrust(t, "trusted_root.json"), w.mirror.Files()
	expires := must(w.mirrors.find(w.source))(t).given.expires
	w.now = expires.Add(time.Second)
	w.wantRoot(t, good)
	if len(w.mirrors.Wanting([]MirrorSource{w.source})) != 1 {
		t.Error("what has ended is not wanted")
	}
	if err := w.refresh(t); err == nil || !strings.Contains(err.Error(), "final root.json is expired") {
		t.Errorf("a frozen mirror: %v", err)
	}
	w.now = expires.Add(MirrorGrace - time.Second)
	w.wantRoot(t, good)
	w.restart(w.server.Client())
	w.wantRoot(t, good)
	w.now = expires.Add(MirrorGrace)
	w.wantRoot(t, nil)
	before := w.changed.Load()
	if err := w.refresh(t); err == nil || w.changed.Load() != before+1 {
		t.Errorf("got %v, told %d times", err, w.changed.Load()-before)
	}
	w.restart(nil)
	w.wantRoot(t, nil)

	w.restart(w.server.Client())
	w.mirror.Serve(frozen)
	w.mirror.Ends = w.now.Add(time.Hour)
	if err := w.mirror.Rotate(good); err != nil {
		t.Fatal(err)
	}
	w.mustRefresh(t)
	w.wantRoot(t, good)
}

// TestAKeptStateIsNotBelieved: whoever writes DATA_DIR can take a trusted root
// away, and give none.
func TestAKeptStateIsNotBelieved(t *testing.T) {
	good := recordedTrust(t, "trusted_root.json")
	change := func(f func(*mirrorState)) func(t *testing.T, text []byte) []byte {
		return func(t *testing.T, text []byte) []byte {
			var state mirrorState
			if err := json.Unmarshal(text, &state); err != nil {
				t.Fatal(err)
			}
			f(&state)
			return must(json.Marshal(state))(t)
		}
	}
	stranger := must(lab.NewMirror(otherRoot(t)))(t)
	for name, write := range map[string]func(*testing.T, []byte) []byte{
		"empty":                   func(*testing.T, []byte) []byte { return nil },
		"cut":                     func(_ *testing.T, text []byte) []byte { return text[:len(text)/2] },
		"another trusted root":    change(func(s *mirrorState) { s.Good.Target = otherRoot(t) }),
		"another's repository":    change(func(s *mirrorState) { s.Good = fileSet(stranger, otherRoot(t)) }),
		"another's roots":         change(func(s *mirrorState) { s.Roots = [][]byte{stranger.Root()}; s.GoodRoots = 1 }),
		"a root without its like": change(func(s *mirrorState) { s.Roots = nil }),
		"parts that are missing":  change(func(s *mirrorState) { s.Good.Timestamp = []byte(`{}`) }),
	} {
		t.Run(name, func(t *testing.T) {
			w := newTUFWorld(t)
			if err := w.mirror.Rotate(good); err != nil {
				t.Fatal(err)
			}
			w.mustRefresh(t)
			text := must(os.ReadFile(w.state()))(t)
			if err := os.WriteFile(w.state(), write(t, text), 0o600); err != nil {
				t.Fatal(err)
			}
			w.restart(w.server.Client())
			w.wantRoot(t, nil)
			w.mustRefresh(t)
			w.wantRoot(t, good)
			w.restart(nil)
			w.wantRoot(t, good)
		})
	}
}

func fileSet(m *lab.Mirror, target []byte) mirrorSet {
	return mirrorSet{Timestamp: m.File("timestamp.json"), Snapshot: m.File("1.snapshot.json"), Targets: m.File("1.targets.json"), Target: target}
}

func TestWhatIsKeptIsForItsOwnerAlone(t *testing.T) {
	w := newTUFWorld(t)
	w.mustRefresh(t)
	for name, want := range map[string]os.FileMode{w.state(): 0o600, strings.TrimSuffix(w.state(), "/"+mirrorFile): 0o700} {
		if got := must(os.Stat(name))(t).Mode().Perm(); got != want {
			t.Errorf("%s has the mode %v, want %v", name, got, want)
		}
	}
	entries := must(os.ReadDir(strings.TrimSuffix(w.state(), mirrorFile)))(t)
	if len(entries) != 1 {
		t.Errorf("got %d files, want the state alone", len(entries))
	}
}

// TestAFolderThatCannotBeWritten costs the next start, not this one; one that cannot
// be opened is an error.
func TestAFolderThatCannotBeWritten(t *testing.T) {
	w := newTUFWorld(t)
	file := w.folder + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.folder = file + "/below"
	w.restart(w.server.Client())
	w.wantRoot(t, nil)
	w.mustRefresh(t)
	w.wantRoot(t, recordedTrust(t, "trusted_root.json"))

	w.mirrors = NewMirrors(MirrorsConfig{Folder: func() (string, error) { return "", fmt.Errorf("in use") }})
	if _, _, err := w.mirrors.look(w.source); err == nil {
		t.Error("got no error")
	}
}
