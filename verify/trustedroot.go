package verify

import (
	"crypto/x509"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sigstore/sigstore-go/pkg/root"

	"vouchsafe/oci"
)

// maxTrustedRoot bounds a trusted root's JSON; that of the public instance has
// 7 KB.
const maxTrustedRoot = 1 << 20

// EmbeddedTrustedRootDate is when the embedded snapshot of the public instance's
// trusted root was taken: the day of the sigstore-go release that ships it.
const EmbeddedTrustedRootDate = "2026-07-30"

//go:embed trustedroot/public-good.json
var embeddedTrustedRoot []byte

// embedded parses the snapshot once for the process.
var embedded = sync.OnceValues(func() (*root.TrustedRoot, *oci.FieldError) { return parseTrustedRoot(embeddedTrustedRoot) })

// trustedRoot is where authorities and logs come from. The zero value has none.
//
// Trust: the snapshot is part of the program, a file is the operator's. Whoever
// can write that file can have any signature of his own accepted wherever an
// integration takes a part from it.
type trustedRoot struct {
	material *root.TrustedRoot
	// broken is true when it could not be read, which has been reported, and when
	// it is not known yet what it holds.
	broken bool
	// mirror is the TUF mirror that gives it; zero for none.
	mirror MirrorSource
}

func (r trustedRoot) logs() map[string]*root.TransparencyLog {
	if r.material == nil {
		return nil
	}
	return maps.Clone(r.material.RekorLogs())
}

func (r trustedRoot) certificateLogs() map[string]*root.TransparencyLog {
	if r.material == nil {
		return nil
	}
	return maps.Clone(r.material.CTLogs())
}

func (r trustedRoot) timestamps() []root.TimestampingAuthority {
	if r.material == nil {
		return nil
	}
	return r.material.TimestampingAuthorities()
}

func (r trustedRoot) certificateAuthorities() []root.CertificateAuthority {
	if r.material == nil {
		return nil
	}
	return r.material.FulcioCertificateAuthorities()
}

// trustedRoot reads spec.trustedRoot, or the embedded snapshot.
func (c *composer) trustedRoot() trustedRoot {
	const path = "spec.trustedRoot.file"
	if c.spec.TrustedRoot == nil {
		material, problem := embedded()
		return trustedRoot{material: material, broken: problem != nil}
	}
	name := c.spec.TrustedRoot.File
	switch {
	case c.spec.TrustedRoot.TUF != nil:
		return c.mirroredRoot(*c.spec.TrustedRoot.TUF)
	case name == "":
		c.mistake("spec.trustedRoot", "names neither file nor tuf", "write file: with the name of a trusted_root.json, relative to this document, or tuf:")
		return trustedRoot{broken: true}
	case c.files == nil:
		c.mistake(path, "files cannot be read here", "")
		return trustedRoot{broken: true}
	}
	text, err := c.files(name)
	if err != nil {
		c.mistake(path, err.Error(), "")
		return trustedRoot{broken: true}
	}
	material, problem := parseTrustedRoot(text)
	return trustedRoot{material: material, broken: !c.adopt(path, problem)}
}

// ofPublicInstance reports whether an authority is one of the public instance's, at
// which anybody can get a certificate: from the snapshot, from a later trusted
// root in a file, or pasted as a chain.
func ofPublicInstance(authorities []root.CertificateAuthority) bool {
	public, problem := embedded()
	if problem != nil {
		return true
	}
	roots := anchors(public.FulcioCertificateAuthorities())
	return slices.ContainsFunc(anchors(authorities), func(one *x509.Certificate) bool {
		return slices.ContainsFunc(roots, func(known *x509.Certificate) bool { return known.Equal(one) })
	})
}

