package ssrf

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func allRows() []row {
	return slices.Concat(redirects(), redirectChains(), otherRedirects(), resolved(), realms(), links(), clientNames(), clientRequests())
}

// insiders are spellings of addresses that nobody outside may send us to.
var insiders = []string{
	"http://127.0.0.1:" + canaryPort, "http://localhost:" + canaryPort, "http://localhost.:" + canaryPort, "http://LOCALHOST:" + canaryPort, "http://127.0.0.1.:" + canaryPort,
	"http://169.254.169.254", "http://169.254.169.254:80", "http://[::1]:" + canaryPort, "http://[0:0:0:0:0:0:0:1]:" + canaryPort, "http://[::ffff:127.0.0.1]:" + canaryPort,
	"http://[::ffff:7f00:1]:" + canaryPort, "http://[::ffff:169.254.169.254]", "http://[64:ff9b::127.0.0.1]:" + canaryPort, "http://[64:ff9b::a9fe:a9fe]", "http://[64:ff9b:1::a9fe:a9fe]",
	"http://[2002:7f00:1::]:" + canaryPort, "http://[2001:0:7f00:1::]:" + canaryPort, "http://[::127.0.0.1]:" + canaryPort, "http://0.0.0.0:" + canaryPort, "http://[::]:" + canaryPort, "http://0:" + canaryPort,
	"http://2130706433:" + canaryPort, "http://0x7f000001:" + canaryPort, "http://0177.0.0.1:" + canaryPort, "http://017700000001:" + canaryPort, "http://127.1:" + canaryPort, "http://127.0.1:" + canaryPort,
	"http://0x7f.0.0.1:" + canaryPort, "http://2852039166", "http://0xa9fea9fe", "http://10.0.0.1:" + canaryPort, "http://172.16.0.1:" + canaryPort, "http://192.168.0.1:" + canaryPort, "http://100.64.0.1:" + canaryPort,
	"http://100.100.100.200", "http://168.63.129.16", "http://[fd00::1]:" + canaryPort, "http://[fd00:ec2::254]", "http://[fe80::1]:" + canaryPort, "http://[fe80::1%25lo]:" + canaryPort, "http://[::1%25lo]:" + canaryPort,
	"http://127.0.0.1.nip.test:" + canaryPort, "http://169.254.169.254.nip.test", "http://loopback.test:" + canaryPort, "http://127.0.0.1:" + redisPort, "http://127.0.0.1", "https://127.0.0.1",
	"http://127.127.127.127:" + canaryPort, "http://224.0.0.1:" + canaryPort, "http://255.255.255.255:" + canaryPort, "http://[ff02::1]:" + canaryPort, "http://198.18.0.1:" + canaryPort, "http://１２７.0.0.1:" + canaryPort, "http://127。0。0。1:" + canaryPort,
}

// to redirects what matches part of a path.
func to(part, target string) func(*world, http.ResponseWriter, *http.Request) bool {
	return func(_ *world, rw http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, part) {
			return false
		}
		rw.Header().Set("Location", target)
		rw.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
}

