package ssrf

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/gateway"
)

// body is the one manifest that everybody serves, canaries too: a gateway that
// takes it from them answers 200.
var body = []byte(`{"schemaVersion":2,"mediaType":"` + manifestType + `",` +
	`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + blobDigest + `","size":4},` +
	`"layers":[{"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar","digest":"` + blobDigest + `","size":4,` +
	`"urls":["http://127.0.0.1:` + canaryPort + `/layer","http://169.254.169.254/latest/meta-data/"]}]}`)

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
	blobDigest   = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" // of "x"
)

func bodyDigest() string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// world is the gateway and everybody around it.
type world struct {
	gateway *gateway.Gateway
	// origin and secure are the addresses of the registries without and with TLS.
	origin, secure string
	// home records what arrived at them, wild what arrived anywhere else.
	home, wild *wire
	names      *dns
	rows       map[string]row
}

// newWorld starts all servers, and a gateway with a registry for each row.
func newWorld(t *testing.T, rows []row, env ...string) *world {
	t.Helper()
	w := &world{home: &wire{}, names: serveNames(t), rows: map[string]row{}}
	w.wild = serveCanaries(t, http.HandlerFunc(w.stranger))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.origin = listener.Addr().String()
	serve(t, listener, w.home, http.HandlerFunc(w.registry))
	secure := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.home.add(r.Context().Value(http.LocalAddrContextKey).(net.Addr), dump(r))
		w.registry(rw, r)
	}))
	t.Cleanup(secure.Close)
	w.secure = strings.TrimPrefix(secure.URL, "https://")
	folder := t.TempDir()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	write(t, filepath.Join(folder, "ca.pem"), string(certificate))
	documents := map[string]string{}
	for i := range rows {
		rows[i].id = fmt.Sprintf("r%03d", i)
		w.rows[rows[i].id] = rows[i]
		documents[rows[i].id+".yaml"] = w.document(t, rows[i], folder)
	}
	w.gateway = gateway.Start(t, documents, env...)
	return w
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// document is the Registry of a row, with credentials in files.
func (w *world) document(t *testing.T, r row, folder string) string {
	t.Helper()
	user, password := filepath.Join(folder, r.id+".user"), filepath.Join(folder, r.id+".password")
	write(t, user, r.user())
	write(t, password, r.password())
	scheme, host := "http", w.origin
	if r.tls {
		scheme, host = "https", w.secure
	}
	endpoint := fmt.Sprintf("%s://%s/%s", scheme, host, r.id)
	private := !strings.Contains(r.endpoint, "://")
	if r.endpoint != "" {
		endpoint = r.endpoint + "/" + r.id
	}
	lines := []string{
		"endpoint: " + endpoint,
		fmt.Sprintf("plainHTTP: %t", !r.tls),
		fmt.Sprintf("allowPrivateAddresses: %t", private),
		"access: Shared",
		"credentials: {usernameFile: " + user + ", passwordFile: " + password + "}",
	}
	if r.tls {
		lines = append(lines, "caFile: "+filepath.Join(folder, "ca.pem"))
	}
	lines = append(lines, r.spec...)
	return "apiVersion: vouchsafe.dev/v1alpha1\nkind: Registry\nmetadata: {name: " + r.registry() + "}\nspec:\n  " + strings.Join(lines, "\n  ") + "\n"
}

// registry answers for the registry of each row: it demands the row's password,
// or a token, and does then what the row says.
func (w *world) registry(rw http.ResponseWriter, r *http.Request) {
	id, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	row, known := w.rows[id]
	if !known {
		http.NotFound(rw, r)
		return
	}
	switch {
	case row.open:
	case row.challenge != nil:
		if strings.HasPrefix(rest, "token") {
			w.token(rw, r, row)
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+row.token() {
			for _, challenge := range row.challenge(w, row) {
				rw.Header().Add("WWW-Authenticate", challenge)
			}
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
	default:
		if user, password, _ := r.BasicAuth(); user != row.user() || password != row.password() {
			rw.Header().Set("WWW-Authenticate", `Basic realm="origin"`)
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
	}
	if row.respond != nil && row.respond(w, rw, r) {
		return
	}
	content(rw, r)
}

// token is the token service of the registries themselves.
func (w *world) token(rw http.ResponseWriter, r *http.Request, row row) {
	if row.tokenTo != "" && !strings.HasSuffix(r.URL.Path, "/again") {
		http.Redirect(rw, r, row.tokenTo, http.StatusTemporaryRedirect)
		return
	}
	if _, password, _ := r.BasicAuth(); password != row.password() {
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = fmt.Fprintf(rw, `{"token":%q}`, row.token())
}

// stranger is who answers at all other addresses: with what was asked for, with
// a token, or, at /to/<base64>, with a redirect.
func (w *world) stranger(rw http.ResponseWriter, r *http.Request) {
	if encoded, found := strings.CutPrefix(r.URL.Path, "/to/"); found {
		target, _ := base64.RawURLEncoding.DecodeString(encoded)
		rw.Header().Set("Location", string(target))
		rw.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	if strings.Contains(r.URL.Path, "token") {
		_, _ = rw.Write([]byte(`{"token":"stolen"}`))
		return
	}
	content(rw, r)
}

// by is the address at the public host that redirects to target.
func by(target string) string {
	return "http://public.test:" + canaryPort + "/to/" + base64.RawURLEncoding.EncodeToString([]byte(target))
}

// content answers like a registry that has everything.
func content(rw http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case strings.Contains(path, "/blobs/"), strings.HasSuffix(path, "/blob"):
		_, _ = rw.Write([]byte("x"))
	case strings.Contains(path, "/referrers/"):
		rw.Header().Set("Content-Type", indexType)
		_, _ = rw.Write([]byte(`{"schemaVersion":2,"manifests":[]}`))
	case strings.Contains(path, "/tags/"):
		_, _ = rw.Write([]byte(`{"name":"app","tags":["t"]}`))
	case strings.HasSuffix(path, ".sig"):
		http.NotFound(rw, r)
	default:
		rw.Header().Set("Content-Type", manifestType)
		_, _ = rw.Write(body)
	}
}
