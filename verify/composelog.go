package verify

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"net/url"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// publicLogURL is the public Rekor v1 instance.
const publicLogURL = "https://rekor.sigstore.dev"

// transparencyLog composes spec.transparencyLog.
func (c *composer) transparencyLog(t *trust) {
	const path = "spec.transparencyLog"
	t.logs, t.demandLog = c.root.logs(), c.demandsLog()
	spec := c.spec.TransparencyLog
	if spec == nil {
		return
	}
	c.askLog(t, path+".url", spec)
	switch {
	case spec.PublicKey == "" && t.demandLog && len(t.logs) == 0 && !c.root.broken:
		c.mistake(path+".enabled", "demands an entry, but the trusted root has no transparency log", "set publicKey, or take a trusted root that has one")
	case spec.PublicKey == "":
	case !t.demandLog && !c.readsTime():
		c.mistake(path+".publicKey", "has no effect while enabled is false: keys without a window need no time", "set enabled: true, or remove the block")
	default:
		t.logs = c.logKeys(path+".publicKey", spec.PublicKey)
	}
}

// askLog sets where an entry is asked for.
func (c *composer) askLog(t *trust, path string, spec *TransparencyLogSpec) {
	offline := spec.Offline != nil && *spec.Offline
	switch {
	case spec.URL != "" && !spec.Enabled:
		c.mistake(path, "has no effect while enabled is false", "remove it")
	case spec.URL != "" && offline:
		c.mistake(path, "has no effect with offline: true", "remove it")
	case spec.URL != "":
		t.askLog = c.logURL(path, spec.URL)
	case !spec.Enabled || offline:
	case c.spec.TrustedRoot == nil && spec.PublicKey == "":
		t.askLog = publicLogURL
	default:
		// The public log knows nothing of the entries of another.
		c.mistake(path, "is missing: entries of this log are not in the public one", "write its URL, or offline: true")
	}
}

// logURL checks a URL, which is not echoed: it may hold a password.
func (c *composer) logURL(path, text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		c.mistake(path, "is not a URL", "write https://host or https://host:port")
	case u.Scheme != "http" && u.Scheme != "https":
		c.mistake(path, "has a scheme that is neither https nor http", "")
	case u.User != nil:
		c.mistake(path, "holds a user name or password", "remove it")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		c.mistake(path, "has a query or fragment", "remove it")
	case strings.Contains(u.Path, "/api/"):
		c.mistake(path, "has the path of the API, which is added to it", "leave /api and what follows out")
	default:
		u.Path = strings.TrimRight(u.Path, "/")
		return u.String()
	}
	return ""
}

// logKeys parses the keys of Rekor v1 logs.
func (c *composer) logKeys(path, text string) map[string]*root.TransparencyLog {
	logs, problem := parseLogKeys(text)
	c.adopt(path, problem)
	for _, log := range logs {
		if _, ok := log.PublicKey.(*ecdsa.PublicKey); !ok {
			c.warn(path, "signed entry timestamps are verified by ECDSA keys alone: entries of a log with another key do not count", "")
			break
		}
	}
	return logs
}

// certificateLogKeys parses the keys of certificate logs.
func (c *composer) certificateLogKeys(path, text string) map[string]*root.TransparencyLog {
	logs, problem := parseLogKeys(text)
	c.adopt(path, problem)
	for _, log := range logs {
		// RFC 6962, section 2.1.4.
		if _, edwards := log.PublicKey.(ed25519.PublicKey); edwards {
			c.mistake(path, "certificate logs sign with ECDSA or RSA, this is an Ed25519 key", "")
			break
		}
	}
	return logs
}
