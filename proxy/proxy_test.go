package proxy_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/proxy"
)

const nginx = "docker.io/library/nginx"

// The contract: what a client asks, what it is told, and what was asked behind
// the handler. An extra question fails.
func TestContract(t *testing.T) {
	digest, blob := manifestDigest.String(), blobDigest.String()
	tests := map[string]struct {
		method, target string
		headers        []string
		status         int
		body           string
		want           map[string]string
		calls          string
	}{
		"the version check": {
			method: "GET", target: "/v2/", status: 200, body: "{}",
			want: map[string]string{"Content-Type": "application/json", "Docker-Distribution-API-Version": "registry/2.0", "X-Content-Type-Options": "nosniff"},
		},
		"the version check as HEAD": {
			method: "HEAD", target: "/v2/", status: 200, want: map[string]string{"Content-Length": "2"},
		},
		"a manifest by tag": {
			method: "GET", target: "/v2/docker.io/nginx/manifests/1.27", status: 200, body: string(manifestBytes),
			want: map[string]string{
				"Content-Type": oci.MediaTypeImageManifest, "Docker-Content-Digest": digest, "ETag": `"` + digest + `"`,
				"Content-Length": "19", "Vouchsafe-Decision": "01D Allow", "Age": "", "Content-Encoding": "",
			},
			calls: "resolve " + nginx + ":1.27, decide GET " + nginx + ":1.27",
		},
		"a manifest as HEAD takes the same path": {
			method: "HEAD", target: "/v2/nginx/manifests/1.27?ns=docker.io", status: 200,
			want: map[string]string{
				"Content-Type": oci.MediaTypeImageManifest, "Docker-Content-Digest": digest, "ETag": `"` + digest + `"`,
				"Content-Length": "19", "Vouchsafe-Decision": "01D Allow",
			},
			calls: "resolve " + nginx + ":1.27, decide HEAD " + nginx + ":1.27",
		},
		"a manifest that the client has": {
			method: "GET", target: "/v2/nginx/manifests/1.27", headers: []string{"If-None-Match", `"other", W/"` + digest + `"`}, status: 304,
			want:  map[string]string{"Docker-Content-Digest": digest, "Vouchsafe-Decision": "01D Allow"},
			calls: "resolve " + nginx + ":1.27, decide GET " + nginx + ":1.27",
		},
		"a manifest that the client has another of": {
			method: "GET", target: "/v2/nginx/manifests/1.27", headers: []string{"If-None-Match", `"other"`}, status: 200, body: string(manifestBytes),
			calls: "resolve " + nginx + ":1.27, decide GET " + nginx + ":1.27",
		},
		"a client that would take it compressed gets it plain": {
			method: "GET", target: "/v2/nginx/manifests/1.27", headers: []string{"Accept-Encoding", "gzip, zstd"}, status: 200, body: string(manifestBytes),
			want:  map[string]string{"Content-Encoding": ""},
			calls: "resolve " + nginx + ":1.27, decide GET " + nginx + ":1.27",
		},
		"a blob": {
			method: "GET", target: "/v2/nginx/blobs/" + blob, status: 200, body: "0123456789",
			want: map[string]string{
				"Content-Type": "application/octet-stream", "Docker-Content-Digest": blob, "Content-Length": "10",
				"Accept-Ranges": "bytes", "ETag": `"` + blob + `"`, "Vouchsafe-Decision": "01D Allow", "Content-Encoding": "",
			},
			calls: "blob GET " + nginx + "@" + blob + ", open " + nginx + "@" + blobDigest.Short() + " ",
		},
		"a blob as HEAD": {
			method: "HEAD", target: "/v2/nginx/blobs/" + blob, status: 200,
			want:  map[string]string{"Content-Length": "10", "Accept-Ranges": "bytes", "Docker-Content-Digest": blob},
			calls: "blob HEAD " + nginx + "@" + blob + ", head " + nginx + "@" + blobDigest.Short(),
		},
		"a blob that the client has": {
			method: "GET", target: "/v2/nginx/blobs/" + blob, headers: []string{"If-None-Match", `*`}, status: 304,
			calls: "blob GET " + nginx + "@" + blob,
		},
		"tags in path form": {
			method: "GET", target: "/v2/docker.io/nginx/tags/list?n=2&last=0.9", status: 200, body: `{"name":"docker.io/nginx","tags":["1.0","1.1"]}`,
			want:  map[string]string{"Content-Type": "application/json", "Link": `</v2/docker.io/nginx/tags/list?last=1.1&n=2>; rel="next"`},
			calls: "tags " + nginx + " n=2 last=0.9",
		},
		"tags in mirror form": {
			method: "GET", target: "/v2/nginx/tags/list?ns=docker.io", status: 200, body: `{"name":"nginx","tags":["1.0","1.1"]}`,
			want:  map[string]string{"Link": `</v2/nginx/tags/list?last=1.1&ns=docker.io>; rel="next"`},
			calls: "tags " + nginx + " n=0 last=",
		},
		"a page of tags is never larger than the largest": {
			method: "GET", target: "/v2/nginx/tags/list?n=9223372036854775807", status: 200, body: `{"name":"nginx","tags":["1.0","1.1"]}`,
			want:  map[string]string{"Link": `</v2/nginx/tags/list?last=1.1&n=1000>; rel="next"`},
			calls: "tags " + nginx + " n=1000 last=",
		},
		"a page of no tags": {
			method: "GET", target: "/v2/nginx/tags/list?n=0", status: 200, body: `{"name":"nginx","tags":[]}`, want: map[string]string{"Link": ""},
		},
		"referrers": {
			method: "GET", target: "/v2/nginx/referrers/" + digest, status: 200, body: `{"schemaVersion":2,"manifests":[]}`,
			want:  map[string]string{"Content-Type": oci.MediaTypeImageIndex, "OCI-Filters-Applied": ""},
			calls: "referrers " + nginx + "@" + manifestDigest.Short() + " ",
		},
		"referrers of a kind": {
			method: "GET", target: "/v2/nginx/referrers/" + digest + "?artifactType=application/x", status: 200, body: `{"schemaVersion":2,"manifests":[]}`,
			want:  map[string]string{"OCI-Filters-Applied": "artifactType"},
			calls: "referrers " + nginx + "@" + manifestDigest.Short() + " application/x",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			got := w.do(t, test.method, test.target, test.headers...)
			if got.status != test.status || got.body != test.body || got.broken {
				t.Errorf("got %d %q (broken %t), want %d %q", got.status, got.body, got.broken, test.status, test.body)
			}
			for name, want := range test.want {
				wantHeader(t, got, name, want)
			}
			if calls := w.calls(); calls != test.calls {
				t.Errorf("asked [%s], want [%s]", calls, test.calls)
			}
		})
	}
}

