package datadir_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"vouchsafe/internal/datadir"
)

func TestNothingIsMadeBeforeItIsNeeded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "data")
	d := datadir.New(path)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	got, err := d.Sub("trusted-roots")
	if err != nil || got != filepath.Join(path, "trusted-roots") {
		t.Fatalf("got %s, %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v, want rights for the owner alone", info, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestOneAtATimeHasTheFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	one, other := datadir.New(path), datadir.New(path)
	if _, err := one.Sub("x"); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Sub("y"); err != nil {
		t.Errorf("who has it was refused: %v", err)
	}
	if _, err := other.Sub("x"); !errors.Is(err, datadir.ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	if _, err := other.Sub("x"); err != nil {
		t.Errorf("after it was given back: %v", err)
	}
	_ = other.Close()
}

func TestAFolderThatCannotBeMadeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.New(filepath.Join(file, "data")).Sub("x"); err == nil {
		t.Error("got no error")
	}
}

func TestAFolderThatWasDeletedIsLockedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	one, other := datadir.New(path), datadir.New(path)
	lose := func(d *datadir.Dir) {
		t.Helper()
		if _, err := d.Sub("x"); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	lose(one)
	if _, err := one.Sub("x"); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Sub("x"); !errors.Is(err, datadir.ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	lose(one)
	if _, err := other.Sub("x"); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Sub("x"); !errors.Is(err, datadir.ErrInUse) {
		t.Errorf("got %v, want ErrInUse: the folder is another's since", err)
	}
	_ = one.Close()
	_ = other.Close()
}
