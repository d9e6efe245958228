package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"vouchsafe/oci"
)

// Bounds on spec.trustedRoot.tuf.
const (
	// MinRefresh and MaxRefresh bound how often a mirror is asked.
	MinRefresh = time.Minute
	MaxRefresh = 30 * 24 * time.Hour
	// standardRefresh is a refresh that nobody wrote.
	standardRefresh = 24 * time.Hour
)

// MirrorSource is a TUF repository that publishes a trusted root. It is
// comparable; the zero value is none.
type MirrorSource struct {
	// Mirror is the URL under which the metadata is, without a slash at its end;
	// targets are in targets/ below it.
	Mirror string
	// Anchor is the root.json that the operator took from a trustworthy place:
	// all trust in what the mirror says begins there.
	Anchor string
	// Refresh is how often the mirror is asked.
	Refresh time.Duration
}

// id is equal for sources that share what was obtained.
func (s MirrorSource) id() string {
	if s == (MirrorSource{}) {
		return ""
	}
	const enough = 16
	sum := sha256.Sum256([]byte(joined("trusted root by TUF", s.Mirror, s.Anchor)))
	return hex.EncodeToString(sum[:enough])
}

// mirrorSource checks spec.trustedRoot.tuf; ok is false when a mistake was
// recorded. Nobody is asked.
func (c *composer) mirrorSource(spec TUFSpec) (source MirrorSource, ok bool) {
	const path = "spec.trustedRoot.tuf"
	before := len(c.problems)
	if spec.Mirror == "" {
		c.mistake(path+".mirror", "is empty", "write https://host/path, under which the mirror has its metadata")
	} else {
		source.Mirror = c.mirrorURL(path+".mirror", spec.Mirror)
	}
	source.Anchor = c.anchor(path+".rootFile", spec.RootFile)
	source.Refresh = c.refresh(path+".refresh", spec.Refresh)
	return source, len(c.problems) == before
}

// mirrorURL checks a URL, which is not echoed: it may hold a password.
func (c *composer) mirrorURL(path, text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		c.mistake(path, "is not a URL", "write https://host/path")
	case u.Scheme != "http" && u.Scheme != "https":
		c.mistake(path, "has a scheme that is neither https nor http", "")
	case u.User != nil:
		c.mistake(path, "holds a user name or password", "remove it")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		c.mistake(path, "has a query or fragment", "remove it")
	case strings.HasSuffix(u.Path, ".json"):
		c.mistake(path, "names a file of the mirror", "leave the file's name out")
	default:
		return strings.TrimRight(u.String(), "/")
	}
	return ""
}

const anchorHint = "it is the TUF repository's root.json, which whoever runs the Sigstore gives out"

// anchor reads the file that trust in the mirror begins with.
func (c *composer) anchor(path, name string) string {
	switch {
	case name == "":
		c.mistake(path, "is empty", anchorHint)
		return ""
	case c.files == nil:
		c.mistake(path, "files cannot be read here", "")
		return ""
	}
	text, err := c.files(name)
	if err != nil {
		c.mistake(path, err.Error(), "")
		return ""
	}
	c.adopt(path, notAnchor(text))
	return string(text)
}

// notAnchor says what is wrong with a root.json; nil is nothing. Nothing of the
// file is echoed.
func notAnchor(text []byte) (problem *oci.FieldError) {
	defer func() {
		if recover() != nil {
			problem = mistake("the file makes its parser fail", anchorHint)
		}
	}()
	trimmed := strings.TrimSpace(string(text))
	switch {
	case len(text) > maxMirrorRoot:
		return mistake(fmt.Sprintf("the file has more than %d KiB", maxMirrorRoot>>10), anchorHint)
	case trimmed == "":
		return mistake("the file is empty", anchorHint)
	case looksPrivate(trimmed):
		return mistake("the file holds a private key", "")
	case notTrustedRoot(text) == nil:
		return mistake("the file is a trusted root, which the mirror publishes, wanted what it is signed by", anchorHint)
	}
	if _, err := trustedmetadata.New(text); err != nil {
		return mistake("the file is no root.json of a TUF repository, or is not signed by its own keys", anchorHint)
	}
	return nil
}

// refresh reads how often the mirror is asked.
func (c *composer) refresh(path, text string) time.Duration {
	if text == "" {
		return standardRefresh
	}
	parsed, err := time.ParseDuration(text)
	switch {
	case err != nil:
		c.mistake(path, quote(text)+" is not a duration", "write it like 24h or 30m")
	case parsed < MinRefresh:
		c.mistake(path, "is less than "+MinRefresh.String(), "write at least 1m")
	case parsed > MaxRefresh:
		c.mistake(path, "is more than 720h", "write at most 720h")
	}
	return parsed
}
