package upstream

import (
	"crypto/tls"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"vouchsafe/oci"
)

const (
	defaultTagTTL      = 30 * time.Second
	defaultStaleTagTTL = time.Hour
	defaultConnect     = 5 * time.Second
	defaultHeader      = 10 * time.Second
	defaultIdle        = 30 * time.Second
)

// NewRegistry checks spec for the registry called name. The error joins an
// [oci.FieldError] for each mistake. files may be nil when spec names none.
func NewRegistry(name string, spec Spec, files Files) (*Registry, error) {
	c := &check{files: files}
	r := &Registry{name: name, allowPrivate: spec.AllowPrivateAddresses, auth: newAuthMemory(), pauses: newPauses()}
	c.name(name)
	r.endpoint = c.endpoint(name, spec)
	r.credentials = c.credentials(name, spec)
	c.access(spec)
	r.tagTTL = c.duration("spec.tagTTL", spec.TagTTL, defaultTagTTL)
	r.staleTagTTL = c.durationOrNone("spec.staleTagTTL", spec.StaleTagTTL, defaultStaleTagTTL)
	if t := spec.Timeouts; t == nil {
		r.timeouts = timeouts{defaultConnect, defaultHeader, defaultIdle}
	} else {
		r.timeouts.connect = c.duration("spec.timeouts.connect", t.Connect, defaultConnect)
		r.timeouts.header = c.duration("spec.timeouts.header", t.Header, defaultHeader)
		r.timeouts.idle = c.duration("spec.timeouts.idle", t.Idle, defaultIdle)
	}
	r.tokenHosts = c.tokenHosts(spec)
	r.redirectHosts = c.redirectHosts(spec.RedirectHosts)
	roots, caPEM := c.roots(spec.CAFile)
	if len(c.mistakes) > 0 {
		return nil, errors.Join(c.mistakes...)
	}
	r.home = originOf(r.endpoint)
	r.revision = r.hash(caPEM)
	trust := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	r.data = newTransport(&guard{timeout: r.timeouts.connect, permits: r.permitsData}, r.timeouts, trust)
	r.foreign = newTransport(&guard{timeout: r.timeouts.connect, permits: r.permitsToken}, r.timeouts, trust)
	return r, nil
}

// check collects the mistakes of one spec.
type check struct {
	files    Files
	mistakes []error
}

// errorf adds a mistake.
func (c *check) errorf(path, format string, args ...any) { c.hintf("", path, format, args...) }

// hintf adds a mistake with what to write instead.
func (c *check) hintf(hint, path, format string, args ...any) {
	e := oci.Fieldf(path, format, args...)
	e.Hint = hint
	c.mistakes = append(c.mistakes, e)
}

func (c *check) name(name string) {
	const path = "metadata.name"
	canonical, err := oci.CanonicalRegistry(name)
	switch {
	case err != nil:
		c.hintf("write the host, and the port if any, as in image references", path, "%v", err)
	case canonical != name:
		c.hintf("write "+canonical, path, "%q is another name of %s", name, canonical)
	}
}

func (c *check) endpoint(name string, spec Spec) *url.URL {
	const path = "spec.endpoint"
	scheme := "https"
	if spec.PlainHTTP {
		scheme = "http"
	}
	text := spec.Endpoint
	if text == "" {
		// A name that is no host has been reported as such.
		u, err := url.Parse(defaultEndpoint(name, spec.PlainHTTP))
		if err != nil {
			return nil
		}
		return u
	}
	u, err := url.Parse(text)
	// The text is not echoed: it may hold a password.
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		c.hintf("write https://host or https://host:port", path, "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		c.errorf(path, "has a scheme that is neither https nor http")
	case u.User != nil:
		c.hintf("use spec.credentials", path, "holds a user name or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		c.errorf(path, "has a query or fragment")
	case !usablePort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		c.errorf(path, "has a port that is none")
	case strings.Contains(u.EscapedPath(), "%") || slices.Contains(strings.Split(u.Path, "/"), ".."):
		c.errorf(path, "has a path with escapes or ..")
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/v2"):
		c.hintf("leave /v2 out", path, "ends in /v2, which is added to it")
	case u.Scheme != scheme && spec.PlainHTTP:
		c.errorf("spec.plainHTTP", "is true, but the endpoint begins with https://")
	case u.Scheme != scheme:
		c.errorf("spec.plainHTTP", "must be true for an endpoint that begins with http://")
	default:
		u.Path = strings.TrimRight(u.Path, "/")
		return u
	}
	return nil
}

func (c *check) access(spec Spec) {
	const path = "spec.access"
	switch {
	case spec.Access == "Caller":
		c.errorf(path, "Caller is not supported yet")
	case spec.Access == "" && spec.Credentials != nil:
		c.hintf("Shared: every client of the gateway may read what these credentials may", path, "must be written when there are credentials")
	case spec.Access != "" && spec.Access != "Shared":
		c.hintf("write Shared", path, "is not known")
	}
}

func (c *check) duration(path string, d *Duration, standard time.Duration) time.Duration {
	if d == nil {
		return standard
	}
	if *d <= 0 {
		c.errorf(path, "must be more than zero")
	}
	return time.Duration(*d)
}

// durationOrNone is duration for what zero switches off.
func (c *check) durationOrNone(path string, d *Duration, standard time.Duration) time.Duration {
	if d != nil && *d < 0 {
		c.hintf("0s switches it off", path, "must not be less than zero")
		return 0
	}
	if d != nil && *d == 0 {
		return 0
	}
	return c.duration(path, d, standard)
}
