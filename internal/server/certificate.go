package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// followCertificate is how often the files of a certificate are looked at.
const followCertificate = time.Second

// Certificate is a certificate with its key, in two files that may be replaced
// while the server runs, or whatever Source returns. It belongs to one endpoint. A
// pair that cannot be used, such as a new certificate beside the old key or one
// whose time is over, leaves the one before in force, and so does a file of
// authorities that cannot be read.
//
// Trust: the files are the operator's.
type Certificate struct {
	// CertFile is PEM: the certificate, then those that it chains to.
	CertFile string
	// KeyFile is PEM: its private key.
	KeyFile string
	// Source returns the certificate of a handshake; nil means that it is in the
	// files. With it no file of a certificate is read. An error ends the handshake.
	Source func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// ClientCAFile is PEM: the authorities of the clients, each of which must show
	// a certificate for client authentication by one of them. Empty means that none
	// is asked for.
	ClientCAFile string
	// Reloaded is called after each change of a file, with what is wrong with the
	// pair, or nil when it is in force; nil means not observed.
	Reloaded func(err error)

	current atomic.Pointer[tls.Certificate]
	clients atomic.Pointer[x509.CertPool]
	watcher *Watcher
}

// NotAfter returns when the certificate in force ends, the zero time before it
// was loaded, or with Source. It is safe for concurrent use.
func (c *Certificate) NotAfter() time.Time {
	if pair := c.current.Load(); pair != nil && pair.Leaf != nil {
		return pair.Leaf.NotAfter
	}
	return time.Time{}
}

// load reads the files for the first time.
func (c *Certificate) load() error {
	var files []string
	if c.Source == nil {
		files = append(files, c.CertFile, c.KeyFile)
	}
	if c.ClientCAFile != "" {
		files = append(files, c.ClientCAFile)
	}
	c.watcher = Watch(files...)
	return c.reload()
}

// reload puts what the files hold in force, or leaves what was before.
func (c *Certificate) reload() error {
	return errors.Join(c.reloadPair(), c.reloadClients())
}

func (c *Certificate) reloadPair() error {
	if c.Source != nil {
		return nil
	}
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

// ErrNoAuthority is a file of authorities without any.
var ErrNoAuthority = errors.New("it holds no certificate in PEM")

func (c *Certificate) reloadClients() error {
	if c.ClientCAFile == "" {
		return nil
	}
	b, err := ReadFile(c.ClientCAFile)
	if err != nil {
		return fmt.Errorf("read authorities of clients: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return fmt.Errorf("authorities of clients %s: %w", c.ClientCAFile, ErrNoAuthority)
	}
	c.clients.Store(pool)
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
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
	if c.ClientCAFile != "" {
		config.ClientAuth, config.VerifyConnection = tls.RequireAnyClientCert, c.verifyClient
		// A session that goes on would be of a client under the authorities of then.
		config.SessionTicketsDisabled = true
	}
	return config
}

// errClient is a client whose certificate is by none of the authorities.
var errClient = errors.New("client not let in")

// verifyClient lets in whom an authority of now vouches for. It takes the place
// of the standard library's own check, whose authorities are those of the start.
func (c *Certificate) verifyClient(state tls.ConnectionState) error {
	pool := c.clients.Load()
	if pool == nil || len(state.PeerCertificates) == 0 {
		return errClient
	}
	options := x509.VerifyOptions{
		Roots: pool, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, cert := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(cert)
	}
	if _, err := state.PeerCertificates[0].Verify(options); err != nil {
		return fmt.Errorf("%w: %w", errClient, err)
	}
	return nil
}

func (c *Certificate) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.Source != nil {
		return c.Source(hello)
	}
	pair := c.current.Load()
	if pair == nil {
		return nil, errNoCertificate
	}
	return pair, nil
}
