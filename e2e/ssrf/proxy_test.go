package ssrf

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestSSRFBehindAProxy has an egress proxy that connects to whatever it is asked
// for: what it must not be asked for is judged before.
func TestSSRFBehindAProxy(t *testing.T) {
	needsNamespaces(t)
	asked := &wire{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, listener, asked, http.HandlerFunc(egress))
	at := "http://" + listener.Addr().String()
	rows := []row{
		{name: "a redirect to a public host", respond: to("manifests", "http://public.test:"+canaryPort+"/v2/app/manifests/t"), status: http.StatusOK, atPublic: true},
		{name: "a public registry", endpoint: "http://public.test:" + canaryPort, open: true, status: http.StatusOK, atPublic: true},
		{name: "a redirect to the proxy itself", respond: to("manifests", at+"/v2/app/manifests/t")},
		{name: "a redirect with TLS to a metadata service", respond: to("manifests", "https://169.254.169.254/x")},
		{name: "a redirect with TLS to a private name", respond: to("manifests", "https://ten.test/x")},
		{name: "a registry at a private name", endpoint: "http://ten.test:" + canaryPort, open: true},
		{name: "a realm at a metadata service", challenge: func(*world, row) []string { return []string{`Bearer realm="http://169.254.169.254/token"`} }},
		{name: "a blob redirected to a private name", ask: "app/blobs/" + blobDigest, respond: to("/blobs/", "http://unique.test:"+canaryPort+"/blob")},
	}
	for _, host := range []string{
		"169.254.169.254", "metadata.test", "metadata6.test", "10.0.0.1:" + canaryPort, "ten.test:" + canaryPort, "mapped.test:" + canaryPort, "mappedmeta.test", "nat64meta.test", "zero.test:" + canaryPort, "mixed.test:" + canaryPort,
		"2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "10.1:" + canaryPort, "[fd00::1]:" + canaryPort, "[::ffff:10.0.0.1]:" + canaryPort, "[64:ff9b::a9fe:a9fe]", "loopback.test:" + canaryPort, "nowhere.test:" + canaryPort,
	} {
		rows = append(rows, row{name: "a redirect to " + host, respond: to("manifests", "http://"+host+"/v2/app/manifests/t")})
	}
	w := newWorld(t, rows, "HTTP_PROXY="+at, "HTTPS_PROXY="+at)
	runRows(t, w, rows)
	calls := asked.take()
	if len(calls) == 0 {
		t.Error("the proxy was not asked for anything, so the rows show nothing")
	}
	for _, c := range calls {
		if _, target, _ := strings.Cut(c.text, " "); !strings.HasPrefix(target, "http://public.test:"+canaryPort+"/") {
			t.Errorf("the proxy was asked for another than the public host %s", c)
		}
		if secret, found := carries(c, row{}.secrets()); found {
			t.Errorf("the proxy got %q %s", secret, c)
		}
	}
}

// egress is a proxy that forwards every request, and connects to every host.
func egress(rw http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		if conn, err := net.Dial("tcp", r.Host); err == nil {
			_ = conn.Close()
		}
		rw.WriteHeader(http.StatusBadGateway)
		return
	}
	r.RequestURI = ""
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		rw.WriteHeader(http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	rw.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	rw.WriteHeader(response.StatusCode)
	_, _ = io.Copy(rw, response.Body)
}
