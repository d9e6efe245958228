package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vouchsafe/verify"
)

// The flags that say whom to trust once, named as cosign names them.
const (
	flagKey            = "key"
	flagIdentity       = "certificate-identity"
	flagIdentityRegExp = "certificate-identity-regexp"
	flagIssuer         = "certificate-oidc-issuer"
	flagIssuerRegExp   = "certificate-oidc-issuer-regexp"
	flagChain          = "certificate-chain"
	flagTrustedRoot    = "trusted-root"
	flagRekorURL       = "rekor-url"
	flagOffline        = "offline"
	flagTlog           = "tlog"
	flagIgnoreTlog     = "insecure-ignore-tlog"
)

// oneOffFlags are all of them.
var oneOffFlags = []string{
	flagKey, flagIdentity, flagIdentityRegExp, flagIssuer, flagIssuerRegExp, flagChain,
	flagTrustedRoot, flagRekorURL, flagOffline, flagTlog, flagIgnoreTlog,
}

// trustFlags say whom to trust for one run. They become the spec of an
// integration, which is checked as that of a document is.
type trustFlags struct {
	set                      *pflag.FlagSet
	keys                     []string
	identity, identityRegExp string
	issuer, issuerRegExp     string
	// chain and trustedRoot are names of files.
	chain, trustedRoot   string
	rekorURL             string
	offline              bool
	demandLog, ignoreLog bool
}

// addTrust adds the flags to a command; with logs, those too that say whether and
// where a log is asked.
func (f *trustFlags) addTrust(cmd *cobra.Command, logs bool) {
	f.set = cmd.Flags()
	f.set.StringArrayVar(&f.keys, flagKey, nil, "file of a public key that is trusted, instead of documents (repeatable)")
	f.set.StringVar(&f.identity, flagIdentity, "", "identity whose certificates count, as a whole")
	f.set.StringVar(&f.identityRegExp, flagIdentityRegExp, "", "expression (RE2) that has to match the whole identity")
	f.set.StringVar(&f.issuer, flagIssuer, "", "OIDC issuer that vouched for the identity, as a whole")
	f.set.StringVar(&f.issuerRegExp, flagIssuerRegExp, "", "expression (RE2) that has to match the whole issuer")
	f.set.StringVar(&f.chain, flagChain, "", "file of an own CA's root and intermediates in PEM, instead of the trusted root's")
	f.set.StringVar(&f.trustedRoot, flagTrustedRoot, "", "file of a Sigstore trusted root, instead of the embedded one")
	f.set.BoolVar(&f.demandLog, flagTlog, false, "demand an entry in a transparency log (the default for certificates without a chain)")
	f.set.BoolVar(&f.ignoreLog, flagIgnoreTlog, false, "demand no log entry; without a chain certificates then need a timestamp")
	completeWith(cmd, flagIdentity, noNames)
	completeWith(cmd, flagIdentityRegExp, noNames)
	completeWith(cmd, flagIssuerRegExp, noNames)
	complete(cmd, flagIssuer, publicIssuers...)
	if !logs {
		f.offline = true
		return
	}
	f.set.BoolVar(&f.offline, flagOffline, false, "never ask a log: entries count that are attached to signatures")
	f.set.StringVar(&f.rekorURL, flagRekorURL, "", "log that is asked for entries that are not attached (default: the public one, by the embedded trusted root)")
	completeWith(cmd, flagRekorURL, noNames)
}

// publicIssuers are those that the public instance takes and people use most.
var publicIssuers = []string{
	"https://token.actions.githubusercontent.com", "https://gitlab.com",
	"https://accounts.google.com", "https://github.com/login/oauth",
}

// given reports whether any of the flags was written, an empty one included, that
// says whom or what to trust.
func (f *trustFlags) given() bool {
	return slices.ContainsFunc(oneOffFlags, func(name string) bool { return name != flagIgnoreTlog && f.set.Changed(name) })
}

// certified reports whether the flags speak of certificates.
func (f *trustFlags) certified() bool {
	return slices.ContainsFunc([]string{flagIdentity, flagIdentityRegExp, flagIssuer, flagIssuerRegExp, flagChain}, f.set.Changed)
}

