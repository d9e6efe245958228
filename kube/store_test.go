package kube_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"vouchsafe/kube"
)

var someParts = map[string][]byte{
	"ca.crt": []byte("authorities"), "ca.key": []byte("keys"), "tls.crt": []byte("certificate"), "tls.key": []byte("key"),
}

// conforms is what every Store does.
func conforms(t *testing.T, s kube.Store) {
	ctx := t.Context()
	empty, err := s.Load(ctx)
	check(t, err)
	if empty.Version != "" || len(empty.Parts) != 0 {
		t.Errorf("at first it holds %v", empty)
	}
	check(t, s.Save(ctx, empty, someParts))
	first, err := s.Load(ctx)
	check(t, err)
	if first.Version == "" || !maps.EqualFunc(first.Parts, someParts, slices.Equal) {
		t.Errorf("it holds %v", first)
	}
	again, err := s.Load(ctx)
	check(t, err)
	if again.Version != first.Version {
		t.Error("the version changes with a reading")
	}
	if err := s.Save(ctx, empty, someParts); !errors.Is(err, kube.ErrConflict) {
		t.Errorf("a second first writer gets %v", err)
	}
	var writing sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 8 {
		writing.Go(func() {
			parts := maps.Clone(someParts)
			parts["tls.crt"] = []byte("another")
			err := s.Save(ctx, first, parts)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, kube.ErrConflict) {
				t.Errorf("a loser gets %v", err)
			}
		})
	}
	writing.Wait()
	last, err := s.Load(ctx)
	check(t, err)
	if won != 1 || string(last.Parts["tls.crt"]) != "another" || last.Version == first.Version {
		t.Errorf("%d of 8 writers won, and %s is there", won, last.Parts["tls.crt"])
	}
}

func TestFolderStoreConforms(t *testing.T) {
	conforms(t, kube.NewFolderStore(filepath.Join(t.TempDir(), "data", "webhook")))
}

func TestSecretStoreConforms(t *testing.T) {
	s := newServer(t)
	s.serveSecret("vouchsafe", "webhook")
	conforms(t, kube.NewSecretStore(s.client(t), "vouchsafe", "webhook"))
}

func TestAFolderIsForItsUserAloneAndHoldsNoLeftovers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "webhook")
	check(t, kube.NewFolderStore(path).Save(t.Context(), kube.Kept{}, someParts))
	info, err := os.Stat(path)
	check(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v", info.Mode())
	}
	entries, err := os.ReadDir(path)
	check(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		info, err := e.Info()
		check(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v", e.Name(), info.Mode())
		}
	}
	if got := strings.Join(names, " "); got != "ca.crt ca.key tls.crt tls.key" {
		t.Errorf("it holds %s", got)
	}
}

func TestASecretOfOthersKeepsWhatElseItHas(t *testing.T) {
	s := newServer(t)
	at := s.serveSecret("vouchsafe", "webhook")
	// As manifests make it, so that no right to make Secrets is needed.
	at.version, at.data = 1, map[string][]byte{"note": []byte("by hand")}
	store := kube.NewSecretStore(s.client(t), "vouchsafe", "webhook")
	kept, err := store.Load(t.Context())
	check(t, err)
	if len(kept.Parts) != 0 || kept.Version != "1" {
		t.Errorf("it holds %v", kept)
	}
	check(t, store.Save(t.Context(), kept, someParts))
	if string(at.data["note"]) != "by hand" || string(at.data["tls.key"]) != "key" {
		t.Errorf("it holds %q", at.data)
	}
	all := s.taken()
	if len(lines(all, "POST")) != 0 || len(lines(all, "PATCH /api/v1/namespaces/vouchsafe/secrets/webhook?fieldManager=vouchsafe")) != 1 {
		t.Errorf("asked %v", all)
	}
}

func TestAFolderWithoutConfigurationsGivesACertificateForThisHost(t *testing.T) {
	folder := kube.NewFolderStore(filepath.Join(t.TempDir(), "webhook"))
	a := kube.NewAuthority(folder, kube.AuthorityConfig{})
	stop := start(t, a.Run)
	eventually(t, "a certificate", func() bool { return a.Problem() == nil })
	stop()
	pair, err := a.GetCertificate(nil)
	check(t, err)
	host, err := os.Hostname()
	check(t, err)
	for _, name := range []string{"localhost", host} {
		check(t, pair.Leaf.VerifyHostname(name))
	}
	// The next process shows the same.
	b := kube.NewAuthority(folder, kube.AuthorityConfig{})
	start(t, b.Run)
	eventually(t, "a certificate", func() bool { return b.Problem() == nil })
	again, err := b.GetCertificate(nil)
	check(t, err)
	if !again.Leaf.Equal(pair.Leaf) {
		t.Error("a restart brings another certificate")
	}
}
