package faults_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// part is what a request is about, as faults choose their targets by it.
type part uint8

const (
	partOther    part = iota
	partManifest      // a manifest or an index of an image
	partEvidence      // where signatures are listed
	partPayload       // what was signed
	partBlob          // a config or a layer
	partToken         // the token service
)

// call is one request at a registry, and what would be answered.
type call struct {
	w    http.ResponseWriter
	r    *http.Request
	reg  *registry
	part part
	repo string
	ref  string
	// doc or blob is the content, nil when there is none.
	doc  *document
	blob []byte
	// n counts the requests with this method and path so far, from one.
	n int
}

// fault answers a call, or returns false for what is answered as always.
type fault func(*call) bool

// authorized answers 401 to whoever has not shown the credential.
func (k *call) authorized() bool {
	if token := k.reg.token.Load(); token != nil {
		if k.r.Header.Get("Authorization") == "Bearer "+*token {
			return true
		}
		k.reg.mu.Lock()
		realm := k.reg.realm
		k.reg.mu.Unlock()
		if realm == "" {
			realm = "http://" + k.r.Host + "/token"
		}
		k.w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`",service="lab"`)
	} else {
		if user, password, _ := k.r.BasicAuth(); user == k.reg.user && password == k.reg.password {
			return true
		}
		k.w.Header().Set("WWW-Authenticate", `Basic realm="lab"`)
	}
	k.fail(http.StatusUnauthorized, "UNAUTHORIZED")
	return false
}

// answer is what a registry does that nothing is wrong with.
func (k *call) answer() {
	if k.part == partToken {
		k.giveToken()
		return
	}
	if !k.authorized() {
		return
	}
	switch {
	case k.doc != nil:
		k.header().Set("Content-Type", k.doc.mediaType)
		k.header().Set("Docker-Content-Digest", k.doc.digest)
		k.send(k.doc.bytes)
	case k.blob != nil:
		k.header().Set("Content-Type", "application/octet-stream")
		k.header().Set("Docker-Content-Digest", k.ref)
		k.header().Set("Etag", `"`+k.ref+`"`)
		k.sendPart()
	case k.part == partManifest:
		k.fail(http.StatusNotFound, "MANIFEST_UNKNOWN")
	case k.part == partBlob, k.part == partPayload:
		k.fail(http.StatusNotFound, "BLOB_UNKNOWN")
	case k.r.URL.Path == "/v2/":
		k.send([]byte("{}"))
	default:
		k.fail(http.StatusNotFound, "UNSUPPORTED")
	}
}

func (k *call) giveToken() {
	user, password, _ := k.r.BasicAuth()
	token := k.reg.token.Load()
	if token == nil || user != k.reg.user || password != k.reg.password {
		k.fail(http.StatusUnauthorized, "UNAUTHORIZED")
		return
	}
	k.header().Set("Content-Type", "application/json")
	k.send(encode(map[string]any{"token": *token, "expires_in": 300}))
}

func (k *call) header() http.Header { return k.w.Header() }

func (k *call) fail(status int, code string) {
	k.header().Set("Content-Type", "application/json")
	k.w.WriteHeader(status)
	_, _ = k.w.Write([]byte(`{"errors":[{"code":"` + code + `","message":"no"}]}`))
}

func (k *call) send(b []byte) {
	k.header().Set("Content-Length", strconv.Itoa(len(b)))
	k.w.WriteHeader(http.StatusOK)
	_, _ = k.w.Write(b)
}

// sendPart honours a Range that is open at its end or not.
func (k *call) sendPart() {
	first, last, ok := k.part206()
	if !ok {
		k.send(k.blob)
		return
	}
	k.header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(k.blob)))
	k.header().Set("Content-Length", strconv.Itoa(last-first+1))
	k.w.WriteHeader(http.StatusPartialContent)
	_, _ = k.w.Write(k.blob[first : last+1])
}

// part206 is the range that was asked for.
func (k *call) part206() (first, last int, ok bool) {
	from, to, ok := strings.Cut(strings.TrimPrefix(k.r.Header.Get("Range"), "bytes="), "-")
	if !ok || k.r.Header.Get("If-Range") != "" && k.r.Header.Get("If-Range") != `"`+k.ref+`"` {
		return 0, 0, false
	}
	first, err := strconv.Atoi(from)
	last = len(k.blob) - 1
	if to != "" {
		end, endErr := strconv.Atoi(to)
		last, err = min(last, end), errors.Join(err, endErr)
	}
	return first, last, err == nil && first <= last
}

// content is the bytes that the call is about, and their type.
func (k *call) content() ([]byte, string) {
	if k.doc != nil {
		return k.doc.bytes, k.doc.mediaType
	}
	return k.blob, "application/octet-stream"
}

// reset ends the connection with a reset.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// raw takes the connection and writes to it; whoever calls it closes it.
func (k *call) raw() net.Conn {
	conn, _, err := http.NewResponseController(k.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return conn
}
