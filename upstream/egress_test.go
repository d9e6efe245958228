package upstream_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

const proxySecret = "canary-proxy"

// forwardProxy is a real forward proxy: CONNECT and absolute URLs. Whatever it is
// asked for it reaches at target, since the names of these tests are nobody's.
func forwardProxy(t *testing.T, tls bool, target string) *server {
	t.Helper()
	start := serve
	if tls {
		start = serveTLS
	}
	return start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			forward(t, w, r, target)
			return
		}
		there, err := net.Dial("tcp", target)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		here, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
		_, _ = io.Copy(here, there)
		_ = here.Close()
	})
}

func forward(t *testing.T, w http.ResponseWriter, r *http.Request, target string) {
	if !strings.HasPrefix(r.RequestURI, "http://registry.example.com") {
		t.Errorf("the proxy got %q, want an absolute URL", r.RequestURI)
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+target+r.URL.RequestURI(), nil)
	if err != nil {
		t.Error(err)
		return
	}
	out.Header = r.Header.Clone()
	out.Header.Del("Proxy-Authorization")
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// egress goes by proxy with a user.
func egress(t *testing.T, proxy *server, more ...string) *upstream.Egress {
	t.Helper()
	scheme, host, _ := strings.Cut(proxy.URL, "://")
	e, err := upstream.NewEgress(append([]string{
		fmt.Sprintf("HTTPS_PROXY=%s://robot:%s@%s", scheme, proxySecret, host),
		fmt.Sprintf("http_proxy=%s://robot:%s@%s", scheme, proxySecret, host),
	}, more...))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// behind opens a client for registry.example.com, which resolves to addresses,
// by e.
func behind(t *testing.T, spec upstream.Spec, read upstream.Files, e *upstream.Egress, addresses ...string) (*upstream.Client, oci.Reference) {
	t.Helper()
	const name = "registry.example.com"
	registry, err := upstream.NewRegistry(name, spec, read)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	registry.SetResolver(stubResolver(t, addresses))
	t.Cleanup(registry.Close)
	return clientOf(registry, upstream.Config{Egress: e}), reference(name)
}

func TestEgressProxy(t *testing.T) {
	wantUser := "Basic " + base64.StdEncoding.EncodeToString([]byte("robot:"+proxySecret))
	for _, plain := range []bool{false, true} {
		for _, tlsProxy := range []bool{false, true} {
			t.Run(fmt.Sprintf("registry without TLS %v, proxy with TLS %v", plain, tlsProxy), func(t *testing.T) {
				g := &gate{}
				g.set(basicValue(), "Basic realm=x")
				handle := func(w http.ResponseWriter, r *http.Request) {
					if g.pass(w, r) {
						good(w, r)
					}
				}
				s, start := (*server)(nil), serveTLS
				if plain {
					start = serve
				}
				s = start(t, handle)
				proxy := forwardProxy(t, tlsProxy, s.host())
				spec := upstream.Spec{
					PlainHTTP: plain, CAFile: "ca.pem", Access: "Shared",
					Credentials: &upstream.CredentialsSpec{UsernameFile: "user", PasswordFile: "password"},
				}
				// All servers of package httptest have one certificate.
				ca := serveTLS(t, good).certificate()
				read := files(map[string]string{"ca.pem": ca, "user": secretUser, "password": secretPassword})
				client, ref := behind(t, spec, read, egress(t, proxy), "93.184.216.34")
				for range 2 {
					if _, err := client.GetManifest(t.Context(), ref); err != nil {
						t.Fatal(err)
					}
				}
				asked := proxy.take()
				// Each request without TLS; with it each connection, and there may be
				// a new one for each request.
				if len(asked) == 0 || len(asked) > 3 || plain && len(asked) != 3 {
					t.Errorf("the proxy got %d requests", len(asked))
				}
				for _, entry := range asked {
					if entry.header.Get("Proxy-Authorization") != wantUser {
						t.Errorf("%s: without the proxy's user", entry.line)
					}
					if !plain && entry.authorization != "" {
						t.Error("the registry's credentials went to the proxy in clear")
					}
				}
				for _, entry := range s.take() {
					if entry.header.Get("Proxy-Authorization") != "" {
						t.Error("the proxy's user went to the registry")
					}
				}
			})
		}
	}
}

func TestBehindAProxyTheTargetIsJudged(t *testing.T) {
	for _, row := range []struct {
		name      string
		endpoint  string
		plain     bool
		private   bool
		addresses []string
		reason    string
	}{
		{"a private address", "", false, false, []string{"10.0.0.1"}, "address_refused"},
		{"a private address without TLS", "", true, false, []string{"10.0.0.1"}, "address_refused"},
		{"the metadata service", "", false, true, []string{"169.254.169.254"}, "address_refused"},
		{"a mapped loopback address", "", false, false, []string{"::ffff:127.0.0.1"}, "address_refused"},
		{"a literal private address", "https://10.0.0.1", false, false, []string{"93.184.216.34"}, "address_refused"},
		{"a literal of the metadata service", "http://169.254.169.254", true, true, []string{"93.184.216.34"}, "address_refused"},
		{"a literal of version 6", "https://[fd00:ec2::254]", false, true, []string{"93.184.216.34"}, "address_refused"},
		{"a literal behind NAT64", "https://[64:ff9b::a9fe:a9fe]", false, true, []string{"93.184.216.34"}, "address_refused"},
		{"a number that some read as loopback", "https://2130706433", false, true, []string{"93.184.216.34"}, "address_refused"},
		{"a short form of loopback", "http://127.1", true, true, []string{"93.184.216.34"}, "address_refused"},
		{"hexadecimal", "http://0x7f.0x1", true, true, []string{"93.184.216.34"}, "address_refused"},
		{"a name that nobody knows", "", false, false, []string{"none"}, "resolve"},
		{"a name that nobody knows, without TLS", "", true, false, []string{"none"}, "resolve"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, good)
			proxy := forwardProxy(t, false, s.host())
			spec := upstream.Spec{Endpoint: row.endpoint, PlainHTTP: row.plain, AllowPrivateAddresses: row.private}
			client, ref := behind(t, spec, nil, egress(t, proxy), row.addresses...)
			_, err := client.GetManifest(t.Context(), ref)
			wantCode(t, err, oci.CodeUpstream, row.reason)
			if row.reason == "resolve" && !strings.Contains(wireMessage(err), "NO_PROXY") {
				t.Errorf("got %q, want a word about NO_PROXY", wireMessage(err))
			}
			if got := proxy.lines(); len(got) != 0 {
				t.Errorf("the proxy was asked: %v", got)
			}
		})
	}
}