func TestRefusedRequestsAskNobody(t *testing.T) {
	tests := map[string]struct {
		method, target string
		status         int
		code, text     string
	}{
		"an unlisted registry":     {"GET", "/v2/evil.example/app/manifests/1", 404, "NAME_UNKNOWN", "no Registry document named evil.example"},
		"an unlisted mirror":       {"GET", "/v2/app/manifests/1?ns=evil.example", 404, "NAME_UNKNOWN", "no Registry document named evil.example"},
		"an encoded slash":         {"GET", "/v2/docker.io%2fnginx/manifests/1", 400, "NAME_INVALID", "character"},
		"dot segments":             {"GET", "/v2/docker.io/a/../nginx/manifests/1", 400, "NAME_INVALID", "dot segment"},
		"a double slash":           {"GET", "/v2//docker.io/nginx/manifests/1", 400, "NAME_INVALID", "empty element"},
		"a malformed tag":          {"GET", "/v2/nginx/manifests/-x", 400, "TAG_INVALID", "not a tag"},
		"a malformed digest":       {"GET", "/v2/nginx/manifests/sha256:../../etc", 400, "NAME_INVALID", "dot segment"},
		"a short digest":           {"GET", "/v2/nginx/blobs/sha256:abc", 400, "DIGEST_INVALID", "digits"},
		"a malformed page":         {"GET", "/v2/nginx/tags/list?n=-1", 400, "PAGINATION_NUMBER_INVALID", "negative"},
		"the catalog":              {"GET", "/v2/_catalog", 404, "NAME_UNKNOWN", "no such page"},
		"an upload":                {"GET", "/v2/nginx/blobs/uploads/1", 404, "NAME_UNKNOWN", "no such page"},
		"outside the registry":     {"GET", "/metrics", 404, "NAME_UNKNOWN", "under /v2/"},
		"the root":                 {"GET", "/", 404, "NAME_UNKNOWN", "under /v2/"},
		"a look-alike of the root": {"GET", "/v2x/", 404, "NAME_UNKNOWN", "under /v2/"},
		"version 1":                {"GET", "/v1/search", 404, "NAME_UNKNOWN", "under /v2/"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			wantError(t, w.do(t, test.method, test.target), test.status, test.code, test.text)
			if calls := w.calls(); calls != "" {
				t.Errorf("asked [%s], want nothing", calls)
			}
		})
	}
}

