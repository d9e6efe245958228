package nodes_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// The names of registries that the documents list, and of one that they do not.
const (
	withPort = "registry.acme.com:5000"
	unlisted = "registry.elsewhere.com"
)

// hostsFile gives every registry the address of the one that is here, which is
// where a node comes out that goes round the gateway.
const hostsFile = "127.0.0.1 localhost registry-1.docker.io docker.io registry.acme.com " + unlisted + "\n"

// world is a registry that has several names, and a gateway in front of it.
type world struct {
	at  *origin.Registry
	g   *gateway.Gateway
	key *cosign.Key
	// url is the gateway's.
	url string
	// roots is the file of the authorities that the node trusts, by which the
	// registries' certificates are; caFile is that of the gateway's.
	roots, caFile string
	count         int
}

// newWorld starts a registry and a gateway, which has TLS or not.
func newWorld(t *testing.T, withTLS bool) *world {
	t.Helper()
	w := &world{at: origin.Distribution(t, nil), key: cosign.NewKey(t, cosign.Layouts()[3])}
	web := newAuthority(t, "the web")
	w.roots = web.file
	for _, port := range []string{"443", "5000"} {
		w.serve(t, web, port)
	}
	replace(t, "/etc/hosts", hostsFile)
	var env []string
	scheme := "http://"
	if withTLS {
		own := newAuthority(t, "the gateway's")
		cert, key := own.issue(t, "127.0.0.1")
		env = []string{"VOUCHSAFE_TLS_CERT_FILE=" + cert, "VOUCHSAFE_TLS_KEY_FILE=" + key}
		scheme, w.caFile = "https://", own.file
	}
	w.g = gateway.Start(t, map[string]string{
		"hub.yaml":         gateway.Registry("docker.io", w.at.Host),
		"acme.yaml":        gateway.Registry(withPort, w.at.Host),
		"integration.yaml": gateway.Integration("release-team", w.key.PEM(t)),
		"policy.yaml": gateway.Policy("prod-signed", "InformAndEnforce",
			`"docker.io/acme/**", "`+withPort+`/acme/**"`, []string{"release-team"}),
	}, env...)
	w.url = scheme + w.g.Host
	return w
}

// push pushes an image of its own, signed or not.
func (w *world) push(t *testing.T, signed bool) origin.Image {
	t.Helper()
	w.count++
	image := w.at.PushIndex(t, fmt.Sprintf("acme/app-%d", w.count), "1", "hello")
	if signed {
		w.key.Sign(t, w.at, image, cosign.Layouts()[3])
	}
	return image
}

// around returns the requests since the last Reset that were not the gateway's.
func (w *world) around(t *testing.T) (requests []origin.Request) {
	t.Helper()
	for _, request := range w.at.Requests("/v2/") {
		if !strings.HasPrefix(request.UserAgent, "vouchsafe") {
			requests = append(requests, request)
		}
	}
	return requests
}

// clientConfig has the files for a runtime written onto this machine, as far as
// its namespace of mounts sees it.
func (w *world) clientConfig(t *testing.T, runtime string, more ...string) tool.Output {
	t.Helper()
	args := []string{"client-config", runtime, "--gateway", w.url, "--write", "--config-dir", w.g.ConfigDir}
	if w.caFile != "" {
		args = append(args, "--ca-file", w.caFile)
	}
	return tool.Run(t, nil, tool.Path("vouchsafe"), append(args, more...)...)
}

func (w *world) doctor(t *testing.T, runtime string) tool.Output {
	t.Helper()
	return tool.Run(t, nil, tool.Path("vouchsafe"), "doctor", "node", "--gateway", w.url, "--config-dir", w.g.ConfigDir, "--runtime", runtime)
}

// checkClean demands that client-config did its work and that doctor finds
// nothing.
func (w *world) checkClean(t *testing.T, runtime string) {
	t.Helper()
	if out := w.doctor(t, runtime); out.Code != 0 || !strings.Contains(out.Stdout, "no way round was found") {
		t.Fatalf("doctor: exit %d", out.Code)
	}
}

// checkFound demands that doctor finds a way round at a place.
func (w *world) checkFound(t *testing.T, runtime, level, place string) {
	t.Helper()
	out := w.doctor(t, runtime)
	found := false
	for finding := range strings.SplitSeq(out.Stdout, "\n\n") {
		found = found || strings.HasPrefix(finding, level+": ") && strings.Contains(finding, place+"\n")
	}
	if out.Code != 1 || !found {
		t.Errorf("doctor: exit %d, want 1 and something %s at %s", out.Code, level, place)
	}
}

// serve serves the registry with TLS on a port, under all its names.
func (w *world) serve(t *testing.T, by *authority, port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	check(t, err)
	certFile, keyFile := by.issue(t, "registry-1.docker.io", "docker.io", "registry.acme.com", unlisted)
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	check(t, err)
	server := httptest.NewUnstartedServer(w.at.Recorder)
	check(t, server.Listener.Close())
	server.Listener = listener
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.StartTLS()
	t.Cleanup(server.Close)
}

// authority signs certificates of servers.
type authority struct {
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	cert, err := x509.ParseCertificate(raw)
	check(t, err)
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem"), cert: cert, key: key}
	check(t, os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600))
	return a
}

// issue writes a certificate for names and addresses, and its key.
func (a *authority) issue(t *testing.T, names ...string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	check(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	folder := t.TempDir()
	certFile, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	check(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600))
	check(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return certFile, keyFile
}

// replace puts a file in the place of one of this machine, and replaceFolder an
// empty folder, for the test alone.
func replace(t *testing.T, path, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "replaced")
	check(t, os.WriteFile(file, []byte(text), 0o644))
	mount(t, file, path)
}

func replaceFolder(t *testing.T, path string) {
	t.Helper()
	mount(t, t.TempDir(), path)
}

func mount(t *testing.T, from, to string) {
	t.Helper()
	check(t, unix.Mount(from, to, "", unix.MS_BIND, ""))
	t.Cleanup(func() { check(t, unix.Unmount(to, unix.MNT_DETACH)) })
}

// edit replaces a text in a file, which must be there once, and puts the file
// back when the test ends. An empty old text stands for the whole file.
func edit(t *testing.T, path, old, text string) {
	t.Helper()
	before, err := os.ReadFile(path)
	check(t, err)
	after := text
	if old != "" {
		if strings.Count(string(before), old) != 1 {
			t.Fatalf("%s has %q %d times:\n%s", path, old, strings.Count(string(before), old), before)
		}
		after = strings.Replace(string(before), old, text, 1)
	}
	check(t, os.WriteFile(path, []byte(after), 0o644))
	t.Cleanup(func() { check(t, os.WriteFile(path, before, 0o644)) })
}

// put writes a file that is not there, and takes it away when the test ends, with
// its folder when that was not there either.
func put(t *testing.T, path, text string) {
	t.Helper()
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); err != nil {
		check(t, os.Mkdir(folder, 0o755))
		t.Cleanup(func() { check(t, os.Remove(folder)) })
	}
	check(t, os.WriteFile(path, []byte(text), 0o644))
	t.Cleanup(func() { check(t, os.Remove(path)) })
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