func TestBehindAProxyThePrivateRegistryThatIsAllowedIsReached(t *testing.T) {
	s := serve(t, good)
	proxy := forwardProxy(t, false, s.host())
	client, ref := behind(t, upstream.Spec{PlainHTTP: true, AllowPrivateAddresses: true}, nil, egress(t, proxy), "10.0.0.1")
	if _, err := client.GetManifest(t.Context(), ref); err != nil {
		t.Error(err)
	}
}

// A registry that sends to the proxy's own address, which is asked directly, must
// not reach it: only a request through the proxy may be dialled there unjudged.
func TestTheProxyIsNoWayForRedirects(t *testing.T) {
	var proxy *server
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://"+proxy.host()+"/v2/")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	proxy = forwardProxy(t, false, s.host())
	client, ref := behind(t, upstream.Spec{PlainHTTP: true}, nil, egress(t, proxy), "93.184.216.34")
	_, err := client.GetManifest(t.Context(), ref)
	wantCode(t, err, oci.CodeUpstream, "address_refused")
	if got := proxy.lines(); len(got) != 1 {
		t.Errorf("the proxy got %v, want the first request alone", got)
	}
}

func TestNoProxyIsDirect(t *testing.T) {
	s := serve(t, good)
	_, port, _ := net.SplitHostPort(s.host())
	proxy := forwardProxy(t, false, s.host())
	spec := upstream.Spec{Endpoint: "http://registry.example.com:" + port, PlainHTTP: true, AllowPrivateAddresses: true}
	client, ref := behind(t, spec, nil, egress(t, proxy, "NO_PROXY=.example.com"), "127.0.0.1")
	if _, err := client.GetManifest(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if got := proxy.lines(); len(got) != 0 {
		t.Errorf("the proxy was asked: %v", got)
	}
}

func TestProxyFaults(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	for _, row := range []struct {
		name     string
		handle   http.HandlerFunc
		requests int
		code     oci.Code
		reason   string
	}{
		{"it wants another user", status(407, ""), 1, oci.CodeUpstream, "egress_proxy"},
		{"it forbids the target", status(403, ""), 1, oci.CodeUpstream, "egress_proxy"},
		{"it does not reach the target", status(502, ""), 3, oci.CodeUpstream, "egress_proxy"},
		{"it never answers", func(_ http.ResponseWriter, r *http.Request) { wait(r, hold) }, 1, oci.CodeTimeout, "header"},
		{"it ends the connection", reset, 3, oci.CodeUpstream, "connect"},
	} {
		t.Run(row.name, func(t *testing.T) {
			proxy := serve(t, row.handle)
			spec := upstream.Spec{Timeouts: &upstream.TimeoutsSpec{Connect: short(200 * time.Millisecond), Header: short(100 * time.Millisecond)}}
			client, ref := behind(t, spec, nil, egress(t, proxy), "93.184.216.34")
			_, err := client.GetManifest(t.Context(), ref)
			wantCode(t, err, row.code, row.reason)
			if got := len(proxy.take()); got != row.requests {
				t.Errorf("got %d requests, want %d", got, row.requests)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %s", err, err, wireMessage(err)), proxySecret) {
				t.Errorf("the error tells the proxy's password: %v", err)
			}
		})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	e, err := upstream.NewEgress([]string{"HTTPS_PROXY=http://robot:" + proxySecret + "@" + listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	client, ref := behind(t, upstream.Spec{}, nil, e, "93.184.216.34")
	_, err = client.GetManifest(t.Context(), ref)
	wantCode(t, err, oci.CodeUpstream, "connect")
	if strings.Contains(err.Error(), proxySecret) {
		t.Errorf("the error tells the proxy's password: %v", err)
	}
}

func TestNewEgress(t *testing.T) {
	for _, row := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"nothing", nil, "no egress proxy"},
		{"only NO_PROXY", []string{"NO_PROXY=x"}, "no egress proxy"},
		{"empty", []string{"HTTPS_PROXY=", "HTTP_PROXY="}, "no egress proxy"},
		{"https alone", []string{"HTTPS_PROXY=http://p.example.com:3128"}, "https by http://p.example.com:3128, http directly"},
		{"lower case", []string{"http_proxy=p.example.com:3128"}, "https directly, http by http://p.example.com:3128"},
		{"upper case wins", []string{"https_proxy=http://b", "HTTPS_PROXY=http://a"}, "https by http://a:80, http directly"},
		{"the first of two wins", []string{"HTTPS_PROXY=http://a", "HTTPS_PROXY=http://b"}, "https by http://a:80, http directly"},
		{"a user is not told", []string{"HTTPS_PROXY=https://u:" + proxySecret + "@p/"}, "https by https://p:443, http directly"},
	} {
		e, err := upstream.NewEgress(row.environ)
		if err != nil || e.String() != row.want {
			t.Errorf("%s: got %v, %v, want %s", row.name, e, err, row.want)
		}
	}
	for _, value := range []string{
		"socks5://u:canary-proxy@p:1080", "socks5h://p", "ftp://u:canary-proxy@p", "://canary-proxy", "http://", "http://u:canary-proxy@p:99999",
		"http://u:canary-proxy@p/path", "http://p?canary-proxy", "http://u:canary-proxy@p:", "http://pröxy:1", "u:canary-proxy%zz@p",
	} {
		for _, name := range []string{"HTTPS_PROXY", "http_proxy"} {
			_, err := upstream.NewEgress([]string{name + "=" + value})
			if err == nil || strings.Contains(err.Error(), proxySecret) || !strings.HasPrefix(err.Error(), name) {
				t.Errorf("%s=%s: got %v", name, value, err)
			}
			if strings.HasPrefix(value, "socks") && !strings.Contains(fmt.Sprint(err), "not supported") {
				t.Errorf("%s: got %v, want not supported", value, err)
			}
		}
	}
}

func TestEgressPrintsNoSecret(t *testing.T) {
	e, err := upstream.NewEgress([]string{"HTTPS_PROXY=http://robot:" + proxySecret + "@p:1"})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "egress", e)
	asJSON, err := json.Marshal(struct{ E *upstream.Egress }{e})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(e), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e), fmt.Sprintf("%q", e), fmt.Sprintf("%x", e),
		fmt.Sprintf("%+v", upstream.Config{Egress: e}), log.String(), string(asJSON), fmt.Sprint(errors.New(e.String())),
	} {
		if strings.Contains(text, proxySecret) || strings.Contains(text, "robot") {
			t.Errorf("tells the secret: %s", text)
		}
	}
}

func TestEgressLeavesTheCallersContextAlone(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	arrived := make(chan struct{}, 1)
	proxy := serve(t, func(_ http.ResponseWriter, r *http.Request) { arrived <- struct{}{}; wait(r, hold) })
	client, ref := behind(t, upstream.Spec{}, nil, egress(t, proxy), "93.184.216.34")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := client.GetManifest(ctx, ref)
	if !errors.Is(err, context.Canceled) || oci.CodeOf(err) != oci.CodeInternal {
		t.Errorf("got %v, want a cancelled context", err)
	}
}
