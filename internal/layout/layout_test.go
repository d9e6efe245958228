package layout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vouchsafe/internal/layout"
	"vouchsafe/oci"
	"vouchsafe/verify"
)

func open(t *testing.T, dir string) *layout.Layout {
	t.Helper()
	l, err := layout.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func reference(t *testing.T, s string) oci.Reference {
	t.Helper()
	ref, err := oci.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// folder is a layout that a test writes.
type folder struct {
	t       *testing.T
	dir     string
	entries []map[string]any
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	f := &folder{t: t, dir: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(f.dir, "blobs", "sha256"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return f
}

func (f *folder) write(name string, b []byte) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), b, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) blob(b []byte) oci.Digest {
	f.t.Helper()
	digest := oci.SHA256(b)
	f.write("blobs/sha256/"+digest.Hex(), b)
	return digest
}

// manifest stores an image manifest; subject may be zero.
func (f *folder) manifest(seed string, subject oci.Digest) (oci.Digest, int) {
	f.t.Helper()
	config := f.blob([]byte("{}"))
	m := map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest, "artifactType": "application/x-" + seed,
		"config": map[string]any{"mediaType": "application/vnd.oci.empty.v1+json", "digest": config.String(), "size": 2},
		"layers": []any{},
	}
	if !subject.IsZero() {
		m["subject"] = map[string]any{"mediaType": oci.MediaTypeImageManifest, "digest": subject.String(), "size": 1}
	}
	b, err := json.Marshal(m)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.blob(b), len(b)
}

func (f *folder) list(digest oci.Digest, size int, notes map[string]string) {
	entry := map[string]any{"mediaType": oci.MediaTypeImageManifest, "digest": digest.String(), "size": size}
	if notes != nil {
		entry["annotations"] = notes
	}
	f.entries = append(f.entries, entry)
	b, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": f.entries})
	if err != nil {
		f.t.Fatal(err)
	}
	f.write("index.json", b)
}

func named(name string) map[string]string {
	return map[string]string{"org.opencontainers.image.ref.name": name}
}

// TestWhatCosignSavedIsVerified reads what `cosign save` of cosign 2.6.5 and
// 3.1.3 wrote.
func TestWhatCosignSavedIsVerified(t *testing.T) {
	key, err := os.ReadFile("testdata/cosign.pub")
	if err != nil {
		t.Fatal(err)
	}
	in, err := verify.NewIntegration("team", verify.Spec{PublicKeys: []verify.PublicKeySpec{{Name: "cosign.pub", Key: string(key)}}})
	if err != nil {
		t.Fatal(err)
	}
	for dir, entries := range map[string]int{"cosign2": 2, "cosign2-index": 2, "cosign3": 1} {
		t.Run(dir, func(t *testing.T) {
			l := open(t, "testdata/"+dir)
			if got := len(l.Entries()); got != entries {
				t.Errorf("got %d entries, want %d", got, entries)
			}
			digest, err := l.Find(reference(t, "registry.test/acme/api:1"))
			if err != nil {
				t.Fatal(err)
			}
			v := verify.New(l, verify.NewLRU(10, nil), verify.Config{})
			defer v.Close()
			repository := reference(t, "registry.test/acme/api").Repository
			results, err := v.Results(t.Context(), verify.Query{Repository: repository, Digest: digest, Needed: []*verify.Integration{in}})
			if err != nil || len(results) != 1 || results[0].Status != verify.Verified {
				t.Errorf("got %+v, %v", results, err)
			}
		})
	}
}

func TestFind(t *testing.T) {
	f := newFolder(t)
	one, size := f.manifest("one", oci.Digest{})
	two, _ := f.manifest("two", oci.Digest{})
	f.list(one, size, named("1"))
	f.list(two, size, named("docker.io/acme/web:2"))
	several := open(t, f.dir)
	g := newFolder(t)
	g.manifest("one", oci.Digest{})
	g.list(one, size, nil)
	alone := open(t, g.dir)
	g.list(two, size, map[string]string{"kind": "dev.cosignproject.cosign/sigs"})
	saved := open(t, g.dir)
	g.list(two, size, nil)
	pair := open(t, g.dir)
	h := newFolder(t)
	h.manifest("one", oci.Digest{})
	h.list(one, size, named("9"))
	other := open(t, h.dir)

	for name, c := range map[string]struct {
		layout *layout.Layout
		ref    string
		want   oci.Digest
	}{
		"by tag":                                     {several, "registry.test/any:1", one},
		"by whole name":                              {several, "acme/web:2", two},
		"a whole name of another repository":         {several, "acme/api:2", oci.Digest{}},
		"a name that is not there":                   {several, "acme/api:3", oci.Digest{}},
		"by digest, whatever the tag":                {several, "acme/api:3@" + two.String(), two},
		"the only one, which has no name":            {alone, "acme/api:3", one},
		"the only one beside its signature":          {saved, "acme/api:3", one},
		"one of two without names":                   {pair, "acme/api:3", oci.Digest{}},
		"the only one, which has another name":       {other, "acme/api:3", oci.Digest{}},
		"the only one, which has the name asked for": {other, "acme/api:9", one},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.layout.Find(reference(t, c.ref))
			if got != c.want || (err == nil) == c.want.IsZero() {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
			if err != nil && oci.CodeOf(err) != oci.CodeManifestUnknown {
				t.Errorf("got the class %v", oci.CodeOf(err))
			}
		})
	}
}

