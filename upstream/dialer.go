package upstream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// guard dials for the one HTTP factory. The address is checked in the dialer's
// control hook: after DNS, before each connection, for each of a name's
// addresses. A check of the name or of the first lookup would be passed by a
// name that resolves otherwise a moment later.
type guard struct {
	timeout time.Duration
	// resolver is nil except in tests.
	resolver *net.Resolver
	// permits reports whether host:port, in lower case, may be private.
	permits func(hostPort string) bool
}

// DialContext dials address, the host:port of the URL that is being asked, or of
// the egress proxy that the request of ctx goes through.
func (g *guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	target := strings.ToLower(address)
	if r := routeOf(ctx); r != nil && r.hostPort == target {
		// The operator's own; where it is asked to go has been judged before.
		dialer := net.Dialer{Timeout: g.timeout, Resolver: g.resolver}
		return dialer.DialContext(ctx, network, address)
	}
	dialer := net.Dialer{
		Timeout:  g.timeout,
		Resolver: g.resolver,
		Control: func(_, resolved string, _ syscall.RawConn) error {
			return g.check(target, resolved)
		},
	}
	return dialer.DialContext(ctx, network, address)
}

// check decides about one address, "ip:port", that target has now.
func (g *guard) check(target, resolved string) error {
	at, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return &addressError{target: target, resolved: resolved}
	}
	class := classOf(at.Addr())
	if class == classPublic || class == classPrivate && g.permits(target) {
		return nil
	}
	return &addressError{target: target, resolved: resolved, class: class}
}

// addressError is a connection that the guard refused.
type addressError struct {
	target, resolved string
	class            class
}

// Error is for logs: it names the address, which clients are not told.
func (e *addressError) Error() string {
	return fmt.Sprintf("%.200s has the address %.100s, which is %s", e.target, e.resolved, e.class)
}
