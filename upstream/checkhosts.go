package upstream

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"vouchsafe/oci"
)

// usablePort reports whether port is empty or 1 to 65535 without leading zero.
func usablePort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && port[0] != '0'
}

// tokenHosts returns the named hosts as host:port, sorted. A host without port
// means the usual one, without TLS only where the registry has none.
func (c *check) tokenHosts(spec Spec) []string {
	var named []string
	for i, text := range spec.TokenHosts {
		path := fmt.Sprintf("spec.tokenHosts[%d]", i)
		host := strings.ToLower(text)
		_, port, noPort := net.SplitHostPort(host)
		// Only the grammar is asked for: a port stays as it is written.
		_, err := oci.CanonicalRegistry(text)
		switch {
		case err != nil || !usablePort(port):
			c.hintf("write auth.example.com", path, "%.100q is not a host or host:port", text)
		case noPort == nil:
			named = append(named, host)
		case spec.PlainHTTP:
			named = append(named, host+":443", host+":80")
		default:
			named = append(named, host+":443")
		}
	}
	slices.Sort(named)
	return slices.Compact(named)
}

// redirectHosts returns the globs, sorted.
func (c *check) redirectHosts(globs []string) []string {
	var named []string
	for i, text := range globs {
		path := fmt.Sprintf("spec.redirectHosts[%d]", i)
		glob := strings.ToLower(text)
		at := strings.LastIndexByte(glob, ':')
		switch {
		case !doublestar.ValidatePattern(glob):
			c.errorf(path, "%.100q is not a glob", text)
		case strings.ContainsAny(glob, "/@ ") || at == 0:
			c.errorf(path, "%.100q is not a glob of host:port", text)
		case at < 0 || at == len(glob)-1 || strings.ContainsAny(glob[at:], "]}"):
			c.hintf("write it as host:port, such as blobs.example.com:443", path, "%.100q names no port, so matches nothing", text)
		case !namesSomething(glob[:at]):
			c.hintf("name at least a domain, such as *.storage.example.com:443", path, "%.100q names every host", text)
		default:
			named = append(named, glob)
		}
	}
	slices.Sort(named)
	return slices.Compact(named)
}

// namesSomething reports whether a letter or digit stands in glob outside its
// wildcards, so that it cannot match every host.
func namesSomething(glob string) bool {
	inClass := false
	for _, c := range glob {
		switch {
		case c == '[':
			inClass = true
		case c == ']':
			inClass = false
		case !inClass && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9'):
			return true
		}
	}
	return false
}

// roots returns the system's roots with those of file, nil for the system's
// alone, and the file's bytes.
func (c *check) roots(file string) (*x509.CertPool, []byte) {
	const path = "spec.caFile"
	if file == "" {
		return nil, nil
	}
	text, ok := c.read(path, file, maxCAFile)
	if !ok {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	found := 0
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			// Only the label is named: the block may be a private key.
			c.hintf("only CERTIFICATE blocks belong here", path, "holds a PEM block %.40q", block.Type)
			return nil, nil
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			c.errorf(path, "certificate %d cannot be read", found+1)
			return nil, nil
		}
		pool.AddCert(certificate)
		found++
	}
	if found == 0 {
		c.hintf("it begins with -----BEGIN CERTIFICATE-----", path, "holds no certificate in PEM")
	}
	return pool, text
}
