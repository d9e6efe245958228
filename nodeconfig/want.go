package nodeconfig

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"vouchsafe/oci"
)

// Want is how a node is meant to pull. Make one with [NewWant].
type Want struct {
	gateway    *url.URL
	authority  []byte
	registries []string
	bootstrap  []string
	ownFolders bool
}

// Request is what [NewWant] is asked for.
type Request struct {
	// Gateway is the URL by which the node reaches the gateway: http or https,
	// a host, and nothing behind it.
	Gateway string
	// Authority is PEM certificates that vouch for the gateway's own; empty: the
	// node's roots do. Only with https.
	Authority []byte
	// Registries are those that the node pulls from through the gateway, as in
	// image names. Runtimes that can send all others there do so too.
	Registries []string
	// OwnFolders gives each of Registries a folder of its own in containerd's
	// configuration. Without, they share the one for all that have none.
	OwnFolders bool
	// Bootstrap are registries that the node goes on asking directly, such as the
	// one that the gateway's own image comes from. They win over Registries.
	Bootstrap []string
}

// NewWant checks what was asked for. Registries become canonical and sorted.
func NewWant(r Request) (Want, error) {
	gateway, err := parseGateway(r.Gateway)
	if err != nil {
		return Want{}, err
	}
	w := Want{gateway: gateway, ownFolders: r.OwnFolders}
	if len(r.Authority) > 0 {
		if gateway.Scheme != "https" {
			return Want{}, errors.New("a certificate authority is of no use to a gateway that is reached over plain HTTP")
		}
		if w.authority, err = certificates(r.Authority); err != nil {
			return Want{}, err
		}
	}
	if w.bootstrap, err = canonical(r.Bootstrap); err != nil {
		return Want{}, err
	}
	if w.registries, err = canonical(r.Registries); err != nil {
		return Want{}, err
	}
	if slices.Contains(w.bootstrap, gateway.Host) {
		return Want{}, fmt.Errorf("%s is the gateway, so it cannot be left direct", gateway.Host)
	}
	w.registries = slices.DeleteFunc(w.registries, func(name string) bool {
		return slices.Contains(w.bootstrap, name) || name == gateway.Host
	})
	return w, nil
}

func parseGateway(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the gateway's URL: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%.200q is not the gateway's URL: http:// or https:// and a host, such as https://gateway.internal:5000", u.Redacted())
	}
	// The host goes into files of several languages: nothing that one of them
	// reads as more than a name may be in it.
	if strings.ContainsFunc(u.Host, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]", r)
	}) {
		return nil, fmt.Errorf("%.200q is not a host", u.Host)
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, nil
}

// certificates returns the certificates of a PEM text and nothing else that is
// in it: a key that was left in the file is not spread over nodes.
func certificates(text []byte) ([]byte, error) {
	var out bytes.Buffer
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("the certificate authority's file has a block %.40q, want CERTIFICATE alone", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("the certificate authority's file: %w", err)
		}
		if err := pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes}); err != nil {
			return nil, err
		}
	}
	if out.Len() == 0 {
		return nil, errors.New("the certificate authority's file has no certificate in PEM")
	}
	return out.Bytes(), nil
}

func canonical(names []string) ([]string, error) {
	var all []string
	for _, name := range names {
		c, err := oci.CanonicalRegistry(name)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// url is the gateway's URL without anything behind the host.
func (w Want) url() string { return w.gateway.Scheme + "://" + w.gateway.Host }

// host is the gateway as image names have it.
func (w Want) host() string { return w.gateway.Host }

func (w Want) plain() bool { return w.gateway.Scheme == "http" }

// loopback reports whether runtimes speak plain HTTP to the gateway unasked.
func (w Want) loopback() bool {
	name := w.gateway.Hostname()
	address, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && address.IsLoopback()
}

func (w Want) left(registry string) bool { return slices.Contains(w.bootstrap, registry) }

// isGateway reports whether host, as image names and URLs have it, is the
// gateway's. scheme gives the default port; empty means the gateway's own.
func (w Want) isGateway(scheme, host string) bool {
	if scheme == "" {
		scheme = w.gateway.Scheme
	}
	return withPort(scheme, host) == withPort(w.gateway.Scheme, w.gateway.Host)
}

func withPort(scheme, host string) string {
	host = strings.ToLower(host)
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return host + map[string]string{"http": ":80", "https": ":443"}[scheme]
}

// pathForm is a registry as the first element of a path below the gateway; one
// that no path can name, an IPv6 address, is returned as it is.
func pathForm(registry string) string {
	const rest = "/a"
	path, ok := oci.Repository{Registry: registry, Path: rest[1:]}.PathForm()
	if !ok {
		return registry
	}
	return strings.TrimSuffix(path, rest)
}

// endpoint is where a registry is when nothing is in front of it.
func endpoint(registry string) string {
	if registry == oci.DockerHub {
		return "https://registry-1.docker.io"
	}
	return "https://" + registry
}
