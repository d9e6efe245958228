package main

import (
	"fmt"
	"strings"
)

// proxyVariables are read by most programs that speak HTTP, in both spellings.
var proxyVariables = []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"}

// proxyWarning says that the environment names an egress proxy, which this build
// does not use; "" when it names none. The address is left out: it may hold a
// password.
func (a *app) proxyWarning() string {
	var set []string
	for _, upper := range proxyVariables {
		for _, name := range []string{upper, strings.ToLower(upper)} {
			if a.env(name) != "" {
				set = append(set, name)
			}
		}
	}
	verb := " is set"
	switch len(set) {
	case 0:
		return ""
	case 1:
	default:
		verb = " are set"
	}
	return strings.Join(set, ", ") + verb + "; egress proxies are not supported yet: registries are asked directly"
}

// warnOfProxies prints proxyWarning, for commands that ask registries once.
func (a *app) warnOfProxies() {
	if text := a.proxyWarning(); text != "" {
		_, _ = fmt.Fprintln(a.stderr, "vouchsafe: warning: "+text)
	}
}