func TestSignaturesAreFoundByNameNoteAndSubject(t *testing.T) {
	f := newFolder(t)
	image, size := f.manifest("image", oci.Digest{})
	plain, _ := f.manifest("plain", oci.Digest{})
	signature, _ := f.manifest("signature", oci.Digest{})
	noted, _ := f.manifest("noted", oci.Digest{})
	second, _ := f.manifest("second", oci.Digest{})
	referrer, _ := f.manifest("referrer", image)
	f.list(plain, size, named("plain"))
	f.list(signature, size, named(plain.TagName()+".sig"))
	f.list(image, size, map[string]string{"kind": "dev.cosignproject.cosign/image"})
	f.list(noted, size, map[string]string{"kind": "dev.cosignproject.cosign/sigs"})
	f.list(second, size, map[string]string{"kind": "dev.cosignproject.cosign/sigs"})
	l := open(t, f.dir)
	for tag, want := range map[string]oci.Digest{
		plain.TagName() + ".sig": signature,
		image.TagName() + ".sig": noted,
		image.TagName():          {},
		noted.TagName() + ".sig": {},
	} {
		raw, err := l.GetManifest(t.Context(), oci.Reference{Repository: reference(t, "a.test/b").Repository, Tag: tag})
		if want.IsZero() {
			if oci.CodeOf(err) != oci.CodeManifestUnknown {
				t.Errorf("%s: got %v, want it unknown", tag, err)
			}
			continue
		}
		if err != nil || !want.Matches(raw.Bytes) {
			t.Errorf("%s: got %.80s, %v", tag, raw.Bytes, err)
		}
	}
	found, err := l.Referrers(t.Context(), oci.Repository{}, image)
	if err != nil || !found.Supported || len(found.Manifests) != 1 || found.Manifests[0].Digest != referrer || found.Manifests[0].ArtifactType != "application/x-referrer" {
		t.Errorf("got %+v, %v", found, err)
	}
	if found, err := l.Referrers(t.Context(), oci.Repository{}, plain); err != nil || len(found.Manifests) != 0 {
		t.Errorf("another image: got %+v, %v", found, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, write := range map[string]func(f *folder){
		"a folder without an index":    func(*folder) {},
		"an index that is not JSON":    func(f *folder) { f.write("index.json", []byte("nonsense")) },
		"an index over the limit":      func(f *folder) { f.write("index.json", make([]byte, oci.MaxManifestBytes+1)) },
		"an index with too many":       func(f *folder) { f.write("index.json", []byte(many(oci.MaxIndexManifests+1))) },
		"an image in place of it":      func(f *folder) { f.write("index.json", []byte(`{"schemaVersion":2,"config":{},"layers":[]}`)) },
		"the same key twice":           func(f *folder) { f.write("index.json", []byte(`{"schemaVersion":2,"manifests":[],"manifests":[]}`)) },
		"an index that is a pipe":      func(f *folder) { pipe(f, "index.json") },
		"an index that links outside":  func(f *folder) { link(f, outside(f.t), "index.json") },
		"an index that is a folder":    func(f *folder) { folderAt(f, "index.json") },
		"an index that links to parts": func(f *folder) { link(f, "../../../../../../etc/passwd", "index.json") },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			write(f)
			if l, err := layout.Open(f.dir); err == nil {
				t.Errorf("it was opened: %v", l.Entries())
			}
		})
	}
	if _, err := layout.Open(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there was opened")
	}
}

func many(n int) string {
	one := fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":1}`, oci.MediaTypeImageManifest, oci.SHA256(nil))
	return `{"schemaVersion":2,"manifests":[` + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + `]}`
}

