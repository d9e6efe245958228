package verify

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
)

// mirroredSpec is keyless, with all that is trusted from the mirror of w.
func mirroredSpec(w *tufWorld) Spec {
	return Spec{
		Certificates:    []CertificateSpec{{OIDCIssuer: devIssuer, Identity: devIdentity}},
		TransparencyLog: &TransparencyLogSpec{Enabled: true, URL: "http://rekor.test"},
		TrustedRoot:     &TrustedRootSpec{TUF: &TUFSpec{Mirror: w.source.Mirror + "/", RootFile: "root.json", Refresh: "1h"}},
	}
}

func (w *tufWorld) load(spec Spec) (*Integration, error) {
	return LoadIntegration("release", spec, LoadOptions{
		Mirrors: w.mirrors, Now: func() time.Time { return afterRecording },
		Files: func(name string) ([]byte, error) {
			if name != "root.json" {
				return nil, os.ErrNotExist
			}
			return []byte(w.source.Anchor), nil
		},
	})
}

func (w *tufWorld) mustLoad(t *testing.T, spec Spec) *Integration {
	t.Helper()
	return must(w.load(spec))(t)
}

func TestAnIntegrationFollowsItsMirror(t *testing.T) {
	w := newTUFWorld(t)
	spec := mirroredSpec(w)
	keyless, key := recording(t, "keyless"), recording(t, "key-nolog")
	absent := w.mustLoad(t, spec)
	if absent.Mirror() != w.source {
		t.Errorf("got the source %+v", absent.Mirror())
	}
	w.wantAsked(t)
	unsigned := keyless
	unsigned.Items = nil
	attested := recording(t, "b-att")
	withKey := spec
	withKey.PublicKeys = []PublicKeySpec{{Name: "k1", Key: string(recordedTrust(t, "k1.pub"))}}
	withKey.TransparencyLog = &TransparencyLogSpec{Enabled: true, Offline: new(true)}
	for _, c := range []struct {
		name     string
		in       *Integration
		evidence Evidence
		want     Status
		reason   Reason
	}{
		{"a good signature", absent, keyless, Unavailable, TrustedRootUnavailable},
		{"one by a key that is trusted by itself", w.mustLoad(t, withKey), key, Unavailable, TrustedRootUnavailable},
		{"none", absent, unsigned, Unsigned, ""},
		{"an attestation", absent, attested, Unsigned, ""},
	} {
		result := Judge(c.evidence, c.in, afterRecording)
		if result.Status != c.want || result.Reason != c.reason {
			t.Errorf("%s: got %s %s, want %s %s: %s", c.name, result.Status, result.Reason, c.want, c.reason, result.Message)
		}
	}
	if absent.asksLog() {
		t.Error("a log would be asked although nothing can be judged")
	}
	if message := Judge(keyless, absent, afterRecording).Message; message != "the trusted root of the TUF mirror "+w.source.Mirror+" was not obtained yet" {
		t.Errorf("got %q", message)
	}

	w.mustRefresh(t)
	w.mirror.Asked()
	given := w.mustLoad(t, spec)
	if result := Judge(keyless, given, afterRecording); result.Status != Verified {
		t.Errorf("got %s %s: %s", result.Status, result.Reason, result.Message)
	}
	if given.Revision() == absent.Revision() {
		t.Error("what was not known has the revision of what is")
	}
	if !given.asksLog() {
		t.Error("the log is not asked")
	}
	w.mustRefresh(t)
	if again := w.mustLoad(t, spec); again.Revision() != given.Revision() {
		t.Error("a refresh that changed nothing changed the revision")
	}

	if err := w.mirror.Publish(recordedFulcioGone(t)); err != nil {
		t.Fatal(err)
	}
	w.mustRefresh(t)
	changed := w.mustLoad(t, spec)
	if result := Judge(keyless, changed, afterRecording); result.Status != Untrusted || result.Reason != ChainInvalid {
		t.Errorf("got %s %s: %s", result.Status, result.Reason, result.Message)
	}
	if changed.Revision() == given.Revision() {
		t.Error("another authority has the same revision")
	}
}

// recordedFulcioGone is the fixtures' trusted root with the public instance's
// authority in place of the one that signed.
func recordedFulcioGone(t *testing.T) []byte {
	t.Helper()
	other := string(embeddedTrustedRoot)
	from, to := strings.Index(other, `"certificateAuthorities"`), strings.Index(other, `"ctlogs"`)
	ours := string(recordedTrust(t, "trusted_root.json"))
	begin, end := strings.Index(ours, `"certificateAuthorities"`), strings.Index(ours, `"ctlogs"`)
	if from < 0 || to < from || begin < 0 || end < begin {
		t.Fatal("the trusted roots are laid out otherwise")
	}
	return []byte(ours[:begin] + other[from:to] + ours[end:])
}

