package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// followCertificate is how often the files of a certificate are looked at.
const followCertificate = time.Second

// Certificate is a certificate with its key, in two files that may be replaced
// while the server runs. It belongs to one endpoint. A pair that cannot be used,
// such as a new certificate beside the old key or one whose time is over, leaves
// the one before in force.
//
// Trust: both files are the operator's.
type Certificate struct {
	// CertFile is PEM: the certificate, then those that it chains to.
	CertFile string
	// KeyFile is PEM: its private key.
	KeyFile string
	// Reloaded is called after each change of a file, with what is wrong with the
	// pair, or nil when it is in force; nil means not observed.
	Reloaded func(err error)

	current atomic.Pointer[tls.Certificate]
	watcher *Watcher
}

// NotAfter returns when the certificate in force ends, the zero time before it
// was loaded. It is safe for concurrent use.
func (c *Certificate) NotAfter() time.Time {
	if pair := c.current.Load(); pair != nil && pair.Leaf != nil {
		return pair.Leaf.NotAfter
	}
	return time.Time{}
}

// load reads the pair for the first time.
func (c *Certificate) load() error {
	c.watcher = Watch(c.CertFile, c.KeyFile)
	return c.reload()
}

// reload puts the pair of the two files in force, or leaves the one before.
func (c *Certificate) reload() error {
	cert, err := ReadFile(c.CertFile)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	key, err := ReadFile(c.KeyFile)
	if err != nil {
		return fmt.Errorf("read key of certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", c.CertFile, c.KeyFile, err)
	}
	if before := c.current.Load(); before != nil && ended(&pair) && !ended(before) {
		return fmt.Errorf("certificate %s: %w", c.CertFile, ErrEnded)
	}
	c.current.Store(&pair)
	return nil
}

// ErrEnded is a certificate whose time is over, which does not replace one whose
// time is not.
var ErrEnded = errors.New("its time is over")

func ended(pair *tls.Certificate) bool {
	return pair.Leaf != nil && time.Now().After(pair.Leaf.NotAfter)
}

// follow reloads the pair at each change until ctx ends.
func (c *Certificate) follow(ctx context.Context, log *slog.Logger) {
	c.watcher.Follow(ctx, followCertificate, func() {
		err := c.reload()
		if err != nil {
			log.ErrorContext(ctx, "certificate not reloaded: the one before stays in force", "error", err, "notAfter", c.NotAfter())
		} else {
			log.InfoContext(ctx, "certificate reloaded", "notAfter", c.NotAfter())
		}
		if c.Reloaded != nil {
			c.Reloaded(err)
		}
	})
}

var errNoCertificate = errors.New("no certificate is loaded")

// config returns the settings of a server: TLS 1.2 at least, with the suites and
// curves that the Go release holds to be safe.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			pair := c.current.Load()
			if pair == nil {
				return nil, errNoCertificate
			}
			return pair, nil
		},
	}
}
