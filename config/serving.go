package config

import (
	"net"
	"net/netip"
)

// CheckExposure reports registries that anybody who reaches the listener could
// read with the gateway's own credentials: [Problems], or nil. It holds for
// processes that serve.
func (s Settings) CheckExposure(snapshot *Snapshot) error {
	if s.AllowAnonymous || s.ClientTokensFile != "" || isLoopback(s.Listen) {
		return nil
	}
	var problems Problems
	for _, registry := range valuesByName(snapshot.Registries) {
		if registry.SharedWithCredentials() {
			problems = append(problems, snapshot.problem(identity{KindRegistry, registry.Name()}, "spec.access",
				"everybody who reaches LISTEN "+s.Listen+" could read with these credentials",
				"listen on loopback, demand a token by "+EnvPrefix+"CLIENT_TOKENS_FILE, or set "+EnvPrefix+"ALLOW_ANONYMOUS=true when only nodes can reach it"))
		}
	}
	return problems.orNil()
}

// CheckAudit reports policies that enforce while no record is kept: [Problems],
// or nil. It holds for processes that serve.
func (s Settings) CheckAudit(snapshot *Snapshot) error {
	if s.Audit != AuditOff {
		return nil
	}
	var problems Problems
	for _, p := range snapshot.Rules.Policies {
		if p.Enforces() {
			problems = append(problems, snapshot.problem(identity{KindPolicy, p.Name()}, "spec.behavior",
				"the policy enforces while "+EnvPrefix+"AUDIT is off",
				"write AUDIT=stdout, or behavior: Inform"))
		}
	}
	return problems.orNil()
}

// checkServing is what must hold, beyond the documents, before a snapshot comes
// into force in a process that serves.
func (s Settings) checkServing(snapshot *Snapshot) error {
	var problems Problems
	for _, err := range []error{s.CheckExposure(snapshot), s.CheckAudit(snapshot)} {
		if more, ok := err.(Problems); ok { //nolint:errorlint // both return it bare
			problems = append(problems, more...)
		}
	}
	return problems.orNil()
}

// orNil returns no error for no problems, never one that holds a nil.
func (p Problems) orNil() error {
	if len(p) == 0 {
		return nil
	}
	return p.sorted()
}

// PlainToOthers reports whether the registry side is plain HTTP where others
// than this machine reach it.
func (s Settings) PlainToOthers() bool { return s.TLSCertFile == "" && !isLoopback(s.Listen) }

// isLoopback reports whether only this machine, or nobody, reaches the address. A
// name is loopback only when it is "localhost".
func isLoopback(listen string) bool {
	if listen == ListenOff {
		return true
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
