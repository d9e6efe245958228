package server_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"vouchsafe/internal/server"
)

// pair is a self-signed certificate for 127.0.0.1 with its key, both PEM.
type pair struct{ cert, key []byte }

func newPair(t *testing.T, name string, notAfter time.Time) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

// write puts the pair into a new folder.
func (p pair) write(t *testing.T) *server.Certificate {
	t.Helper()
	dir := t.TempDir()
	c := &server.Certificate{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	put(t, c.CertFile, p.cert)
	put(t, c.KeyFile, p.key)
	return c
}

func put(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// trust returns client settings that trust certificates.
func trust(certificates ...[]byte) *tls.Config {
	pool := x509.NewCertPool()
	for _, c := range certificates {
		pool.AppendCertsFromPEM(c)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// client returns an HTTP client whose connections end with the test.
func client(t *testing.T, trusts *tls.Config) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: trusts, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// fetch returns the answer with its body read.
func fetch(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// dial opens a connection that ends with the test.
func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends one request over conn and returns the status, 0 when the connection
// ended without an answer.
func ask(t *testing.T, conn net.Conn) (status int, header http.Header, body string) {
	t.Helper()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return 0, nil, ""
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("neither answered nor closed")
		}
		return 0, nil, ""
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(content)
}

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came about: %s", what)
		}
	}
}

// counts are what the hooks of a Group were told.
type counts struct {
	mu      sync.Mutex
	open    int
	refused map[string]int
}

func (c *counts) config(cfg server.Config) server.Config {
	cfg.Opened = func(_ string, delta int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open += delta
	}
	cfg.Refused = func(_, reason string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.refused == nil {
			c.refused = map[string]int{}
		}
		c.refused[reason]++
	}
	return cfg
}

func (c *counts) get(reason string) (open, refused int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, c.refused[reason]
}