func TestWriteVerbsReachNothing(t *testing.T) {
	w := newWorld(t, nil)
	targets := []string{
		"/v2/", "/v2", "/v2/_catalog", "/v2/nginx/manifests/1", "/v2/nginx/manifests/" + manifestDigest.String(),
		"/v2/nginx/blobs/" + blobDigest.String(), "/v2/nginx/blobs/uploads/", "/v2/nginx/blobs/uploads/?mount=" + blobDigest.String() + "&from=x",
		"/v2/nginx/tags/list", "/v2/nginx/referrers/" + manifestDigest.String(), "/v2/evil.example/app/manifests/1", "/v2/a/../b", "/v2/%2f",
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "HEADX"} {
		for _, target := range targets {
			got := w.do(t, method, target, "X-HTTP-Method-Override", "GET", "X-Method-Override", "GET", "X-HTTP-Method", "GET")
			if got.header.Get("Allow") != "GET, HEAD" || got.status != http.StatusMethodNotAllowed || !strings.Contains(got.body, `"UNSUPPORTED"`) {
				t.Errorf("%s %s: got %d %s, Allow %q", method, target, got.status, got.body, got.header.Get("Allow"))
			}
		}
	}
	// A header turns no GET into a write either.
	if got := w.do(t, "GET", "/v2/", "X-HTTP-Method-Override", "DELETE"); got.status != http.StatusOK {
		t.Errorf("got %d for a GET with a method override", got.status)
	}
	if calls := w.calls(); calls != "" {
		t.Errorf("asked [%s], want nothing", calls)
	}
}

func TestErrorsBehindUsAndTheirStatus(t *testing.T) {
	tests := map[string]struct {
		err        error
		status     int
		code       string
		retryAfter string
	}{
		"an unknown manifest":                   {&oci.Error{Code: oci.CodeManifestUnknown}, 404, "MANIFEST_UNKNOWN", ""},
		"an unknown repository":                 {&oci.Error{Code: oci.CodeNameUnknown}, 404, "NAME_UNKNOWN", ""},
		"a registry that refuses us":            {&oci.Error{Code: oci.CodeUnauthorized}, 403, "UNAUTHORIZED", ""},
		"a registry in trouble":                 {&oci.Error{Code: oci.CodeUpstream, Err: errBroken}, 502, "UNAVAILABLE", ""},
		"a registry that is slow":               {&oci.Error{Code: oci.CodeTimeout}, 504, "UNAVAILABLE", ""},
		"a registry that is busy":               {&oci.Error{Code: oci.CodeBusy, RetryAfter: 1500 * time.Millisecond}, 429, "TOOMANYREQUESTS", "2"},
		"a registry that does not say how long": {&oci.Error{Code: oci.CodeBusy}, 429, "TOOMANYREQUESTS", "5"},
		"a manifest that must not be read":      {&oci.Error{Code: oci.CodeManifestInvalid}, 502, "MANIFEST_INVALID", ""},
		"the end of our time":                   {context.DeadlineExceeded, 504, "UNAVAILABLE", ""},
		"a bug":                                 {errBroken, 500, "UNKNOWN", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.resolver.on = func(context.Context, oci.Reference) (oci.Image, error) { return oci.Image{}, test.err }
			got := w.do(t, "GET", "/v2/nginx/manifests/1")
			wantError(t, got, test.status, test.code, "")
			wantHeader(t, got, "Retry-After", test.retryAfter)
			wantHeader(t, got, "Docker-Content-Digest", "")
			if strings.Contains(got.body, errBroken.Error()) {
				t.Errorf("the cause is told to the client: %s", got.body)
			}
			head := w.do(t, "HEAD", "/v2/nginx/manifests/1")
			if head.status != test.status || head.body != "" || head.length != int64(len(got.body)) {
				t.Errorf("HEAD: got %d %q with length %d, want %d and %d", head.status, head.body, head.length, test.status, len(got.body))
			}
		})
	}
}

func TestResolutionThatTakesTooLongIsATimeout(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *proxy.Config) { cfg.Timeout = 10 * time.Millisecond })
	w.resolver.on = func(ctx context.Context, _ oci.Reference) (oci.Image, error) {
		<-ctx.Done()
		return oci.Image{}, ctx.Err()
	}
	wantError(t, w.do(t, "GET", "/v2/nginx/manifests/1"), 504, "UNAVAILABLE", "in time")
}

func TestPanicIsNeverContent(t *testing.T) {
	w := newWorld(t, nil)
	w.resolver.on = func(context.Context, oci.Reference) (oci.Image, error) { panic("canary") }
	got := w.do(t, "GET", "/v2/nginx/manifests/1")
	wantError(t, got, 500, "UNKNOWN", "internal error")
	if strings.Contains(got.body, "canary") {
		t.Errorf("the panic is told to the client: %s", got.body)
	}
	w.resolver.on = nil
	w.decider.on = func(context.Context, policy.Request) (policy.Decision, error) { panic("canary") }
	got = w.do(t, "HEAD", "/v2/nginx/manifests/1")
	if got.status != 500 || got.header.Get("Docker-Content-Digest") != "" || got.header.Get("Etag") != "" {
		t.Errorf("got %d with %v", got.status, got.header)
	}
}
