package upstream

import (
	"net"
	"net/url"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"vouchsafe/oci"
)

// origin is scheme, host and port, the port always written. Credentials belong
// to one origin; any difference in one of the three is another.
type origin struct{ scheme, hostPort string }

// String returns "scheme://host:port".
func (o origin) String() string { return o.scheme + "://" + o.hostPort }

// originOf returns the origin of an absolute URL.
func originOf(u *url.URL) origin {
	scheme := strings.ToLower(u.Scheme)
	port := u.Port()
	if port == "" {
		port = defaultPort(scheme)
	}
	return origin{scheme: scheme, hostPort: net.JoinHostPort(strings.ToLower(u.Hostname()), port)}
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

// permitsData reports whether the registry's own requests and their redirects
// may go to hostPort although it is private.
func (r *Registry) permitsData(hostPort string) bool {
	if r.allowPrivate && hostPort == r.home.hostPort {
		return true
	}
	for _, pattern := range r.redirectHosts {
		if ok, err := doublestar.Match(pattern, hostPort); err == nil && ok {
			return true
		}
	}
	return false
}

// permitsToken is permitsData for requests to token services on other hosts.
func (r *Registry) permitsToken(hostPort string) bool {
	return r.namesTokenHost(hostPort) || r.permitsData(hostPort)
}

// namesTokenHost reports whether the document names hostPort in tokenHosts.
func (r *Registry) namesTokenHost(hostPort string) bool {
	for _, named := range r.tokenHosts {
		if named == hostPort {
			return true
		}
	}
	return false
}

// realmAllowed reports whether a token service at o may be asked, and may so
// receive this registry's credentials: the registry's own origin, a host that
// its document names, or Docker Hub's own. A realm without TLS never follows
// from a registry with it. The challenge comes from the registry, which may be
// taken over: without this rule it would choose who gets the password.
func (r *Registry) realmAllowed(o origin) bool {
	if r.home.scheme == "https" && o.scheme != "https" {
		return false
	}
	if o == r.home || r.namesTokenHost(o.hostPort) {
		return true
	}
	// Only for Docker Hub's own endpoint: credentials in a docker.io document
	// with another endpoint are those of a mirror.
	hub := origin{scheme: "https", hostPort: hubEndpoint + ":443"}
	return r.name == oci.DockerHub && r.home == hub && o == origin{scheme: "https", hostPort: hubAuth + ":443"}
}
