package ssrf

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// leastRows is how many rows the table has to have.
const leastRows = 60

// row is one trick. The zero value of each field is the usual: a registry on
// loopback that is asked for the manifest of a tag and answers it, for the row's
// own password.
type row struct {
	name string
	// id names the row's registry; newWorld sets it.
	id string
	// endpoint replaces the registry's address; private ones are then not
	// allowed.
	endpoint string
	// tls is true for a registry behind TLS.
	tls bool
	// open is true for a registry that asks for no password.
	open bool
	// spec are further lines of the Registry document.
	spec []string
	// challenge are the registry's challenges, instead of Basic.
	challenge func(w *world, r row) []string
	// tokenTo is where the registry's own token service redirects to.
	tokenTo string
	// respond answers what the registry is asked for; false leaves it to content.
	respond func(w *world, rw http.ResponseWriter, r *http.Request) bool
	// ask is what a client asks for: a path behind the registry's name, a whole
	// path when it begins with "/", or a whole request when it has a line feed.
	ask string
	// status is what the client has to be told, zero for anything but 200.
	status int
	// atPublic is true when the public host has to be called: whatever is there,
	// it is not given credentials.
	atPublic bool
	// homeless is true when the registry itself must not be asked.
	homeless bool
	// wanders is true when the registry may be asked outside its own path, which
	// is still its own host.
	wanders bool
	// atCanary is true where the operator named a canary's address.
	atCanary bool
	// never is what must not be in any request to the registry, nor in the answer.
	never string
	// times is how often the row is asked, zero for once.
	times int
}

func (r row) registry() string { return r.id + ".rows.test" }
func (r row) user() string     { return "user-" + r.id }
func (r row) password() string { return "password-of-" + r.id }
func (r row) token() string    { return "token-of-" + r.id }

// secrets are the row's, in every form in which they travel.
func (r row) secrets() []string {
	return []string{
		"password-of-", "token-of-", clientSecret,
		base64.StdEncoding.EncodeToString([]byte(r.user() + ":" + r.password())),
	}
}

// clientSecret is what every client sends along, and nobody may get.
const clientSecret = "credential-of-the-client"

func TestSSRF(t *testing.T) {
	needsNamespaces(t)
	rows := allRows()
	if len(rows) < leastRows {
		t.Fatalf("the table has %d rows, want %d", len(rows), leastRows)
	}
	w := newWorld(t, rows)
	runRows(t, w, rows)
	for _, host := range []string{"a." + rebinding, "b." + rebinding} {
		if got := w.names.times(host); got < 2 {
			t.Errorf("%s was resolved %d times, so it never led inside", host, got)
		}
	}
}

// TestCanariesHear shows that whoever calls an address inside is heard: without
// that, no hit would mean nothing.
func TestCanariesHear(t *testing.T) {
	needsNamespaces(t)
	serveNames(t)
	w := serveCanaries(t, http.HandlerFunc(content))
	for _, address := range []string{
		"127.0.0.1:" + canaryPort, "[::1]:" + canaryPort, "169.254.169.254:80", "10.0.0.1:" + canaryPort, "192.168.0.1:443", "100.100.100.200:80", "[fd00::1]:" + canaryPort, "[fd00:ec2::254]:80",
		"[64:ff9b::a9fe:a9fe]:80", "[2002:7f00:1::]:" + canaryPort, "[::ffff:127.0.0.1]:" + canaryPort, "0.0.0.0:" + canaryPort, publicHost + ":" + canaryPort, "public.test:" + canaryPort, "metadata.test:80",
	} {
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		// The answer is awaited: by then the connection has been accepted.
		_, _ = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
		if len(w.take()) == 0 {
			t.Errorf("%s: nobody heard", address)
		}
	}
}

func needsNamespaces(t *testing.T) {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("not root: without namespaces of our own the addresses of others would be called")
	}
}

// runRows runs them one after another: a hit belongs to the row that runs.
func runRows(t *testing.T, w *world, rows []row) {
	t.Helper()
	hits, leaks, calls := 0, 0, 0
	for _, r := range rows {
		r := w.rows[idOf(w, r.name)]
		t.Run(plain(r.name), func(t *testing.T) {
			w.home.take()
			w.wild.take()
			for range max(1, r.times) {
				w.ask(t, r)
			}
			wild := w.wild.take()
			hits += checkHits(t, r, wild)
			leaks += checkLeaks(t, r, wild, w.home.take())
			calls += len(wild)
			if t.Failed() {
				t.Logf("replay: go test -count=1 ./ssrf -run '^%s$/^%s$'", t.Name()[:strings.IndexByte(t.Name(), '/')],
					strings.ReplaceAll(regexp.QuoteMeta(t.Name()[strings.IndexByte(t.Name(), '/')+1:]), "'", "."))
			}
		})
	}
	t.Logf("ssrf: %d rows: %d hits on canaries, %d credentials on a foreign wire; %d calls of public hosts", len(rows), hits, leaks, calls)
}

