package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// oneOffName is the integration that flags make.
const oneOffName = "command-line"

// integration checks the flags and makes an integration of them. Remarks go to
// stderr.
func (f *trustFlags) integration(stderr io.Writer) (*verify.Integration, error) {
	spec, err := f.spec()
	if err != nil {
		return nil, err
	}
	in, err := verify.LoadIntegration(oneOffName, spec, verify.LoadOptions{Files: readFile})
	problems := f.inFlags(err)
	if in == nil {
		return nil, errors.Join(problems...)
	}
	for _, remark := range problems {
		_, _ = fmt.Fprintf(stderr, "vouchsafe: %v\n", remark)
	}
	return in, nil
}

// inFlags says problems of a spec in the words of who wrote flags: the paths of
// fields say nothing to a person who wrote no document.
func (f *trustFlags) inFlags(err error) []error {
	var problems []error
	for _, problem := range oci.FieldErrors(err) {
		problems = append(problems, &oci.FieldError{
			Path: f.flagOf(problem.Path), Message: flagWords.Replace(problem.Message), Hint: flagWords.Replace(problem.Hint), Warning: problem.Warning,
		})
	}
	return problems
}

// flagOf is the flag that a field of the spec comes from.
func (f *trustFlags) flagOf(path string) string {
	for i, name := range f.keys {
		if strings.HasPrefix(path, fmt.Sprintf("spec.publicKeys[%d]", i)) {
			return "--" + flagKey + " " + name
		}
	}
	for _, one := range []struct{ path, flag string }{
		{"spec.publicKeys", "--" + flagKey + " " + strings.Join(f.keys, ", ")},
		{"spec.certificates[0].identityRegExp", "--" + flagIdentityRegExp},
		{"spec.certificates[0].identity", "--" + flagIdentity},
		{"spec.certificates[0].oidcIssuerRegExp", "--" + flagIssuerRegExp},
		{"spec.certificates[0].oidcIssuer", "--" + flagIssuer},
		{"spec.certificates[0].chain", "--" + flagChain + " " + f.chain},
		{"spec.transparencyLog.url", "--" + flagRekorURL},
		{"spec.transparencyLog.offline", "--" + flagOffline},
	} {
		if strings.HasPrefix(path, one.path) {
			return one.flag
		}
	}
	// What is left are parts that a trusted root lacks, and itself.
	if f.trustedRoot == "" {
		return "the embedded trusted root"
	}
	return "--" + flagTrustedRoot + " " + f.trustedRoot
}

// flagWords are the words of documents in messages and hints, and what stands for
// them on a command line.
var flagWords = strings.NewReplacer(
	"a key that signs images belongs into publicKeys, a log's into publicKey of the log", "a key that signs images goes with --key",
	"certificates belong into chain, a log's key into publicKey of the log", "certificates go with --certificate-chain",
	"a leaf belongs into intermediate, which pins it", "a SignatureIntegration can pin it",
	"set publicKey, or enabled: false", "a SignatureIntegration can name the log's key, or do without",
	"set publicKey, or take", "take",
	"set chain, or", "name --certificate-chain, or",
	"identityRegExp", "--"+flagIdentityRegExp,
	"oidcIssuerRegExp", "--"+flagIssuerRegExp,
	"offline: true", "--"+flagOffline,
	", relative to this document", "",
)
