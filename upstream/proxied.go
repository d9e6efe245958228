package upstream

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// A request that goes through an egress proxy carries its route in its context,
// and only such a request does. So the dialer knows the proxy from a registry that
// redirects to the proxy's own address: that has no route, and is judged.

// proxy is net/http's question for the proxy of req. Behind a proxy the dialer
// sees the proxy alone, so the target is judged here when each request names it to
// the proxy, and in connect when each connection does.
func (g *guard) proxy(req *http.Request) (*url.URL, error) {
	r := routeOf(req.Context())
	if r == nil {
		return nil, nil //nolint:nilnil // net/http's word for "directly"
	}
	if originOf(req.URL).scheme == "http" {
		if err := g.judge(req.Context(), originOf(req.URL).hostPort); err != nil {
			return nil, err
		}
	}
	return r.proxy, nil
}

// connect is called before a proxy is asked for a connection to target. net/http
// adds the proxy's own credentials.
func (g *guard) connect(ctx context.Context, _ *url.URL, target string) (http.Header, error) {
	return nil, g.judge(ctx, strings.ToLower(target))
}

// judge resolves the host of target, "host:port", and judges each address as if
// it were dialled. The proxy resolves again and may find others: it is the
// operator's, and what it may reach is theirs to say; what a name that leads
// inside would reach is not.
func (g *guard) judge(ctx context.Context, target string) error {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return &addressError{target: target}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return g.check(target, target)
	}
	if endsInNumber(host) {
		// No name ends in a number, but some programs read an address in it.
		return &addressError{target: target, resolved: host}
	}
	resolver := g.resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	addresses, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addresses) == 0 {
		return &unresolvedError{target: target, err: err}
	}
	for _, a := range addresses {
		if err := g.check(target, net.JoinHostPort(a.String(), port)); err != nil {
			return err
		}
	}
	return nil
}

// endsInNumber reports whether the last label of host is a number in some
// notation of addresses.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	label := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Trim(label, "0123456789") == "" || strings.HasPrefix(label, "0x") && strings.Trim(label[2:], "0123456789abcdef") == ""
}

// proxyAnswer reports an error when the proxy does not make the connection.
func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return &proxyError{status: answer.StatusCode}
	}
	return nil
}

// proxyError is an egress proxy that made no connection.
type proxyError struct{ status int }

// Error is for logs.
func (e *proxyError) Error() string { return fmt.Sprintf("the egress proxy answered %d", e.status) }

// unresolvedError is a name that a proxy was not asked for, since what it stands
// for is not known here.
type unresolvedError struct {
	target string
	err    error
}

// Error is for logs.
func (e *unresolvedError) Error() string {
	return fmt.Sprintf("%.200s is not resolved: %v", e.target, e.err)
}

// Unwrap returns what the resolver said.
func (e *unresolvedError) Unwrap() error { return e.err }