func idOf(w *world, name string) string {
	for id, r := range w.rows {
		if r.name == name {
			return id
		}
	}
	return ""
}

// plain is a name that a path of tests can hold.
func plain(name string) string { return strings.ReplaceAll(name, "/", "|") }

// ownPath finds the row in what its registry was asked.
var ownPath = regexp.MustCompile(`^\w+ /(r\d+)/`)

// checkHits demands that nobody was called but public hosts.
func checkHits(t *testing.T, r row, wild []call) int {
	t.Helper()
	hits, public, canary := 0, false, false
	for _, c := range wild {
		if c.public() {
			public = true
			continue
		}
		if canary = true; r.atCanary {
			continue
		}
		hits++
		t.Errorf("a canary was called %s", c)
	}
	if r.atPublic != public {
		t.Errorf("the public host was called: %t, want %t", public, r.atPublic)
	}
	if r.atCanary && !canary {
		t.Error("the canary was not called, though it may be")
	}
	return hits
}

// checkLeaks demands that credentials arrived at the row's own registry alone.
func checkLeaks(t *testing.T, r row, wild, home []call) int {
	t.Helper()
	leaks := 0
	for _, c := range wild {
		if secret, found := carries(c, r.secrets()); found {
			leaks++
			t.Errorf("a stranger got %q %s", secret, c)
		}
	}
	for _, c := range home {
		for _, foreign := range []string{clientSecret, "Cookie:", "X-Forwarded-", "Forwarded:", "evil.test"} {
			if strings.Contains(c.text, foreign) {
				leaks++
				t.Errorf("the registry got what the client wrote, %q, %s", foreign, c)
			}
		}
		if r.never != "" && strings.Contains(c.text, r.never) {
			t.Errorf("the registry was asked for %q %s", r.never, c)
		}
		if path := ownPath.FindStringSubmatch(c.text); !r.wanders && (path == nil || path[1] != r.id) {
			t.Errorf("another registry was asked %s", c)
		}
	}
	if r.homeless && len(home) > 0 {
		t.Errorf("the registry was asked %s", home[0])
	}
	if !r.homeless && r.endpoint == "" && len(home) == 0 {
		t.Error("the registry was not asked, so the row shows nothing")
	}
	return leaks
}

// ask sends the row's request as it is written, with a client's own credentials
// and headers, and checks the answer.
func (w *world) ask(t *testing.T, r row) {
	t.Helper()
	status, text := w.send(t, w.request(r))
	switch {
	case r.status == 0 && status == http.StatusOK:
		t.Errorf("got 200, want a refusal: %.300s", text)
	case r.status > 0 && status != r.status:
		t.Errorf("got %d, want %d: %.300s", status, r.status, text)
	}
	if r.never != "" && strings.Contains(text, r.never) {
		t.Errorf("the answer has %q: %.300s", r.never, text)
	}
	for _, secret := range []string{r.password(), r.token()} {
		if strings.Contains(text, secret) {
			t.Errorf("the answer has %q: %.300s", secret, text)
		}
	}
}

// request is what is written for a row.
func (w *world) request(r row) string {
	path := r.ask
	switch {
	case strings.Contains(path, "\n"):
		return strings.NewReplacer("REGISTRY", r.registry(), "GATEWAY", w.gateway.Host).Replace(path)
	case path == "":
		path = "app/manifests/t"
	}
	path = strings.ReplaceAll(path, "REGISTRY", r.registry())
	if !strings.HasPrefix(path, "/") {
		path = "/v2/" + r.registry() + "/" + path
	}
	return get(path, "Host: "+w.gateway.Host)
}

// get is a request with a client's own credentials.
func get(target string, headers ...string) string {
	return strings.Join(append([]string{
		"GET " + target + " HTTP/1.1",
		"Authorization: Bearer " + clientSecret, "Cookie: session=" + clientSecret, "Accept: */*", "Connection: close",
	}, headers...), "\r\n") + "\r\n\r\n"
}

// send writes a request to the gateway and returns status and the whole answer.
func (w *world) send(t *testing.T, request string) (int, string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", w.gateway.Host, 5*time.Second)
	if err != nil {
		t.Fatalf("the gateway is gone: %v", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(40 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return response.StatusCode, "broken: " + err.Error()
	}
	return response.StatusCode, fmt.Sprint(response.Header) + "\n" + string(text)
}
