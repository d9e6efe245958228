package faults_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"vouchsafe/e2e/faults/history"
)

// processes are F20, F23 and F29 to F35: faults of what the gateway stands on.
func processes() []*variant {
	usual := []int{normal}
	fine := func(name string, p processFault) *variant {
		return &variant{name: name, hits: all, manifest: usual, evidence: usual, blob: usual, process: &p}
	}
	drain := fine("F33-terminated", processFault{
		env: func(string) ([]string, error) {
			return []string{"VOUCHSAFE_DRAIN_DELAY=12s", "VOUCHSAFE_DRAIN_TIMEOUT=15s"}, nil
		},
		begin: terminate, end: replace,
	})
	drain.hits, drain.fault, drain.brief = blobs, each(slowly), true
	held := fine("F29-policy-changes-in-flight", processFault{
		opened: true, begin: closeGate,
		end: func(l *lab) error { <-l.gate; return nil },
	})
	held.hits, held.evidence = []part{partEvidence}, []int{ok, denied}
	held.fault = func(c *cell) fault {
		return func(k *call) bool {
			<-c.lab.gate
			return false
		}
	}
	held.replaces, held.anyway = true, []int{ok, denied}
	shed := fine("F35-little-memory", processFault{
		env: func(string) ([]string, error) {
			return []string{"GOMEMLIMIT=192MiB", "VOUCHSAFE_BLOB_BUFFER=32MiB", "VOUCHSAFE_MANIFEST_CACHE=16MiB"}, nil
		},
		begin: crowdOut, end: relieve, limits: history.Limits{RSSBytes: 320 << 20},
	})
	shed.manifest, shed.evidence, shed.blob = []int{normal, busy, later, slow}, []int{normal, busy, later, slow}, []int{normal, busy, later, slow}
	list := []*variant{
		fine("F20-slow-clients", processFault{
			begin: loris, end: relieve,
			limits: history.Limits{Descriptors: lorises + 400, Goroutines: 6*lorises + 1000, DescriptorSlack: 60, GoroutineSlack: 120},
		}),
		fullSink(), goneSink(), held, drain, shed,
	}
	for name, file := range map[string][2]string{
		"bad-yaml":      {"broken.yaml", "kind: ["},
		"half-written":  {"policy.yaml", "apiVersion: vouchsafe.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: enf"},
		"unknown-field": {"more.yaml", "apiVersion: vouchsafe.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: more}\nspec: {signers: [release-team], behaviour: Inform}\n"},
		"key-removed":   {"trust.yaml", ""},
	} {
		list = append(list, fine("F30-"+name, processFault{
			begin: func(l *lab) error { return l.spoil(file[0], file[1]) },
			end:   func(l *lab) error { return l.mend(file[0]) },
		}))
	}
	for _, how := range []string{"rotated", "mismatched", "half-written"} {
		list = append(list, fine("F31-certificate-"+how, certificates(how)))
	}
	return list
}

// fullSink is an audit record on a full disk.
func fullSink() *variant {
	link := func(l *lab, target string) error {
		path := filepath.Join(l.process.dir, "sink", "audit")
		partial := path + ".new"
		if err := errors.Join(os.Symlink(target, partial), os.Rename(partial, path)); err != nil {
			return err
		}
		return l.process.reopen()
	}
	return sinkFault("F23-audit-full", true,
		func(l *lab) error { return link(l, "/dev/full") },
		func(l *lab) error { return link(l, l.process.audit) },
	)
}

// goneSink is an audit record whose folder is away when it is opened again.
func goneSink() *variant {
	return sinkFault("F23-audit-folder-gone", false,
		func(l *lab) error {
			sink := filepath.Join(l.process.dir, "sink")
			if err := os.Rename(sink, sink+".gone"); err != nil {
				return err
			}
			return l.process.reopen()
		},
		func(l *lab) error {
			sink := filepath.Join(l.process.dir, "sink")
			if err := os.Rename(sink+".gone", sink); err != nil {
				return err
			}
			return l.process.reopen()
		},
	)
}

// sinkFault is about AUDIT=file:…, a link to the record that the tests read.
func sinkFault(name string, fails bool, begin, end func(l *lab) error) *variant {
	// In an informing repository everything is served.
	anyway := []int{normal, later}
	if fails {
		anyway = []int{later}
	}
	return &variant{
		name: name, hits: all, manifest: []int{normal}, evidence: []int{normal}, blob: []int{normal}, anyway: anyway,
		process: &processFault{
			sinkFails: fails, begin: begin, end: end,
			env: func(dir string) ([]string, error) {
				sink := filepath.Join(dir, "sink")
				err := errors.Join(os.MkdirAll(sink, 0o700), os.Symlink(filepath.Join(dir, "audit.jsonl"), filepath.Join(sink, "audit")))
				return []string{"VOUCHSAFE_AUDIT=file:" + filepath.Join(sink, "audit")}, err
			},
		},
	}
}

// reopen makes the gateway open its audit file again.
func (p *process) reopen() error {
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	time.Sleep(500 * time.Millisecond)
	return nil
}

// spoil replaces a document by a wrong one, or takes it away, and waits until
// the gateway has said that it keeps the old ones. It stays ready.
func (l *lab) spoil(name, text string) error {
	var err error
	if text == "" {
		err = os.Remove(filepath.Join(l.process.config, name))
	} else {
		err = l.process.write(name, text)
	}
	if err != nil {
		return err
	}
	if err := l.process.await("refuse the documents", func() bool {
		return l.process.metric("vouchsafe_configuration_last_reload_successful") == 0
	}); err != nil {
		return err
	}
	if !l.process.ready() {
		return errors.New("not ready after a bad reload")
	}
	return nil
}

// mend brings the document back.
func (l *lab) mend(name string) error {
	var err error
	if text, ours := l.documents()[name]; ours {
		err = l.process.write(name, text)
	} else {
		err = os.Remove(filepath.Join(l.process.config, name))
	}
	if err != nil {
		return err
	}
	return l.process.await("take the documents", func() bool {
		return l.process.metric("vouchsafe_configuration_last_reload_successful") == 1
	})
}

// closeGate lets requests begin under a policy that informs, replaces it by one
// that enforces, and only then lets the registries answer.
func closeGate(l *lab) error {
	records, err := l.process.records(0, "")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, r := range records {
		known[r.Revision] = true
	}
	go func() {
		defer close(l.gate)
		time.Sleep(time.Second)
		if err := l.process.write("policy.yaml", l.policies("InformAndEnforce")); err != nil {
			return
		}
		_ = l.process.await("enforce", func() bool {
			records, err := l.process.records(0, "")
			if err != nil {
				return false
			}
			for _, r := range records {
				if r.Kind == "configuration" && !known[r.Revision] {
					l.enforcedSince = time.Now()
					l.revisions = []history.Revision{{ID: r.Revision, Since: l.enforcedSince}}
					return true
				}
			}
			return false
		})
		time.Sleep(500 * time.Millisecond)
	}()
	return nil
}

// terminate asks the gateway to end. It takes requests on for its delay, and
// says that it is not ready.
func terminate(l *lab) error {
	if err := l.process.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return l.process.await("stop being ready", func() bool { return !l.process.ready() })
}

// replace waits for the end and starts the next process at the same addresses.
func replace(l *lab) error {
	err := l.process.gone()
	// Memory and descriptors of another process are not compared.
	l.process.mu.Lock()
	l.process.samples = nil
	l.process.mu.Unlock()
	return errors.Join(err, l.process.start())
}
