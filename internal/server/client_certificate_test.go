package server_test

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vouchsafe/internal/server"
)

// shows returns client settings that show a certificate.
func shows(t *testing.T, trusts *tls.Config, p *pair) *tls.Config {
	t.Helper()
	if p == nil {
		return trusts
	}
	own, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		t.Fatal(err)
	}
	trusts.Certificates = []tls.Certificate{own}
	return trusts
}

func TestOnlyClientsOfTheAuthorityOfNowAreLetIn(t *testing.T) {
	end := time.Now().Add(time.Hour)
	mine, first, second := newPair(t, "server", end), newPair(t, "first", end), newPair(t, "second", end)
	ended := newPair(t, "ended", time.Now().Add(-time.Minute))
	c := mine.write(t)
	c.ClientCAFile = filepath.Join(t.TempDir(), "ca.crt")
	put(t, c.ClientCAFile, append(append([]byte(nil), first.cert...), ended.cert...))
	reloads := make(chan error, 10)
	c.Reloaded = func(err error) { reloads <- err }
	g, _, _ := start(t, server.Config{}, server.Endpoint{Name: "webhook", Addr: "127.0.0.1:0", Handler: says("one"), TLS: c})
	url := "https://" + g.Addr("webhook").String()
	in := func(p *pair) bool {
		res, err := client(t, shows(t, trust(mine.cert), p)).Get(url)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		if res.ProtoMajor != 2 {
			t.Errorf("spoken is %s", res.Proto)
		}
		return true
	}
	for _, one := range []struct {
		name string
		pair *pair
		want bool
	}{
		{"a certificate of the authority", &first, true},
		{"no certificate", nil, false},
		{"one of another authority", &second, false},
		{"one whose time is over", &ended, false},
	} {
		if got := in(one.pair); got != one.want {
			t.Errorf("%s: let in is %v", one.name, got)
		}
	}
	// A file that cannot be read leaves the authority before in force.
	replace(t, c.ClientCAFile, []byte("nothing"))
	if err := <-reloads; !errors.Is(err, server.ErrNoAuthority) {
		t.Errorf("got %v", err)
	}
	if !in(&first) || in(&second) {
		t.Error("a spoilt file changed who is let in")
	}
	replace(t, c.ClientCAFile, second.cert)
	if err := <-reloads; err != nil {
		t.Error(err)
	}
	if in(&first) || !in(&second) {
		t.Error("another authority did not change who is let in")
	}
}

func TestAFileWithoutAnAuthorityOpensNothing(t *testing.T) {
	for name, content := range map[string][]byte{"no PEM": []byte("hello"), "empty": nil} {
		c := newPair(t, "one", time.Now().Add(time.Hour)).write(t)
		c.ClientCAFile = filepath.Join(t.TempDir(), "ca.crt")
		put(t, c.ClientCAFile, content)
		_, err := server.Listen(t.Context(), server.Config{}, server.Endpoint{Name: "webhook", Addr: "127.0.0.1:0", Handler: says("one"), TLS: c})
		if !errors.Is(err, server.ErrNoAuthority) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	c := newPair(t, "one", time.Now().Add(time.Hour)).write(t)
	c.ClientCAFile = filepath.Join(t.TempDir(), "missing")
	_, err := server.Listen(t.Context(), server.Config{}, server.Endpoint{Name: "webhook", Addr: "127.0.0.1:0", Handler: says("one"), TLS: c})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestACertificateFromElsewhereIsAskedForAtEachHandshake(t *testing.T) {
	one, two := newPair(t, "one", time.Now().Add(time.Hour)), newPair(t, "two", time.Now().Add(time.Hour))
	var now atomic.Pointer[tls.Certificate]
	none := errors.New("none yet")
	c := &server.Certificate{Source: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if pair := now.Load(); pair != nil {
			return pair, nil
		}
		return nil, none
	}}
	g, _, _ := start(t, server.Config{}, server.Endpoint{Name: "webhook", Addr: "127.0.0.1:0", Handler: says("one"), TLS: c})
	url := "https://" + g.Addr("webhook").String()
	if res, err := client(t, trust(one.cert)).Get(url); err == nil || !strings.Contains(err.Error(), "tls") {
		t.Errorf("without a certificate the answer is %v, %v", res, err)
	}
	for _, p := range []pair{one, two} {
		pair, err := tls.X509KeyPair(p.cert, p.key)
		if err != nil {
			t.Fatal(err)
		}
		now.Store(&pair)
		res, _ := fetch(t, client(t, trust(one.cert, two.cert)), url)
		if got := res.TLS.PeerCertificates[0]; !got.Equal(pair.Leaf) {
			t.Errorf("got the certificate of %q", got.Subject.CommonName)
		}
	}
}