// TestATrustedRootThatDoesNotFit: a mirror ends no start, and lets nothing through.
func TestATrustedRootThatDoesNotFit(t *testing.T) {
	w := newTUFWorld(t)
	if err := w.mirror.Publish([]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`)); err != nil {
		t.Fatal(err)
	}
	w.mustRefresh(t)
	in, err := w.load(mirroredSpec(w))
	if in == nil {
		t.Fatalf("it does not load: %v", err)
	}
	problems := oci.FieldErrors(err)
	if len(problems) != 1 || !problems[0].Warning || !strings.Contains(problems[0].Message, "does not fit: ") {
		t.Errorf("got %v, want a warning", err)
	}
	if result := Judge(recording(t, "keyless"), in, afterRecording); result.Status != Unavailable || result.Reason != TrustedRootUnavailable {
		t.Errorf("got %s %s", result.Status, result.Reason)
	}
}

func TestWhatATUFBlockMayHold(t *testing.T) {
	w := newTUFWorld(t)
	root := w.source.Anchor
	const at = "spec.trustedRoot.tuf"
	for _, c := range []struct {
		name   string
		change func(*TrustedRootSpec)
		file   string
		want   string
	}{
		{"all of it", func(*TrustedRootSpec) {}, root, ""},
		{"no refresh", func(s *TrustedRootSpec) { s.TUF.Refresh = "" }, root, ""},
		{"the least refresh", func(s *TrustedRootSpec) { s.TUF.Refresh = "1m" }, root, ""},
		{"a refresh below it", func(s *TrustedRootSpec) { s.TUF.Refresh = "59s" }, root, at + ".refresh: is less than 1m0s"},
		{"a refresh below zero", func(s *TrustedRootSpec) { s.TUF.Refresh = "-24h" }, root, at + ".refresh: is less than"},
		{"a refresh of years", func(s *TrustedRootSpec) { s.TUF.Refresh = "8760h" }, root, at + ".refresh: is more than 720h"},
		{"a refresh that is none", func(s *TrustedRootSpec) { s.TUF.Refresh = "daily" }, root, at + ".refresh: \"daily\" is not a duration"},
		{"beside a file", func(s *TrustedRootSpec) { s.File = "root.json" }, root, at + ": stands beside file"},
		{"neither", func(s *TrustedRootSpec) { s.TUF = nil }, root, "spec.trustedRoot: names neither file nor tuf"},
		{"no mirror", func(s *TrustedRootSpec) { s.TUF.Mirror = "" }, root, at + ".mirror: is empty"},
		{"a mirror without scheme", func(s *TrustedRootSpec) { s.TUF.Mirror = "tuf.acme.com" }, root, at + ".mirror: is not a URL"},
		{"a file as mirror", func(s *TrustedRootSpec) { s.TUF.Mirror = "file:///etc" }, root, at + ".mirror: is not a URL"},
		{"another scheme", func(s *TrustedRootSpec) { s.TUF.Mirror = "ftp://tuf.acme.com" }, root, at + ".mirror: has a scheme"},
		{"a password", func(s *TrustedRootSpec) { s.TUF.Mirror = "https://u:hunter2@tuf.acme.com" }, root, at + ".mirror: holds a user name or password"},
		{"a query", func(s *TrustedRootSpec) { s.TUF.Mirror = "https://tuf.acme.com/?a=hunter2" }, root, at + ".mirror: has a query"},
		{"a file of the mirror", func(s *TrustedRootSpec) { s.TUF.Mirror = "https://tuf.acme.com/timestamp.json" }, root, at + ".mirror: names a file"},
		{"no root file", func(s *TrustedRootSpec) { s.TUF.RootFile = "" }, root, at + ".rootFile: is empty"},
		{"a root file that is missing", func(s *TrustedRootSpec) { s.TUF.RootFile = "none.json" }, root, at + ".rootFile: file does not exist"},
		{"an empty root file", func(*TrustedRootSpec) {}, " ", at + ".rootFile: the file is empty"},
		{"a root file that is too large", func(*TrustedRootSpec) {}, root + strings.Repeat(" ", maxMirrorRoot), at + ".rootFile: more than 512 KiB"},
		{"the trusted root as root file", func(*TrustedRootSpec) {}, string(recordedTrust(t, "trusted_root.json")), at + ".rootFile: the file is a trusted root"},
		{"other metadata as root file", func(*TrustedRootSpec) {}, string(w.mirror.File("timestamp.json")), at + ".rootFile: no root.json"},
		{"a root that is not signed by itself", func(*TrustedRootSpec) {}, strings.Replace(root, `"version":1`, `"version":2`, 1), at + ".rootFile: not signed by its own keys"},
		{"a private key as root file", func(*TrustedRootSpec) {}, "-----BEGIN EC PRIVATE KEY-----\nhunter2\n", at + ".rootFile: the file holds a private key"},
		{"text as root file", func(*TrustedRootSpec) {}, "hunter2", at + ".rootFile: no root.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := mirroredSpec(w)
			c.change(spec.TrustedRoot)
			w.source.Anchor = c.file
			_, err := w.load(spec)
			var got string
			for _, problem := range oci.FieldErrors(err) {
				got += problem.Error() + "\n"
			}
			path, part, _ := strings.Cut(c.want, ": ")
			if c.want == "" && err != nil || !strings.HasPrefix(got, path) || !strings.Contains(got, part) || strings.Count(got, "\n") > 1 {
				t.Errorf("got %q, want %q alone", got, c.want)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("the message echoes a secret")
			}
		})
	}
	w.source.Anchor = root
	noFiles := mirroredSpec(w)
	if _, err := NewIntegration("release", noFiles); err == nil || !strings.Contains(err.Error(), "files cannot be read here") {
		t.Errorf("got %v", err)
	}
	w.mirrors = NewMirrors(MirrorsConfig{Folder: func() (string, error) { return "", errors.New("in use") }})
	if in, err := w.load(noFiles); in != nil || err == nil || !strings.Contains(err.Error(), at+": in use") {
		t.Errorf("got %v", err)
	}
}