// unusedRoot refuses a trusted root of which no part is read.
func (c *composer) unusedRoot() {
	log, authority := c.spec.TransparencyLog, c.spec.TimestampAuthority
	used := c.spec.TrustedRoot == nil ||
		(c.demandsLog() || c.readsTime()) && (log == nil || log.PublicKey == "") ||
		(c.demandsToken() || c.readsTime()) && (authority == nil || authority.Chain == "")
	for _, one := range c.spec.Certificates {
		ct := one.CertificateTransparency
		demanded := one.Chain == ""
		if ct != nil && ct.Enabled != nil {
			demanded = *ct.Enabled
		}
		used = used || one.Chain == "" || demanded && (ct == nil || ct.PublicKey == "")
	}
	if !used {
		c.mistake("spec.trustedRoot", "has no effect: nothing of this integration is taken from a trusted root", "remove it")
	}
}

const trustedRootHint = "cosign trusted-root create makes one"

// parseTrustedRoot reads a trusted root's JSON. The error has no path and holds
// none of the values in text.
func parseTrustedRoot(text []byte) (parsed *root.TrustedRoot, problem *oci.FieldError) {
	defer func() {
		if recover() != nil {
			parsed, problem = nil, mistake("the trusted root makes its parser fail", trustedRootHint)
		}
	}()
	if problem := notTrustedRoot(text); problem != nil {
		return nil, problem
	}
	material, err := root.NewTrustedRootFromJSON(text)
	if err != nil {
		// The JSON parser of protocol buffers varies its blanks on purpose.
		said := strings.ReplaceAll(err.Error(), "\u00a0", " ")
		return nil, mistake(fmt.Sprintf("the trusted root cannot be read: %.200q", said), trustedRootHint)
	}
	if problem := checkMaterial(material); problem != nil {
		return nil, problem
	}
	return material, nil
}

// notTrustedRoot says what a file is that is no trusted root.
func notTrustedRoot(text []byte) *oci.FieldError {
	trimmed := strings.TrimSpace(string(text))
	switch {
	case len(text) > maxTrustedRoot:
		return mistake(fmt.Sprintf("the file has more than %d KiB", maxTrustedRoot>>10), "")
	case trimmed == "":
		return mistake("the file is empty", trustedRootHint)
	case looksPrivate(trimmed):
		return mistake("the file holds a private key", "")
	case strings.HasPrefix(trimmed, "-----BEGIN "):
		return mistake("the file holds PEM, wanted a trusted root in JSON", "certificates belong into chain, a log's key into publicKey of the log")
	}
	var head struct {
		MediaType string          `json:"mediaType"`
		Signed    json.RawMessage `json:"signed"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		if at, ok := errors.AsType[*json.SyntaxError](err); ok {
			return mistake(fmt.Sprintf("the file is not JSON: an error at byte %d", at.Offset), trustedRootHint)
		}
		return mistake("the file is JSON, but no trusted root", trustedRootHint)
	}
	switch {
	case head.MediaType == root.TrustedRootMediaType01:
		return nil
	case head.Signed != nil:
		return mistake("the file is metadata of a TUF repository (root.json), wanted its target trusted_root.json", trustedRootHint)
	case strings.Contains(head.MediaType, "signingconfig"):
		return mistake("the file is a signing config, wanted a trusted root", trustedRootHint)
	case head.MediaType == "":
		return mistake("the file has no mediaType, so it is no trusted root", trustedRootHint)
	}
	return mistake(fmt.Sprintf("the media type %.80q is not known", head.MediaType), "wanted "+root.TrustedRootMediaType01)
}

// checkMaterial refuses parts of a trusted root that could verify nothing, or that
// are too weak to.
func checkMaterial(material *root.TrustedRoot) *oci.FieldError {
	for kind, logs := range map[string]map[string]*root.TransparencyLog{"transparency": material.RekorLogs(), "certificate": material.CTLogs()} {
		for _, log := range logs {
			if problem := checkStrength(log.PublicKey); problem != nil {
				return mistake(fmt.Sprintf("a %s log's key: %s", kind, problem.Message), problem.Hint)
			}
		}
	}
	for i, authority := range material.TimestampingAuthorities() {
		if one, ok := authority.(*root.SigstoreTimestampingAuthority); !ok || one.Root == nil {
			return mistake(fmt.Sprintf("timestamp authority %d has no root certificate", i+1), trustedRootHint)
		}
	}
	return nil
}