// outside returns a file with a good index outside every layout.
func outside(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index.json")
	if err := os.WriteFile(path, []byte(many(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func link(f *folder, to, name string) {
	f.t.Helper()
	if err := os.Symlink(to, filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
}

func pipe(f *folder, name string) {
	f.t.Helper()
	if err := syscall.Mkfifo(filepath.Join(f.dir, name), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func folderAt(f *folder, name string) {
	f.t.Helper()
	if err := os.Mkdir(filepath.Join(f.dir, name), 0o700); err != nil {
		f.t.Fatal(err)
	}
}

func TestABlobIsWhatItsNameSaysOrAnError(t *testing.T) {
	f := newFolder(t)
	good := f.blob([]byte("good"))
	wrong := oci.SHA256([]byte("right"))
	f.write("blobs/sha256/"+wrong.Hex(), []byte("wrong"))
	stuck, escaped, within, dir := oci.SHA256([]byte("stuck")), oci.SHA256([]byte(many(1))), oci.SHA256([]byte("good")), oci.SHA256([]byte("dir"))
	pipe(f, "blobs/sha256/"+stuck.Hex())
	link(f, outside(t), "blobs/sha256/"+escaped.Hex())
	folderAt(f, "blobs/sha256/"+dir.Hex())
	f.write("index.json", []byte(`{"schemaVersion":2,"manifests":[]}`))
	l := open(t, f.dir)
	for name, c := range map[string]struct {
		digest oci.Digest
		limit  int64
		code   oci.Code
		reason string
	}{
		"whole":                          {good, 4, 0, ""},
		"the same":                       {within, 100, 0, ""},
		"one byte over the limit":        {good, 3, oci.CodeUpstream, "too_large"},
		"not there":                      {oci.SHA256([]byte("none")), 100, oci.CodeBlobUnknown, ""},
		"other content":                  {wrong, 100, oci.CodeManifestInvalid, "digest_mismatch"},
		"a pipe that nobody writes to":   {stuck, 100, oci.CodeUpstream, "unreadable"},
		"a link to outside":              {escaped, 1 << 20, oci.CodeUpstream, "unreadable"},
		"a folder":                       {dir, 1 << 20, oci.CodeUpstream, "unreadable"},
		"no digest":                      {oci.Digest{}, 100, oci.CodeBlobUnknown, ""},
		"an algorithm without any blobs": {mustDigest(t, "sha512:"+strings.Repeat("0", 128)), 100, oci.CodeBlobUnknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			b, err := l.SmallBlob(ctx, oci.Repository{}, c.digest, c.limit)
			if c.code == 0 {
				if err != nil || string(b) != "good" {
					t.Errorf("got %q, %v", b, err)
				}
				return
			}
			if err == nil || oci.CodeOf(err) != c.code {
				t.Fatalf("got %q, %v, want %v", b, err, c.code)
			}
			if e, ok := errors.AsType[*oci.Error](err); !ok || e.Reason != c.reason {
				t.Errorf("got %v, want the reason %q", err, c.reason)
			}
		})
	}
	// None of it stops the look for referrers.
	if found, err := l.Referrers(t.Context(), oci.Repository{}, good); err != nil || found.Truncated || len(found.Manifests) != 0 {
		t.Errorf("got %+v, %v", found, err)
	}
}

func mustDigest(t *testing.T, s string) oci.Digest {
	t.Helper()
	d, err := oci.ParseDigest(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAReaderThatLeftIsToldSo(t *testing.T) {
	l := open(t, "testdata/cosign3")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	digest := l.Entries()[0].Digest
	_, manifest := l.GetManifest(ctx, oci.Reference{Digest: digest})
	_, referrers := l.Referrers(ctx, oci.Repository{}, digest)
	_, blob := l.SmallBlob(ctx, oci.Repository{}, digest, 1<<20)
	for _, err := range []error{manifest, referrers, blob} {
		if err == nil || ctx.Err() == nil || !strings.Contains(err.Error(), "context canceled") {
			t.Errorf("got %v", err)
		}
	}
}

func TestTooManyBlobsAreCutAndThatIsSaid(t *testing.T) {
	f := newFolder(t)
	f.write("index.json", []byte(`{"schemaVersion":2,"manifests":[]}`))
	for i := range 20_001 {
		f.write("blobs/sha256/"+oci.SHA256(fmt.Append(nil, i)).Hex(), nil)
	}
	found, err := open(t, f.dir).Referrers(t.Context(), oci.Repository{}, oci.SHA256(nil))
	if err != nil || !found.Truncated {
		t.Errorf("got %+v, %v, want it cut", found, err)
	}
}

func TestANameOfTwoImagesIsNoName(t *testing.T) {
	dir := t.TempDir()
	entry := func(seed string) string {
		return `{"mediaType":"` + oci.MediaTypeImageManifest + `","digest":"` + oci.SHA256([]byte(seed)).String() +
			`","size":1,"annotations":{"org.opencontainers.image.ref.name":"v1"}}`
	}
	write := func(entries string) {
		t.Helper()
		text := `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageIndex + `","manifests":[` + entries + `]}`
		if err := os.WriteFile(filepath.Join(dir, "index.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ref := oci.Reference{Repository: oci.Repository{Registry: "docker.io", Path: "acme/api"}, Tag: "v1"}
	write(entry("a") + "," + entry("a"))
	l, err := layout.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.Find(ref); err != nil || got != oci.SHA256([]byte("a")) {
		t.Errorf("one image listed twice: got %s, %v", got, err)
	}
	_ = l.Close()
	write(entry("a") + "," + entry("b"))
	if l, err = layout.Open(dir); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got, err := l.Find(ref); oci.CodeOf(err) != oci.CodeManifestInvalid {
		t.Errorf("got %s, %v, want an invalid layout", got, err)
	}
}

func TestAPipeIsNoLayout(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := layout.Open(pipe); err == nil {
		_ = l.Close()
		t.Error("a pipe was opened")
	}
}
