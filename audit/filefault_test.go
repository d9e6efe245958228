package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/audit"
	"vouchsafe/oci"
	"vouchsafe/policy"
)

func TestFullDisk(t *testing.T) {
	for name, test := range map[string]struct {
		decision policy.Decision
		want     policy.Verdict
		took     time.Duration
	}{
		"an enforcing policy answers 503 after a second": {decision(policy.Allow, policy.InformAndEnforce), policy.Unavailable, time.Second},
		"an informing policy is served":                  {decision(policy.Warn, policy.Inform), policy.Warn, 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := link(t, "/dev/full")
			if _, err := os.Stat(path); err != nil {
				t.Skip("the machine has no /dev/full: ", err)
			}
			sink := newFile(t, path)
			synctest.Test(t, func(t *testing.T) {
				var alarm bytes.Buffer
				failed := 0
				log := audit.New(decider{decision: test.decision}, sink, audit.Config{
					Failed: func() { failed++ }, Log: slog.New(slog.NewTextHandler(&alarm, nil)),
				})
				begin := time.Now()
				d, err := log.Decide(t.Context(), request(), oci.Image{})
				if err != nil || d.Verdict != test.want || failed != 1 || time.Since(begin) != test.took {
					t.Errorf("got %v, %v after %v, counted %d", d.Verdict, err, time.Since(begin), failed)
				}
				if text := alarm.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "no space left on device") || !strings.Contains(text, testID) {
					t.Errorf("the alarm is %q", text)
				}
			})
			// The operator gives it another disk.
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := sink.Reopen(); err != nil {
				t.Fatal(err)
			}
			if d, err := decide(t, decider{decision: test.decision}, sink, audit.Config{}); err != nil || d.Verdict != test.decision.Verdict {
				t.Errorf("afterwards: got %v, %v", d.Verdict, err)
			}
			if !json.Valid([]byte(content(t, path))) {
				t.Errorf("got %q", content(t, path))
			}
		})
	}
}

// TestDiskThatFillsInsideARecord limits the size of files of this process: the
// system takes a part of the record and refuses the rest, as a full disk does.
func TestDiskThatFillsInsideARecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	sink := newFile(t, path)
	line(t, sink, "one")
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	full := limit
	full.Cur = 7
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	err := sink.Write(t.Context(), []byte("two two\n"))
	again := sink.Write(t.Context(), []byte("three three\n"))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EFBIG) || !errors.Is(again, syscall.EFBIG) {
		t.Errorf("got %v and %v from a full disk", err, again)
	}
	line(t, sink, "four") // there is space again, and nobody started anything anew
	if got := content(t, path); got != "one\ntwo\nfour\n" {
		t.Errorf("got %q, want the torn record ended and the next one whole", got)
	}
}

func TestReopenEndsAMisery(t *testing.T) {
	// A line that was torn in the old file must not put an empty line into the new
	// one; a file opened anew that is the same one still needs its end.
	for name, move := range map[string]bool{"another file": true, "the same file": false} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			if err := os.WriteFile(path, []byte("hal"), 0o600); err != nil {
				t.Fatal(err)
			}
			sink, want := newFile(t, path), "hal\none\n"
			if move {
				want = "one\n"
				if err := os.Rename(path, path+".1"); err != nil {
					t.Fatal(err)
				}
			}
			if err := sink.Reopen(); err != nil {
				t.Fatal(err)
			}
			line(t, sink, "one")
			if got := content(t, path); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