// someone reports whether the flags trust anybody.
func (f *trustFlags) someone() bool { return len(f.keys) > 0 || f.certified() }

// demandsLog reports whether a log entry is a condition: when it is said, and for
// keyless certificates, which nothing else proves to have been valid.
func (f *trustFlags) demandsLog() bool {
	return f.demandLog || f.certified() && f.chain == "" && !f.ignoreLog
}

// combined refuses flags that contradict each other or would have no effect. What
// is wrong with one alone is found by what reads the spec.
func (f *trustFlags) combined() error {
	for _, name := range oneOffFlags {
		// An unset variable of a shell must not switch a condition off.
		if flag := f.set.Lookup(name); flag != nil && flag.Changed && flag.Value.Type() == "string" && flag.Value.String() == "" {
			return fmt.Errorf("--%s is empty", name)
		}
	}
	identified := f.identity != "" || f.identityRegExp != ""
	vouched := f.issuer != "" || f.issuerRegExp != ""
	switch {
	case len(f.keys) > 0 && f.certified():
		return errors.New("--key and the --certificate flags do not go together (to trust either, write a SignatureIntegration with both and name its folder with --config-dir)")
	case f.demandLog && f.ignoreLog:
		return errors.New("--tlog and --insecure-ignore-tlog contradict each other (keep one of the two)")
	case f.certified() && !identified:
		return errors.New("no identity is named, so anybody's certificate would count (add --certificate-identity or --certificate-identity-regexp)")
	case f.certified() && !vouched:
		return errors.New("no issuer is named, so anybody could vouch for the identity (add --certificate-oidc-issuer or --certificate-oidc-issuer-regexp; for certificates that carry none write a SignatureIntegration with anyIssuer)")
	case f.identity != "" && f.identityRegExp != "":
		return errors.New("--certificate-identity and --certificate-identity-regexp stand side by side (keep one of the two)")
	case f.issuer != "" && f.issuerRegExp != "":
		return errors.New("--certificate-oidc-issuer and --certificate-oidc-issuer-regexp stand side by side (keep one of the two)")
	case f.rekorURL != "" && f.offline:
		return errors.New("--rekor-url has no effect with --offline (keep one of the two)")
	case f.rekorURL != "" && !f.demandsLog():
		return errors.New("--rekor-url has no effect where no log entry is demanded (add --tlog)")
	case !f.someone() && (f.demandLog || f.trustedRoot != ""):
		return errors.New("--tlog and --trusted-root say what else is demanded of signatures, not whose (add --key FILE, or --certificate-identity and --certificate-oidc-issuer)")
	}
	return nil
}

// spec is what the flags say, as a document would.
func (f *trustFlags) spec() (verify.Spec, error) {
	var spec verify.Spec
	for _, name := range f.keys {
		text, err := readFile(name)
		if err != nil {
			return spec, err
		}
		spec.PublicKeys = append(spec.PublicKeys, verify.PublicKeySpec{Name: name, Key: string(text)})
	}
	if f.certified() {
		one := verify.CertificateSpec{
			Identity: f.identity, IdentityRegExp: f.identityRegExp,
			OIDCIssuer: f.issuer, OIDCIssuerRegExp: f.issuerRegExp,
		}
		if f.chain != "" {
			text, err := readFile(f.chain)
			if err != nil {
				return spec, err
			}
			// An empty chain in a document means the trusted root's.
			if len(text) == 0 {
				return spec, fmt.Errorf("--%s %s: the file is empty", flagChain, f.chain)
			}
			one.Chain = string(text)
		}
		spec.Certificates = []verify.CertificateSpec{one}
	}
	if f.demandsLog() {
		spec.TransparencyLog = &verify.TransparencyLogSpec{Enabled: true, URL: f.rekorURL}
		if f.offline {
			spec.TransparencyLog.Offline = &f.offline
		}
	} else if f.certified() && f.chain == "" {
		spec.TimestampAuthority = &verify.TimestampAuthoritySpec{Enabled: true}
	}
	if f.trustedRoot != "" {
		spec.TrustedRoot = &verify.TrustedRootSpec{File: f.trustedRoot}
	}
	return spec, nil
}
