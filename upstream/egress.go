package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Egress are the operator's proxies for what leaves the process, with the rules
// of the usual variables: HTTPS_PROXY and HTTP_PROXY by the target's scheme,
// NO_PROXY for hosts that are asked directly; localhost and loopback addresses
// always are. A nil Egress asks everything directly. It is immutable, and prints
// without user names and passwords.
type Egress struct {
	// http and https are empty, or the proxy without its user.
	http, https string
	// choose returns the proxy with its user, which net/http presents to it.
	choose func(*url.URL) (*url.URL, error)
}

// NewEgress reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY, each also in lower case,
// from "name=value" pairs as of [os.Environ]. It returns nil when there is no
// proxy. A proxy is an http or https URL, or host:port for the first; errors
// quote nothing of it, since it may hold a password.
func NewEgress(environ []string) (*Egress, error) {
	values := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if _, known := values[name]; !known {
			values[name] = value
		}
	}
	get := func(name string) (string, string) {
		if value := values[name]; value != "" {
			return name, value
		}
		return strings.ToLower(name), values[strings.ToLower(name)]
	}
	plain, err := parseProxy(get("HTTP_PROXY"))
	if err != nil {
		return nil, err
	}
	secure, err := parseProxy(get("HTTPS_PROXY"))
	if err != nil {
		return nil, err
	}
	if plain == nil && secure == nil {
		return nil, nil //nolint:nilnil // nil is an Egress: without proxies
	}
	_, direct := get("NO_PROXY")
	rules := &httpproxy.Config{HTTPProxy: text(plain), HTTPSProxy: text(secure), NoProxy: direct}
	return &Egress{http: bare(plain), https: bare(secure), choose: rules.ProxyFunc()}, nil
}

// parseProxy reads one variable; nil for an empty one.
func parseProxy(name, value string) (*url.URL, error) {
	if value == "" {
		return nil, nil //nolint:nilnil // no proxy
	}
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	refuse := func(why string) (*url.URL, error) {
		return nil, fmt.Errorf("%s %s (write http://host:port or https://host:port)", name, why)
	}
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return refuse("is not a URL of a proxy")
	case strings.HasPrefix(u.Scheme, "socks"):
		return refuse("names a SOCKS proxy, which is not supported")
	case u.Scheme != "http" && u.Scheme != "https":
		return refuse("has a scheme that is neither http nor https")
	case strings.ContainsFunc(u.Hostname(), func(c rune) bool { return c <= ' ' || c > '~' }):
		return refuse("has a host that is not written in ASCII")
	case !usablePort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		return refuse("has a port that is none")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return refuse("has more than a host and a port")
	}
	return u, nil
}

func text(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}

// bare is u without its user.
func bare(u *url.URL) string {
	if u == nil {
		return ""
	}
	return originOf(u).String()
}

// route is how one request goes through a proxy.
type route struct {
	// proxy holds the operator's password; it goes to net/http and nowhere else.
	proxy *url.URL
	// hostPort is the one address that may be dialled without being judged.
	hostPort string
}

type routeKey struct{}

// route returns ctx with the way to target, and whether it is through a proxy.
func (e *Egress) route(ctx context.Context, target *url.URL) (context.Context, bool) {
	if e == nil {
		return ctx, false
	}
	proxy, err := e.choose(target)
	if err != nil || proxy == nil {
		// The rules only fail for what is no URL. Directly is judged in any case.
		return ctx, false
	}
	return context.WithValue(ctx, routeKey{}, &route{proxy: proxy, hostPort: originOf(proxy).hostPort}), true
}

func routeOf(ctx context.Context) *route {
	r, _ := ctx.Value(routeKey{}).(*route)
	return r
}

// String names the proxies, without users and passwords.
func (e *Egress) String() string {
	if e == nil {
		return "no egress proxy"
	}
	named := func(proxy string) string {
		if proxy == "" {
			return "directly"
		}
		return "by " + proxy
	}
	return "https " + named(e.https) + ", http " + named(e.http)
}

// GoString is String.
func (e *Egress) GoString() string { return e.String() }

// Format implements [fmt.Formatter]: String for every verb.
func (e *Egress) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(e.String())) }

// LogValue implements [slog.LogValuer].
func (e *Egress) LogValue() slog.Value { return slog.StringValue(e.String()) }
