package config_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/config"
)

// followed is a store that is being watched.
type followed struct {
	*config.Store

	dir     string
	changes chan change
	log     *syncBuffer
}

type change struct {
	snapshot *config.Snapshot
	err      error
}

func follow(t *testing.T, dir string, configure func(*config.Settings)) *followed {
	t.Helper()
	settings := defaults(t)
	settings.ConfigDir, settings.ConfigDirNamed = dir, true
	if configure != nil {
		configure(&settings)
	}
	f := &followed{dir: dir, changes: make(chan change, 100), log: &syncBuffer{}}
	store, err := config.NewStore(config.LoadOptions{Settings: settings}, config.StoreConfig{
		Changed: func(snapshot *config.Snapshot, err error) { f.changes <- change{snapshot, err} },
		Log:     slog.New(slog.NewTextHandler(f.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Store = store
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- store.Watch(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	return f
}

// next waits for a change and measures it against the promise.
func (f *followed) next(t *testing.T) change {
	t.Helper()
	begin := time.Now()
	select {
	case c := <-f.changes:
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("the change took %v, want at most 2 s", took)
		}
		return c
	case <-time.After(20 * time.Second):
		t.Fatalf("no change came; log:\n%s", f.log)
		return change{}
	}
}

func (f *followed) none(t *testing.T) {
	t.Helper()
	select {
	case c := <-f.changes:
		t.Errorf("got a change nobody made: %v", c.err)
	default:
	}
}

func (f *followed) good(t *testing.T) *config.Snapshot {
	t.Helper()
	c := f.next(t)
	if c.err != nil {
		t.Fatalf("refused: %v", c.err)
	}
	if f.Current() != c.snapshot {
		t.Error("what was told is not in force")
	}
	return c.snapshot
}

func (f *followed) bad(t *testing.T) error {
	t.Helper()
	kept := f.Current()
	c := f.next(t)
	if c.err == nil {
		t.Fatal("a bad configuration came into force")
	}
	if c.snapshot != kept || f.Current() != kept {
		t.Error("the last good one did not stay in force")
	}
	return c.err
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestAChangeComesIntoForce(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "keys.yaml"), integration("team", newKey(t)))
	write(t, filepath.Join(dir, "policies.yaml"), imagePolicy("prod", "team", "Inform"))
	f := follow(t, dir, nil)
	before := f.Current()

	write(t, filepath.Join(dir, "policies.yaml"), imagePolicy("prod", "team", "InformAndEnforce"))
	after := f.good(t)

	if !after.Enforces() || after.Revision == before.Revision {
		t.Error("the change is not in force")
	}
	if after.Integrations["team"] != before.Integrations["team"] || after.Registries["docker.io"] != before.Registries["docker.io"] {
		t.Error("what did not change was made again")
	}
}

func TestABadReloadKeepsTheLastGoodOneAndSaysSoOnce(t *testing.T) {
	dir := t.TempDir()
	policies := filepath.Join(dir, "policies.yaml")
	write(t, filepath.Join(dir, "keys.yaml"), integration("team", newKey(t)))
	write(t, policies, imagePolicy("prod", "team", "InformAndEnforce"))
	f := follow(t, dir, nil)
	revision := f.Current().Revision

	write(t, policies, imagePolicy("prod", "taem", "Perhaps"))
	err := f.bad(t)
	if problems, ok := errors.AsType[config.Problems](err); !ok || len(problems) != 2 {
		t.Errorf("got %v, want two problems", err)
	}
	// The same mistakes in a file that was only touched are not told again: the
	// next thing told is the good one.
	if err := os.Chtimes(policies, time.Now(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "notes.txt"), "x")
	write(t, policies, imagePolicy("prod", "team", "InformAndEnforce"))
	if got := f.good(t); got.Revision != revision {
		t.Errorf("got revision %s, want %s again", got.Revision, revision)
	}
	f.none(t)
	log := f.log.String()
	if strings.Count(log, "configuration refused") != 1 || !strings.Contains(log, "spec.signers[0]") || !strings.Contains(log, "spec.behavior") {
		t.Errorf("log:\n%s", log)
	}
}

func TestAHalfWrittenFileIsReadAgainWhenItIsWhole(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "keys.yaml"), integration("team", newKey(t)))
	f := follow(t, dir, nil)
	whole := imagePolicy("prod", "team", "InformAndEnforce")

	write(t, filepath.Join(dir, "policies.yaml"), whole[:len(whole)/2])
	f.bad(t)
	write(t, filepath.Join(dir, "policies.yaml"), whole)
	if !f.good(t).Enforces() {
		t.Error("the policy is not in force")
	}
	if log := f.log.String(); !strings.Contains(log, `error="1 mistake in the documents"`) {
		t.Errorf("log:\n%s", log)
	}
}

func TestAFolderThatVanishesOrLosesItsLastDocumentIsABadReload(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config.d")
	keys := filepath.Join(dir, "keys.yaml")
	write(t, keys, integration("team", newKey(t)))
	f := follow(t, dir, nil)

	if err := os.Rename(keys, keys+".old"); err != nil {
		t.Fatal(err)
	}
	if err := f.bad(t); !strings.Contains(err.Error(), "lost its last document") {
		t.Errorf("got %v", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := f.bad(t); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	// A new folder of the same name is followed as the old one was.
	write(t, keys, integration("team", newKey(t)))
	f.good(t)
	write(t, filepath.Join(dir, "sub", "more.yaml"), integration("more", newKey(t)))
	if got := f.good(t); len(got.Integrations) != 2 {
		t.Errorf("got %d integrations, want 2", len(got.Integrations))
	}
	write(t, filepath.Join(dir, "sub", "more.yaml"), integration("other", newKey(t)))
	if got := f.good(t); got.Integrations["other"] == nil {
		t.Error("the file in the new sub-folder is not followed")
	}
}

func TestAConfigMapSwapIsFollowed(t *testing.T) {
	dir := t.TempDir()
	key := newKey(t)
	mount := func(version, behavior string) {
		t.Helper()
		write(t, filepath.Join(dir, version, "keys.yaml"), integration("team", key))
		write(t, filepath.Join(dir, version, "policies.yaml"), imagePolicy("prod", "team", behavior))
		// As kubelet does it: a new link beside the old one, renamed over it.
		link(t, version, filepath.Join(dir, "..data_tmp"))
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	mount("..2026_01", "Inform")
	link(t, "..data/keys.yaml", filepath.Join(dir, "keys.yaml"))
	link(t, "..data/policies.yaml", filepath.Join(dir, "policies.yaml"))
	f := follow(t, dir, nil)
	if len(f.Current().Rules.Policies) != 1 {
		t.Fatalf("got %d policies, want 1", len(f.Current().Rules.Policies))
	}

	mount("..2026_02", "InformAndEnforce")
	if err := os.RemoveAll(filepath.Join(dir, "..2026_01")); err != nil {
		t.Fatal(err)
	}
	if !f.good(t).Enforces() {
		t.Error("the new version is not in force")
	}
}

func TestAFolderBehindASymlinkIsFollowed(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "rev-1", "a.yaml"), integration("one", newKey(t)))
	write(t, filepath.Join(root, "rev-2", "a.yaml"), integration("two", newKey(t)))
	current := filepath.Join(root, "current")
	link(t, "rev-1", current)
	f := follow(t, current, nil)

	link(t, "rev-2", current+".new")
	if err := os.Rename(current+".new", current); err != nil {
		t.Fatal(err)
	}
	if f.good(t).Integrations["two"] == nil {
		t.Error("the new revision is not in force")
	}
	write(t, filepath.Join(root, "rev-2", "a.yaml"), integration("three", newKey(t)))
	if f.good(t).Integrations["three"] == nil {
		t.Error("a change behind the new link is not in force")
	}
}

func TestAFileThatADocumentNamesIsFollowed(t *testing.T) {
	dir, secrets := t.TempDir(), t.TempDir()
	write(t, filepath.Join(secrets, "user"), "robot")
	write(t, filepath.Join(secrets, "password"), "hunter1")
	write(t, filepath.Join(dir, "r.yaml"), document(config.KindRegistry, "r.example.com",
		"  credentials: {usernameFile: "+secrets+"/user, passwordFile: "+secrets+"/password}\n  access: Shared\n"))
	f := follow(t, dir, nil)
	before := f.Current()

	write(t, filepath.Join(secrets, "password"), "hunter2")
	after := f.good(t)
	if after.Revision == before.Revision || after.Registries["r.example.com"] == before.Registries["r.example.com"] {
		t.Error("the new password is not in force")
	}
	if err := os.Remove(filepath.Join(secrets, "password")); err != nil {
		t.Fatal(err)
	}
	if err := f.bad(t); !strings.Contains(err.Error(), "spec.credentials.passwordFile") {
		t.Errorf("got %v", err)
	}
	write(t, filepath.Join(secrets, "password"), "hunter3")
	f.good(t)
	if strings.Contains(f.log.String(), "hunter") {
		t.Error("a password is in the log")
	}
}

func TestATrustedRootIsFollowed(t *testing.T) {
	dir, trust := t.TempDir(), t.TempDir()
	root, err := os.ReadFile("../verify/testdata/fixtures/trust/trusted_root.json")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(trust, "root.json")
	write(t, name, string(root))
	write(t, filepath.Join(dir, "k.yaml"), integration("team", newKey(t))+
		"  transparencyLog: {enabled: true, offline: true}\n  trustedRoot: {file: "+name+"}\n")
	f := follow(t, dir, nil)
	before := f.Current()

	write(t, name, "{}")
	if err := f.bad(t); !strings.Contains(err.Error(), "spec.trustedRoot.file") {
		t.Errorf("got %v", err)
	}
	if f.Current().Integrations["team"] != before.Integrations["team"] {
		t.Error("a broken trusted root is in force")
	}
	write(t, name, strings.Replace(string(root), "127.0.0.1", "localhost", 1))
	if after := f.good(t); after.Revision == before.Revision || after.Integrations["team"].Revision() == before.Integrations["team"].Revision() {
		t.Error("the new trusted root is not in force")
	}
}

func TestContinuousChangesDoNotPostponeForEver(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "keys.yaml"), integration("team", newKey(t)))
	f := follow(t, dir, nil)
	ctx, stop := context.WithCancel(t.Context())
	var churn sync.WaitGroup
	churn.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("x"), 0o644)
			}
		}
	})
	defer churn.Wait()
	defer stop()
	write(t, filepath.Join(dir, "policies.yaml"), imagePolicy("prod", "team", "InformAndEnforce"))
	if !f.good(t).Enforces() {
		t.Error("the policy is not in force")
	}
}

