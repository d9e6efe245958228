package server_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/internal/server"
)

func TestUnusableCertificateOpensNothing(t *testing.T) {
	one, other := newPair(t, "one", time.Now().Add(time.Hour)), newPair(t, "other", time.Now().Add(time.Hour))
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(c *server.Certificate)
		want   string
	}{
		"a certificate that is not there": {func(c *server.Certificate) { c.CertFile += ".missing" }, "read certificate: stat "},
		"a key that is not there":         {func(c *server.Certificate) { c.KeyFile += ".missing" }, "read key of certificate: stat "},
		"a folder":                        {func(c *server.Certificate) { c.CertFile = filepath.Dir(c.CertFile) }, "is no regular file"},
		"a file that nobody writes":       {func(c *server.Certificate) { c.KeyFile = fifo }, "is no regular file"},
		"a key of another certificate":    {func(c *server.Certificate) { put(t, c.KeyFile, other.key) }, "private key does not match public key"},
		"two certificates":                {func(c *server.Certificate) { put(t, c.KeyFile, other.cert) }, "private key"},
		"no PEM":                          {func(c *server.Certificate) { put(t, c.CertFile, []byte("hello")) }, "failed to find any PEM data"},
		"a file without an end":           {func(c *server.Certificate) { put(t, c.CertFile, make([]byte, 3<<20)) }, "has more than 2097152 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			c := one.write(t)
			test.change(c)
			g, err := server.Listen(t.Context(), server.Config{}, server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: says("one"), TLS: c})
			if err == nil {
				t.Fatal("it was accepted", g.Close())
			}
			if !strings.Contains(err.Error(), "open registry: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want %q in it", err, test.want)
			}
			if !c.NotAfter().IsZero() {
				t.Errorf("it is said to end at %v", c.NotAfter())
			}
		})
	}
}

func TestCertificateIsReloadedWhileItServes(t *testing.T) {
	old, renewed := newPair(t, "old", time.Now().Add(time.Hour)), newPair(t, "renewed", time.Now().Add(48*time.Hour))
	var log buffer
	reloads := make(chan error, 10)
	c := old.write(t)
	c.Reloaded = func(err error) { reloads <- err }
	g, _, _ := start(t, server.Config{Log: logTo(&log)}, server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: says("one"), TLS: c})
	url := "https://" + g.Addr("registry").String()
	shown := func() string {
		t.Helper()
		hc := client(t, trust(old.cert, renewed.cert))
		res, body := fetch(t, hc, url)
		if body != "one" {
			t.Errorf("got %q", body)
		}
		return res.TLS.PeerCertificates[0].Subject.CommonName
	}
	if got := shown(); got != "old" {
		t.Fatalf("got the certificate of %q", got)
	}
	replace(t, c.CertFile, renewed.cert) // half of the change: no pair
	if err := <-reloads; err == nil {
		t.Error("a pair that does not match was taken")
	}
	if got := shown(); got != "old" {
		t.Errorf("got the certificate of %q, want the last good one", got)
	}
	changed := time.Now()
	replace(t, c.KeyFile, renewed.key)
	if err := <-reloads; err != nil {
		t.Error(err)
	}
	if got, took := shown(), time.Since(changed); got != "renewed" || took > 2*time.Second {
		t.Errorf("got the certificate of %q after %v", got, took)
	}
	if left := time.Until(c.NotAfter()); left < 47*time.Hour {
		t.Errorf("it is said to end in %v", left)
	}
	if n := strings.Count(log.String(), "certificate not reloaded: the one before stays in force"); n != 1 {
		t.Errorf("got %d lines for one bad change: %s", n, &log)
	}
}

// replace puts content in place of a file by renaming, as Kubernetes and
// certificate tools do.
func replace(t *testing.T, name string, content []byte) {
	t.Helper()
	put(t, name+".new", content)
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	p := newPair(t, "gateway", time.Now().Add(time.Hour))
	g, _, _ := start(t, server.Config{}, server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: says("one"), TLS: p.write(t)})
	config := trusting(p)
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", g.Addr("registry").String(), config); err == nil {
		conn.Close()
		t.Error("TLS 1.1 was spoken")
	}
	res, err := http.Get("http://" + g.Addr("registry").String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 400 || strings.Contains(string(body), "one") {
		t.Errorf("got %d %q in the clear", res.StatusCode, body)
	}
}

func TestFailedHandshakesDoNotFillTheLog(t *testing.T) {
	p := newPair(t, "gateway", time.Now().Add(time.Hour))
	var normal buffer
	g, stop, ended := start(t, server.Config{Log: logTo(&normal)},
		server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: says("one"), TLS: p.write(t)})
	for range 10 {
		conn := dial(t, g.Addr("registry"))
		_, _ = io.WriteString(conn, "hello, not TLS\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	}
	stop()
	<-ended
	if strings.Contains(normal.String(), "handshake") {
		t.Errorf("at info the log tells of handshakes: %s", &normal)
	}
}

func TestFilesAreFollowed(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "tokens"), filepath.Join(dir, "link")
	put(t, file, []byte("one"))
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	stamp := time.Now().Add(-time.Hour)
	write := func(content string) {
		put(t, file, []byte(content))
		if err := os.Chtimes(file, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	synctest.Test(t, func(t *testing.T) {
		var changes atomic.Int32
		watcher := server.Watch(link, filepath.Join(dir, "missing"))
		write("two") // before it is followed, with the same time and size
		go watcher.Follow(t.Context(), time.Second, func() { changes.Add(1) })
		look := func(what string, want int32) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			if got := changes.Load(); got != want {
				t.Errorf("%s: got %d changes, want %d", what, got, want)
			}
		}
		time.Sleep(500 * time.Millisecond) // looks fall between the writes
		look("a change before the first look", 1)
		look("no change", 1)
		write("six")
		look("a change of the content alone", 2)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		look("a file that vanished", 3)
		look("a file that stays away", 3)
		write("six")
		look("a file that came back", 4)
		put(t, filepath.Join(dir, "missing"), nil)
		look("the other file", 5)
	})
	synctest.Test(t, func(t *testing.T) {
		var changes atomic.Int32
		go server.Follow(t.Context(), time.Second, []string{file}, func() { changes.Add(1) })
		synctest.Wait()
		write("ten")
		time.Sleep(2 * time.Second)
		if changes.Load() != 1 {
			t.Errorf("got %d changes", changes.Load())
		}
	})
}

func TestACertificateThatHasEndedReplacesNoGoodOne(t *testing.T) {
	good, over := newPair(t, "good", time.Now().Add(time.Hour)), newPair(t, "over", time.Now().Add(-time.Hour))
	reloads := make(chan error, 10)
	c := good.write(t)
	c.Reloaded = func(err error) { reloads <- err }
	g, _, _ := start(t, server.Config{}, server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: says("one"), TLS: c})
	replace(t, c.KeyFile, over.key)
	if err := <-reloads; err == nil {
		t.Error("a pair that does not match was taken")
	}
	replace(t, c.CertFile, over.cert)
	if err := <-reloads; !errors.Is(err, server.ErrEnded) {
		t.Errorf("got %v, want %v", err, server.ErrEnded)
	}
	res, _ := fetch(t, client(t, trust(good.cert, over.cert)), "https://"+g.Addr("registry").String())
	if got := res.TLS.PeerCertificates[0].Subject.CommonName; got != "good" {
		t.Errorf("got the certificate of %q", got)
	}
}
