package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kubernetes sets variables for each Service of the namespace ("Accessing the
// Service", "Environment variables"). A Service whose name begins with
// "vouchsafe" gives names with our prefix.
var (
	serviceHost = regexp.MustCompile(`^(?:[A-Z0-9_]+_)?SERVICE_HOST$`)
	servicePort = regexp.MustCompile(`^(?:[A-Z0-9_]+_)?SERVICE_PORT(?:_[A-Z0-9_]+)?$`)
	linkURL     = regexp.MustCompile(`^(?:[A-Z0-9_]+_)?PORT(?:_[0-9]+_(?:TCP|UDP|SCTP))?$`)
	linkPart    = regexp.MustCompile(`^(?:[A-Z0-9_]+_)?PORT_[0-9]+_(?:TCP|UDP|SCTP)_(PROTO|PORT|ADDR)$`)
)

// isServiceLink reports whether name, without the prefix, is a service link of
// Kubernetes. The value must look like one too, so that a misspelt setting that
// ends in PORT is not swallowed.
func isServiceLink(name, value string) bool {
	if part := linkPart.FindStringSubmatch(name); part != nil {
		switch part[1] {
		case "PROTO":
			return slices.Contains(linkSchemes, value)
		case "PORT":
			return isPort(value)
		}
		return isAddress(value)
	}
	switch {
	case serviceHost.MatchString(name):
		return isAddress(value)
	case servicePort.MatchString(name):
		return isPort(value)
	case linkURL.MatchString(name):
		scheme, _, found := strings.Cut(value, "://")
		return found && slices.Contains(linkSchemes, scheme)
	}
	return false
}

var linkSchemes = []string{"tcp", "udp", "sctp"}

func isAddress(value string) bool {
	_, err := netip.ParseAddr(value)
	return err == nil
}

func isPort(value string) bool {
	n, err := strconv.ParseUint(value, 10, 16)
	return err == nil && n > 0
}
