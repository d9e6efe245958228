package config_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vouchsafe/config"
	"vouchsafe/internal/lab"
	"vouchsafe/verify"
)

// mirrored is what an integration says that takes its logs from a TUF mirror.
const mirrored = "  transparencyLog: {enabled: true, offline: true}\n  trustedRoot: {tuf: {mirror: http://mirror.test, rootFile: root.json}}\n"

func fixtureRoot(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../verify/testdata/fixtures/trust/trusted_root.json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func newMirror(t *testing.T) *lab.Mirror {
	t.Helper()
	mirror, err := lab.NewMirror(fixtureRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	return mirror
}

// client asks a mirror without a network.
type client struct{ http.Handler }

func (c client) Do(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	c.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

func TestATrustedRootOfAMirrorComesIntoForce(t *testing.T) {
	dir := t.TempDir()
	mirror := newMirror(t)
	write(t, filepath.Join(dir, "root.json"), string(mirror.Root()))
	write(t, filepath.Join(dir, "a.yaml"), integration("team", newKey(t))+mirrored+"---\n"+imagePolicy("prod", "team", "Inform"))
	write(t, filepath.Join(dir, "user"), "robot")
	write(t, filepath.Join(dir, "password"), "hunter2")
	write(t, filepath.Join(dir, "r.yaml"), document(config.KindRegistry, "r.example.com", "  credentials: {usernameFile: user, passwordFile: password}\n  access: Shared\n"))
	var store *config.Store
	mirrors := verify.NewMirrors(verify.MirrorsConfig{Client: client{mirror}, Changed: func() { store.Refresh() }})
	settings := defaults(t)
	settings.ConfigDir, settings.ConfigDirNamed, settings.Listen = dir, true, "127.0.0.1:0"
	refreshed, changed := make(chan *config.Snapshot, 8), make(chan error, 8)
	store, err := config.NewStore(config.LoadOptions{Settings: settings, Mirrors: mirrors}, config.StoreConfig{
		Refreshed: func(s *config.Snapshot) { refreshed <- s },
		Changed:   func(_ *config.Snapshot, err error) { changed <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = store.Watch(t.Context()) }()
	refresh := func() {
		t.Helper()
		if err := mirrors.Refresh(t.Context(), []verify.MirrorSource{store.Current().Integrations["team"].Mirror()}); err != nil {
			t.Fatal(err)
		}
	}
	next := func(from chan *config.Snapshot) *config.Snapshot {
		t.Helper()
		select {
		case s := <-from:
			return s
		case <-time.After(10 * time.Second):
			t.Fatal("nothing came into force")
			return nil
		}
	}
	before := store.Current()
	refresh()
	given := next(refreshed)
	if given.Revision == before.Revision || given.Integrations["team"].Revision() == before.Integrations["team"].Revision() || store.Current() != given {
		t.Error("the trusted root is not in force")
	}
	if given.Registries["r.example.com"] != before.Registries["r.example.com"] || given.Rules.Policies[0].Name() != "prod" {
		t.Error("more than trust has changed")
	}
	refresh()

	// A broken folder does not keep a revoked authority alive, and the files that
	// documents name are those that were read with them.
	for _, name := range []string{"root.json", "password"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "a.yaml"), "kind: [")
	if err := <-changed; err == nil {
		t.Fatal("the broken folder is in force")
	}
	if err := mirror.Publish(bytes.ReplaceAll(fixtureRoot(t), []byte("127.0.0.1"), []byte("localhost"))); err != nil {
		t.Fatal(err)
	}
	refresh()
	if after := next(refreshed); after.Revision == given.Revision || len(after.Rules.Policies) != 1 || after.LoadedAt != before.LoadedAt {
		t.Error("the changed trusted root is not in force")
	}
	if len(refreshed)+len(changed) > 0 {
		t.Error("more was told than has changed")
	}
}

func TestDocumentsWithAMirrorLoadWithoutIt(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "root.json"), string(newMirror(t).Root()))
	write(t, filepath.Join(dir, "a.yaml"), integration("team", newKey(t))+mirrored)
	s := mustLoad(t, dir, config.LoadOptions{Settings: defaults(t)})
	if s.Integrations["team"].Mirror().Mirror != "http://mirror.test" {
		t.Errorf("got %+v", s.Integrations["team"].Mirror())
	}
	write(t, filepath.Join(dir, "root.json"), string(newMirror(t).Root()))
	if after := mustLoad(t, dir, config.LoadOptions{Settings: defaults(t)}); after.Revision == s.Revision {
		t.Error("another root file has the same revision")
	}
	write(t, filepath.Join(dir, "root.json"), "{}")
	if _, err := config.Load(dir, config.LoadOptions{Settings: defaults(t)}); err == nil || !strings.Contains(err.Error(), "spec.trustedRoot.tuf.rootFile") {
		t.Errorf("got %v", err)
	}
}
