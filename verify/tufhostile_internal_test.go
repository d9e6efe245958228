package verify

import (
	"context"
	"crypto"
	"crypto/ed25519"
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

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"vouchsafe/internal/lab"
)

func manySignatures(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`{"keyid":"%05x","sig":""}`, i))
	}
	return "[" + strings.Join(all, ",") + "]"
}

func TestTheShapeOfMetadataIsBounded(t *testing.T) {
	nested := func(n int) string { return strings.Repeat(`{"x":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"an object", `{"signed":{"a":["b",{"c":null}]},"signatures":[]}`, nil},
		{"as many values as are allowed", `{"x":[` + strings.Repeat("1,", maxMirrorValues-3) + "1]}", nil},
		{"one value more", `{"x":[` + strings.Repeat("1,", maxMirrorValues-2) + "1]}", errMirrorValues},
		{"as deep as is allowed", nested(maxMirrorDepth), nil},
		{"one level deeper", nested(maxMirrorDepth + 1), errMirrorDepth},
		{"as many signatures as are allowed", `{"signatures":` + manySignatures(maxMirrorSignatures) + "}", nil},
		{"one signature more", `{"signatures":` + manySignatures(maxMirrorSignatures+1) + "}", errMirrorSignatures},
		{"signatures in two lists", `{"signatures":` + manySignatures(maxMirrorSignatures) + `,"signatures":[1]}`, errMirrorSignatures},
		{"signatures by another case", `{"SignatureS":` + manySignatures(maxMirrorSignatures+1) + "}", errMirrorSignatures},
		{"a list of that name elsewhere", `{"signed":{"signatures":` + manySignatures(maxMirrorSignatures+1) + "}}", nil},
		{"nothing", " ", errMirrorJSON},
		{"a list", "[]", errMirrorJSON},
		{"half an object", `{"signed":{`, errMirrorJSON},
		{"two objects", "{}{}", errMirrorJSON},
		{"an object and more", "{} x", errMirrorJSON},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := scanMetadata([]byte(c.text)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestWhatNobodySignedIsNotParsed: it is refused for its shape, before the library
// makes a hundred times its size of it.
func TestWhatNobodySignedIsNotParsed(t *testing.T) {
	values := `{"signed":{"_type":"targets","x":[` + strings.Repeat("{},", 300_000) + `{}]}}`
	for _, c := range []struct{ name, file, text, want string }{
		{"values in the targets", "2.targets.json", values, errMirrorValues.Error()},
		{"values in the snapshot", "2.snapshot.json", values, errMirrorValues.Error()},
		{"signatures of the timestamp", "timestamp.json", `{"signatures":` + manySignatures(2000) + "}", errMirrorSignatures.Error()},
		{"signatures of the next root", "2.root.json", `{"signatures":` + manySignatures(2000) + "}", errMirrorSignatures.Error()},
		{"more bytes than metadata may have", "2.targets.json", values + strings.Repeat(" ", 1<<20), errMirrorSize.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTUFWorld(t)
			w.mustRefresh(t)
			if err := w.mirror.Publish(otherRoot(t)); err != nil {
				t.Fatal(err)
			}
			files := w.mirror.Files()
			files[c.file] = []byte(c.text)
			w.mirror.Serve(files)
			if err := w.refresh(t); err == nil || err.Error() != c.file+": "+c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			w.wantRoot(t, recordedTrust(t, "trusted_root.json"))
		})
	}
}

// TestASlowMirrorDelaysNoOther, although answers are parsed one at a time.
func TestASlowMirrorDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mirror := must(lab.NewMirror(otherRoot(t)))(t)
		mirrors := NewMirrors(MirrorsConfig{Client: clientFunc(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "slow.test" {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return handled{mirror}.Do(r)
		})})
		slow := MirrorSource{Mirror: "http://slow.test", Anchor: string(mirror.Root())}
		other := MirrorSource{Mirror: "http://other.test", Anchor: string(mirror.Root())}
		ended := make(chan error, 1)
		go func() { ended <- mirrors.Refresh(t.Context(), []MirrorSource{slow, other}) }()
		synctest.Wait()
		if material, absent, err := mirrors.look(other); material == nil || err != nil {
			t.Errorf("it waits for the slow one: %s, %v", absent, err)
		}
		if err := <-ended; !errors.Is(err, errMirrorTime) {
			t.Errorf("got %v", err)
		}
	})
}

// TestTheEndIsNotKeptWaiting by another who parses, or who asks the same mirror.
func TestTheEndIsNotKeptWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mirror := must(lab.NewMirror(otherRoot(t)))(t)
		source := MirrorSource{Mirror: "http://mirror.test", Anchor: string(mirror.Root())}
		mirrors := NewMirrors(MirrorsConfig{Client: handled{mirror}})
		one := must(mirrors.find(source))(t)
		for name, held := range map[string]slot{"parses": mirrors.parsing, "asks": one.asking} {
			if err := held.take(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- mirrors.Refresh(ctx, []MirrorSource{source}) }()
			synctest.Wait()
			if got := mirror.Asked(); len(got) > 0 {
				t.Errorf("asked for %q while another %s", got, name)
			}
			stop()
			begin := time.Now()
			if err := <-ended; !errors.Is(err, context.Canceled) || time.Since(begin) > 0 {
				t.Errorf("while another %s: after %v: %v", name, time.Since(begin), err)
			}
			held.give()
		}
		if err := mirrors.Refresh(t.Context(), []MirrorSource{source}); err != nil {
			t.Error(err)
		}
	})
}

func TestAPanicIsSaidToBeTheFiles(t *testing.T) {
	w := newTUFWorld(t)
	w.restart(clientFunc(func(*http.Request) (*http.Response, error) { panic("hostile") }))
	if err := w.refresh(t); !errors.Is(err, errPanic) || !strings.HasPrefix(err.Error(), "2.root.json: ") {
		t.Errorf("got %v", err)
	}
}

// handMade signs whatever metadata by one key, for all roles, that is valid for a
// year.
type handMade struct {
	key   ed25519.PrivateKey
	ends  time.Time
	files map[string][]byte
}

func newHandMade(t *testing.T) *handMade {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &handMade{key: key, ends: time.Now().AddDate(1, 0, 0).UTC(), files: map[string][]byte{}}
	h.root(t, 1)
	return h
}

func (h *handMade) root(t *testing.T, version int64) {
	t.Helper()
	root := metadata.Root(h.ends)
	root.Signed.Version = version
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		if err := root.Signed.AddKey(must(metadata.KeyFromPublicKey(h.key.Public()))(t), role); err != nil {
			t.Fatal(err)
		}
	}
	sign(t, h, fmt.Sprintf("%d.root.json", version), root)
}

// publish signs a set of a version, after change had its way with it.
func (h *handMade) publish(t *testing.T, version int64, target []byte, change func(*metadata.TimestampType, *metadata.SnapshotType)) {
	t.Helper()
	described := must(metadata.TargetFile().FromBytes(mirrorTarget, target, "sha256"))(t)
	targets, snapshot, timestamp := metadata.Targets(h.ends), metadata.Snapshot(h.ends), metadata.Timestamp(h.ends)
	targets.Signed.Version, snapshot.Signed.Version, timestamp.Signed.Version = version, version, version
	targets.Signed.Targets[mirrorTarget] = described
	snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(version)
	timestamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(version)
	change(&timestamp.Signed, &snapshot.Signed)
	h.files["targets/"+described.Hashes["sha256"].String()+"."+mirrorTarget] = target
	sign(t, h, fmt.Sprintf("%d.targets.json", version), targets)
	sign(t, h, fmt.Sprintf("%d.snapshot.json", version), snapshot)
	sign(t, h, "timestamp.json", timestamp)
}

func sign[T metadata.Roles](t *testing.T, h *handMade, name string, signed *metadata.Metadata[T]) {
	t.Helper()
	if _, err := signed.Sign(must(signature.LoadSigner(h.key, crypto.Hash(0)))(t)); err != nil {
		t.Fatal(err)
	}
	h.files[name] = must(signed.ToBytes(false))(t)
}

func (h *handMade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, ok := h.files[strings.TrimPrefix(r.URL.Path, "/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(text)
}

func unchanged(*metadata.TimestampType, *metadata.SnapshotType) {}

// handMadeWorld is a tufWorld whose mirror h is.
func handMadeWorld(t *testing.T) (*tufWorld, *handMade) {
	t.Helper()
	w, h := newTUFWorld(t), newHandMade(t)
	w.answer(h)
	w.source.Anchor = string(h.files["1.root.json"])
	return w, h
}

// TestSignedMetadataThatNamesNothingIsNotKept: the mirror is well again as soon as
// its operator signs what is right.
func TestSignedMetadataThatNamesNothingIsNotKept(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*metadata.TimestampType, *metadata.SnapshotType)
	}{
		{"a timestamp without a snapshot", "timestamp.json: names no snapshot.json", func(one *metadata.TimestampType, _ *metadata.SnapshotType) { clear(one.Meta) }},
		{"a timestamp with null for its snapshot", "timestamp.json: names no snapshot.json", func(one *metadata.TimestampType, _ *metadata.SnapshotType) { one.Meta["snapshot.json"] = nil }},
		{"a snapshot without targets", "1.snapshot.json: names no targets.json", func(_ *metadata.TimestampType, one *metadata.SnapshotType) { clear(one.Meta) }},
		{"a snapshot with null for its targets", "1.snapshot.json: names no targets.json", func(_ *metadata.TimestampType, one *metadata.SnapshotType) { one.Meta["targets.json"] = nil }},
		{"a snapshot with null for something else", "1.snapshot.json: names no targets.json", func(_ *metadata.TimestampType, one *metadata.SnapshotType) { one.Meta["more.json"] = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, h := handMadeWorld(t)
			h.publish(t, 1, otherRoot(t), c.change)
			if err := w.refresh(t); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			broken := maps.Clone(h.files)
			h.publish(t, 2, otherRoot(t), unchanged)
			w.mustRefresh(t)
			w.wantRoot(t, otherRoot(t))

			// One that was kept before this was looked at is left alone.
			state := must(json.Marshal(mirrorState{Seen: mirrorSet{Timestamp: broken["timestamp.json"], Snapshot: broken["1.snapshot.json"]}}))(t)
			if err := os.WriteFile(w.state(), state, 0o600); err != nil {
				t.Fatal(err)
			}
			w.restart(w.server.Client())
			w.mustRefresh(t)
			w.wantRoot(t, otherRoot(t))
		})
	}
}

// TestARevokedKeyDoesNotChooseItsEnd: whoever has the old keys, and keeps the
// timestamp of the new ones away, has their word for MirrorGrace and no longer.
func TestARevokedKeyDoesNotChooseItsEnd(t *testing.T) {
	w := newTUFWorld(t)
	w.mustRefresh(t)
	good := recordedTrust(t, "trusted_root.json")
	if err := w.mirror.Rotate(otherRoot(t)); err != nil {
		t.Fatal(err)
	}
	whole := w.mirror.Files()
	without := maps.Clone(whole)
	delete(without, "timestamp.json")
	w.mirror.Serve(without)
	learnt := w.now
	if err := w.refresh(t); err == nil {
		t.Fatal("a refresh without a timestamp succeeded")
	}
	w.wantRoot(t, good)
	if len(w.mirrors.Wanting([]MirrorSource{w.source})) != 1 {
		t.Error("what was revoked is not wanted")
	}
	w.now = learnt.Add(time.Hour)
	_ = w.refresh(t) // it does not begin anew
	for range 2 {
		w.now = learnt.Add(MirrorGrace - time.Second)
		w.wantRoot(t, good)
		w.now = learnt.Add(MirrorGrace)
		w.wantRoot(t, nil)
		w.restart(w.server.Client())
	}
	w.now = learnt.Add(time.Hour)
	w.mirror.Serve(whole)
	w.mustRefresh(t)
	w.wantRoot(t, otherRoot(t))
	one := must(w.mirrors.find(w.source))(t)
	if !one.state.RevokedAt.IsZero() || !one.given.expires.After(w.now) {
		t.Errorf("after news: revoked at %v, ends at %v", one.state.RevokedAt, one.given.expires)
	}
}

// TestANewRootWithTheSameKeysEndsNothing, although the mirror is away then.
func TestANewRootWithTheSameKeysEndsNothing(t *testing.T) {
	w, h := handMadeWorld(t)
	h.publish(t, 1, otherRoot(t), unchanged)
	w.mustRefresh(t)
	before := must(w.mirrors.find(w.source))(t).given.expires
	h.root(t, 2)
	delete(h.files, "timestamp.json")
	if err := w.refresh(t); err == nil {
		t.Fatal("a refresh without a timestamp succeeded")
	}
	one := must(w.mirrors.find(w.source))(t)
	if len(one.state.Roots) != 1 || !one.given.expires.Equal(before) {
		t.Errorf("got %d roots, ends at %v, want 1, %v", len(one.state.Roots), one.given.expires, before)
	}
}

// TestNothingIsWrittenToAFolderThatIsAnothersSince it was opened.
func TestNothingIsWrittenToAFolderThatIsAnothersSince(t *testing.T) {
	w := newTUFWorld(t)
	mine := true
	w.mirrors = NewMirrors(MirrorsConfig{Client: w.server.Client(), Folder: func() (string, error) {
		if !mine {
			return "", io.ErrClosedPipe
		}
		return w.folder, nil
	}})
	w.wantRoot(t, nil)
	mine = false
	w.mustRefresh(t)
	w.wantRoot(t, recordedTrust(t, "trusted_root.json"))
	if entries := must(os.ReadDir(w.folder))(t); len(entries) != 0 {
		t.Errorf("got %d files", len(entries))
	}
}
