package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"vouchsafe/config"
	"vouchsafe/oci"
)

func TestWordsThatAreNearlyRightAreAnsweredWithThoseThatAre(t *testing.T) {
	for line, want := range map[string]string{
		"serv":                      `unknown command "serv"; did you mean serve?`,
		"verfy acme/api":            `unknown command "verfy"; did you mean verify?`,
		"ver":                       "did you mean verify or verify-bundle or version?",
		"bogus":                     "unknown command \"bogus\"\nsee: vouchsafe --help",
		"docter node":               `unknown command "docter"; did you mean doctor?`,
		"config valdate":            `unknown command "valdate"; did you mean validate?`,
		"image scna":                "did you mean scan?",
		strings.Repeat("x", 5000):   "see: vouchsafe --help",
		"completion":                "no shell was named: one of bash, zsh, fish, powershell",
		"completion tcsh":           `there is no script for "tcsh": one of bash, zsh, fish, powershell`,
		"completion bash zsh":       "2 shells were named, wanted one",
		"config validate documents": "the folder goes with --config-dir, as in vouchsafe config validate --config-dir documents",
		"config show documents":     "as in vouchsafe config show --config-dir documents",
	} {
		name := line
		if len(name) > 40 {
			name = "a very long word"
		}
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := program(t, nil, strings.Fields(line)...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) || len(stderr) > 400 {
				t.Errorf("exit code %d, stdout %q, stderr %q, want %q", code, stdout, stderr, want)
			}
		})
	}
}

func TestAdviceFitsWhatWasWrong(t *testing.T) {
	ref := oci.Reference{Repository: oci.Repository{Registry: "acme.test", Path: "api"}}
	plain := &oci.Error{Code: oci.CodeUpstream, Err: tls.RecordHeaderError{Msg: "first record"}}
	for _, c := range []struct {
		name            string
		err             error
		flags, document string
	}{
		{"nothing", nil, "", ""},
		{"something without TLS", plain, "--plain-http", "plainHTTP: true in the Registry document named acme.test"},
		{
			"an HTTP server, in an error of ours", fmt.Errorf("read: %w", &oci.Error{Err: http.ErrSchemeMismatch}),
			"--plain-http", "plainHTTP: true in the Registry document named acme.test",
		},
		{"a private address", &oci.Error{Reason: "address_refused"}, "write a Registry document", ""},
		{"tokens of elsewhere", &oci.Error{Reason: "token_realm"}, "write a Registry document", ""},
		{"a connection that breaks off", &oci.Error{Reason: "header", Err: io.ErrUnexpectedEOF}, "", ""},
		{"nobody listens", &net.OpError{Op: "dial", Err: errors.New("refused")}, "", ""},
	} {
		for revision, want := range map[string]string{oneOffName: c.flags, "documents": c.document} {
			x := &examiner{snapshot: &config.Snapshot{Revision: revision}}
			got := x.advised(ref, c.err)
			switch {
			case !errors.Is(got, c.err):
				t.Errorf("%s: got %v, want the error in it", c.name, got)
			case want == "" && got != nil && got.Error() != c.err.Error():
				t.Errorf("%s, by %s: got %q, want no advice", c.name, revision, got)
			case want != "" && !strings.Contains(got.Error(), want):
				t.Errorf("%s, by %s: got %q, want %q", c.name, revision, got, want)
			}
		}
	}
}