func TestTheDefaultFolderMayAppearLater(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config.d")
	f := follow(t, dir, func(s *config.Settings) { s.ConfigDirNamed = false })
	if f.Current().Enforces() {
		t.Fatal("enforces without documents")
	}
	write(t, filepath.Join(dir, "a.yaml"), integration("team", newKey(t))+"---\n"+imagePolicy("prod", "team", "InformAndEnforce"))
	if !f.good(t).Enforces() {
		t.Error("the policy is not in force")
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	f.bad(t)
}

func TestANamedFolderMustExist(t *testing.T) {
	settings := defaults(t)
	settings.ConfigDir, settings.ConfigDirNamed = filepath.Join(t.TempDir(), "none"), true
	if _, err := config.NewStore(config.LoadOptions{Settings: settings}, config.StoreConfig{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
}

func TestAReloadThatExposesOrEnforcesUnrecordedIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "keys.yaml"), integration("team", newKey(t)))
	f := follow(t, dir, func(s *config.Settings) { s.Audit, s.Listen = config.AuditOff, ":5000" })

	write(t, filepath.Join(dir, "policies.yaml"), imagePolicy("prod", "team", "InformAndEnforce"))
	if err := f.bad(t); !strings.Contains(err.Error(), "policies.yaml:7:13: spec.behavior") {
		t.Errorf("got %v", err)
	}
	write(t, filepath.Join(dir, "policies.yaml"), imagePolicy("prod", "team", "Inform"))
	f.good(t)
	write(t, filepath.Join(dir, "user"), "robot")
	write(t, filepath.Join(dir, "password"), "x")
	write(t, filepath.Join(dir, "r.yaml"), document(config.KindRegistry, "r.example.com", "  credentials: {usernameFile: user, passwordFile: password}\n  access: Shared\n"))
	if err := f.bad(t); !strings.Contains(err.Error(), "r.yaml:6:11: spec.access") {
		t.Errorf("got %v", err)
	}
}