// redirects lead a manifest to an address inside, in every spelling.
func redirects() []row {
	rows := []row{
		{name: "no redirect at all", status: http.StatusOK},
		{name: "a redirect to a public host", respond: to("manifests", "http://public.test:"+canaryPort+"/v2/app/manifests/t"), status: http.StatusOK, atPublic: true},
	}
	for _, host := range insiders {
		rows = append(rows, row{name: "a redirect to " + host, respond: to("manifests", host+"/v2/app/manifests/t")})
	}
	for _, target := range []string{
		"//127.0.0.1:" + canaryPort + "/x", "///127.0.0.1:" + canaryPort + "/x", `http:\\127.0.0.1:` + canaryPort + `\x`, `/\127.0.0.1:` + canaryPort + "/x", "http:127.0.0.1:" + canaryPort, "http:/127.0.0.1:" + canaryPort + "/x",
		"HTTP://127.0.0.1:" + canaryPort + "/x", "http://public.test@127.0.0.1:" + canaryPort + "/x", "http://user:password@public.test:" + canaryPort + "/x", "http://127.0.0.1:" + canaryPort + "#@public.test/x", `http://127.0.0.1:` + canaryPort + `\@public.test/x`,
		"http://127.0.0.1:0" + canaryPort + "/x", "http://127.0.0.1:+" + canaryPort + "/x", "http://127.0.0.1:" + canaryPort + ":80/x", "file:///etc/passwd", "gopher://127.0.0.1:" + redisPort + "/_INFO", "ftp://127.0.0.1:" + canaryPort + "/x",
		"unix:///var/run/docker.sock", "data:application/json,{}", "javascript:1", "http://", "http://:" + canaryPort + "/x", "http://[::1/x", "http://%31%32%37.0.0.1:" + canaryPort + "/x", "http://127.0.0.1%2f@public.test:" + canaryPort + "/x", "\thttp://127.0.0.1:" + canaryPort + "/x",
		"http://public.test:" + canaryPort + "\t@127.0.0.1/x", "",
	} {
		rows = append(rows, row{name: fmt.Sprintf("a redirect written %q", target), respond: func(w *world, rw http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/app/manifests/t") || strings.Contains(r.URL.Path, "127.0.0.1") {
				rw.WriteHeader(http.StatusNotFound)
				return true
			}
			return to("manifests", target)(w, rw, r)
			// These are paths at the registry's own host.
		}, wanders: strings.HasPrefix(target, "///") || strings.HasPrefix(target, `/\`)})
	}
	return rows
}

// redirectChains lead on behind the first hop.
func redirectChains() []row {
	hops := func(n int) func(*world, http.ResponseWriter, *http.Request) bool {
		return func(w *world, rw http.ResponseWriter, r *http.Request) bool {
			at := 0
			_, _ = fmt.Sscanf(r.URL.RawQuery, "hop=%d", &at)
			if at == n {
				return false
			}
			rw.Header().Set("Location", fmt.Sprintf("%s?hop=%d", r.URL.Path, at+1))
			rw.WriteHeader(http.StatusFound)
			return true
		}
	}
	home := func(w *world, rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.RawQuery == "back" {
			return false
		}
		return to("manifests", by("http://"+w.origin+r.URL.Path+"?back"))(w, rw, r)
	}
	return []row{
		{name: "five hops at the registry", respond: hops(5), status: http.StatusOK},
		{name: "six hops at the registry", respond: hops(6)},
		{name: "a loop", respond: func(w *world, rw http.ResponseWriter, r *http.Request) bool {
			return to("manifests", r.URL.Path)(w, rw, r)
		}},
		{name: "from a public host to loopback", respond: to("manifests", by("http://127.0.0.1:"+canaryPort+"/x")), atPublic: true},
		{name: "from a public host to a metadata service", respond: to("manifests", by("http://169.254.169.254/latest/meta-data/")), atPublic: true},
		{name: "from a public host to another port of the registry's host", respond: to("manifests", by("http://127.0.0.1:"+redisPort+"/x")), atPublic: true},
		// The registry asks for its password again, and is not told.
		{name: "from a public host back to the registry", respond: home, atPublic: true},
		{name: "six hops at public hosts", respond: to("manifests", by(by(by(by(by(by("http://127.0.0.1:"+canaryPort+"/x"))))))), atPublic: true},
		{name: "from TLS to none", tls: true, respond: to("manifests", "http://public.test:"+canaryPort+"/x")},
		{name: "from TLS to none at loopback", tls: true, respond: to("manifests", "http://127.0.0.1:"+canaryPort+"/x")},
		{name: "TLS without redirect", tls: true, status: http.StatusOK},
		{name: "from TLS to another port with TLS", tls: true, respond: to("manifests", "https://127.0.0.1:"+tlsPort+"/x")},
		{name: "two targets", respond: func(_ *world, rw http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "manifests") {
				return false
			}
			rw.Header()["Location"] = []string{"http://public.test:" + canaryPort + "/x", "http://127.0.0.1:" + canaryPort + "/x"}
			rw.WriteHeader(http.StatusFound)
			return true
		}},
		{name: "Refresh instead of Location", respond: func(_ *world, rw http.ResponseWriter, _ *http.Request) bool {
			rw.Header().Set("Refresh", "0; url=http://127.0.0.1:"+canaryPort+"/x")
			rw.WriteHeader(http.StatusServiceUnavailable)
			return true
		}},
		{name: "a body that redirects", respond: func(_ *world, rw http.ResponseWriter, _ *http.Request) bool {
			_, _ = rw.Write([]byte(`<meta http-equiv="refresh" content="0;url=http://127.0.0.1:` + canaryPort + `/x">`))
			return true
		}},
		{name: "an alternative service", respond: func(_ *world, rw http.ResponseWriter, _ *http.Request) bool {
			rw.Header().Set("Alt-Svc", `h2="127.0.0.1:`+canaryPort+`"; ma=3600`)
			return false
		}, status: http.StatusOK, times: 2},
		{name: "a cookie", respond: func(_ *world, rw http.ResponseWriter, _ *http.Request) bool {
			rw.Header().Set("Set-Cookie", "session=of-the-registry; Domain=test")
			return false
		}, status: http.StatusOK, times: 2},
	}
}

// otherRedirects are those of everything that is no manifest by tag.
func otherRedirects() []row {
	var rows []row
	for what, ask := range map[string]string{
		"blobs": "app/blobs/" + blobDigest, "manifests": "app/manifests/" + bodyDigest(), "referrers": "app/referrers/" + bodyDigest(), "tags": "app/tags/list",
	} {
		for _, target := range []string{"http://127.0.0.1:" + canaryPort, "http://169.254.169.254", "http://[::ffff:127.0.0.1]:" + canaryPort, "http://2130706433:" + canaryPort, "//localhost:" + canaryPort} {
			rows = append(rows, row{name: fmt.Sprintf("%s redirected to %s", what, target), ask: ask, respond: to("/"+what, target+"/blob")})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.name, b.name) })
	return append(rows,
		row{name: "a blob redirected to a public host", ask: "app/blobs/sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", respond: to("/blobs/", "http://public.test:"+canaryPort+"/blob"), status: http.StatusOK, atPublic: true},
		row{name: "a signature redirected to loopback", respond: to(".sig", "http://127.0.0.1:"+canaryPort+"/x"), status: http.StatusOK},
		row{name: "a layer elsewhere, by its urls", ask: "app/manifests/t", status: http.StatusOK},
		row{name: "a redirect to a private host that is named", spec: []string{`redirectHosts: ["127.0.0.1:` + canaryPort + `"]`}, respond: to("manifests", "http://127.0.0.1:"+canaryPort+"/v2/app/manifests/t"), status: http.StatusOK, atCanary: true},
		row{name: "a redirect to a host that is named, though another port", spec: []string{`redirectHosts: ["127.0.0.1:1234"]`}, respond: to("manifests", "http://127.0.0.1:"+canaryPort+"/x")},
		row{name: "a link-local host that is named", spec: []string{`redirectHosts: ["169.254.169.254:80"]`}, respond: to("manifests", "http://169.254.169.254/x")},
	)
}

// resolved are registries, and targets of redirects, whose name leads inside.
func resolved() []row {
	rows := []row{
		{name: "a registry at a public host", open: true, endpoint: "http://public.test:" + canaryPort, status: http.StatusOK, atPublic: true},
		// The first answer is public and is called, and nothing is kept of that.
		{name: "a registry that rebinds", open: true, endpoint: "http://a." + rebinding + ":" + canaryPort, times: 3, atPublic: true, status: anyStatus, ask: "app/tags/list"},
		{name: "a redirect to a host that rebinds", respond: to("tags", "http://b."+rebinding+":"+canaryPort+"/v2/app/tags/list"), times: 3, atPublic: true, status: anyStatus, ask: "app/tags/list"},
	}
	var hosts []string
	for name := range names {
		if name != "public.test" {
			hosts = append(hosts, name)
		}
	}
	slices.Sort(hosts)
	for _, name := range hosts {
		rows = append(rows,
			row{name: "a registry at " + name, open: true, endpoint: "http://" + name + ":" + canaryPort},
			row{name: "a redirect to " + name, respond: to("manifests", "http://"+name+":"+canaryPort+"/x")},
		)
	}
	return rows
}
