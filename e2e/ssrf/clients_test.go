package ssrf

import (
	"net/http"
	"strings"
)

// anyStatus is for rows of which only calls and credentials matter.
const anyStatus = -1

// hostileNames are registries as a client may write them.
var hostileNames = []string{
	"169.254.169.254", "169.254.169.254_80", "169.254.169.254:80", "localhost", "localhost:6379", "localhost_6379", "127.0.0.1:" + canaryPort, "127.0.0.1_" + canaryPort, "[::1]:80", "[::1]", "::1", "127.0.0.1.nip.test_" + canaryPort, "loopback.test_" + canaryPort,
	"metadata.test", "metadata.google.internal", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0.0.0.0_" + canaryPort, "[::ffff:127.0.0.1]_80", "[64:ff9b::7f00:1]", "[fe80::1%25lo]", "[fd00::1]_" + canaryPort, "10.0.0.1", "public.test_" + canaryPort,
	"REGISTRY@127.0.0.1_" + canaryPort, "user:password@REGISTRY", "REGISTRY:81", "REGISTRY_81", "REGISTRY.", "REGISTRY%2f..%2fx", "..", "%2e%2e", "http:", "http:%2f%2f127.0.0.1:" + canaryPort, "REGISTRY#x", "REGISTRY%00", "REGISTRY%0d%0aHost:evil.test",
}

// clientNames are names in paths and in ns that no Registry document has.
func clientNames() []row {
	var rows []row
	for _, name := range hostileNames {
		rows = append(rows,
			row{name: "the name " + name, ask: "/v2/" + name + "/x/manifests/t", homeless: true},
			row{name: "the namespace " + name, ask: "/v2/x/manifests/t?ns=" + strings.ReplaceAll(name, "#", "%23"), homeless: true},
		)
	}
	// The port of the scheme is no other name.
	rows = append(rows, row{name: "the name with its usual port", ask: "/v2/REGISTRY_80/x/manifests/t", status: http.StatusOK})
	for _, path := range []string{
		"/v2/REGISTRY/../../x/manifests/t", "/v2/REGISTRY/app/manifests/..%2f..%2fx", "/v2/REGISTRY/app/manifests/sha256:../../../../x", "/v2/REGISTRY/app/blobs/sha256:" + strings.Repeat("../", 21) + "x", "/v2/REGISTRY/app/blobs/http://127.0.0.1:" + canaryPort + "/x",
		"/v2/REGISTRY/app/manifests/@127.0.0.1:" + canaryPort, "/v2/REGISTRY//127.0.0.1:" + canaryPort + "/manifests/t", "/v2/REGISTRY/app;x/manifests/t", `/v2/REGISTRY\app/manifests/t`, "/v2/http://127.0.0.1:" + canaryPort + "/manifests/t", "/v2/REGISTRY/app/referrers/sha256:..",
		"/v2/REGISTRY/a@127.0.0.1:" + canaryPort + "/b/manifests/t", "/v2/app/manifests/t?ns=REGISTRY&ns=127.0.0.1", "/v2/app/manifests/t?ns=REGISTRY%40127.0.0.1", "/v2/app/manifests/t?ns=//127.0.0.1:" + canaryPort, "/v2/app/manifests/t?ns=http://127.0.0.1:" + canaryPort,
		"/latest/meta-data/", "/v1/_catalog", "/v2/_catalog?ns=127.0.0.1:" + canaryPort, "/http://127.0.0.1:" + canaryPort + "/", "//127.0.0.1:" + canaryPort + "/v2/",
	} {
		rows = append(rows, row{name: "the path " + path, ask: path, homeless: true})
	}
	return rows
}

// clientRequests are requests whose line or headers name somebody else.
func clientRequests() []row {
	const path = "/v2/REGISTRY/app/manifests/t"
	host := "Host: GATEWAY"
	rows := []row{
		{name: "an absolute target at a metadata service", ask: get("http://169.254.169.254/latest/meta-data/", host), homeless: true},
		{name: "an absolute target at loopback", ask: get("http://127.0.0.1:"+canaryPort+"/v2/x/manifests/t", host), homeless: true},
		{name: "an absolute target elsewhere with our path", ask: get("http://evil.test"+path, host), status: anyStatus, homeless: false},
		{name: "CONNECT", ask: strings.Replace(get("127.0.0.1:"+canaryPort, "Host: 127.0.0.1:"+canaryPort), "GET", "CONNECT", 1), homeless: true},
		{name: "a push", ask: strings.Replace(get("/v2/REGISTRY/app/blobs/uploads/?mount=x&from=127.0.0.1:"+canaryPort, host, "Content-Length: 0"), "GET", "POST", 1), homeless: true},
		{name: "a delete", ask: strings.Replace(get(path, host), "GET", "DELETE", 1), homeless: true},
	}
	for _, header := range []string{
		"Host: 127.0.0.1:" + canaryPort, "Host: evil.test", "Host: 169.254.169.254", "Host: [::1]:" + canaryPort,
	} {
		rows = append(rows, row{name: header, ask: get(path, header), status: http.StatusOK})
	}
	for _, header := range []string{
		"X-Forwarded-Host: evil.test", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Server: evil.test", "Forwarded: for=127.0.0.1;host=evil.test", "X-Original-URL: http://evil.test/", "X-Rewrite-URL: /evil.test", "X-Real-IP: 127.0.0.1",
		"X-Host: evil.test", "Proxy-Authorization: Basic " + clientSecret, "Proxy-Connection: evil.test", "Origin: http://evil.test", "Referer: http://evil.test/", "X-Registry-Auth: " + clientSecret, "X-Registry-Config: " + clientSecret,
		"Destination: http://evil.test/", "Upgrade: h2c", "Via: 1.1 evil.test", "X-HTTP-Method-Override: DELETE", "User-Agent: evil.test", "X-Request-Id: evil.test", "If-None-Match: evil.test", "Accept-Encoding: evil.test", "Traceparent: 00-evil.test", "Accept: evil.test",
	} {
		rows = append(rows, row{name: "the header " + header, ask: get(path, host, header), status: http.StatusOK})
	}
	return rows
}
