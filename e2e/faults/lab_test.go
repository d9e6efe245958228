package faults_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"vouchsafe/e2e/faults/history"
	"vouchsafe/e2e/internal/gateway"
)

// lab is one gateway and everything around it.
type lab struct {
	// net is the second number of the addresses of registries.
	net      int
	recorder *recorder
	names    *names
	signer   signer
	process  *process
	client   *http.Client
	cells    []*cell
	// secure is true when clients use TLS.
	secure bool
	// opened says that the policy that enforces does not do so yet.
	opened bool
	// enforcedSince is when it was seen to do so.
	enforcedSince time.Time
	revisions     []history.Revision

	cdn, canary *http.Server
	burden
}

// Addresses of what is shared by all cells of a lab: a host that redirects may
// go to, and one that nobody may contact.
func (l *lab) cdnAddr() string    { return fmt.Sprintf("127.%d.2.1:5000", l.net) }
func (l *lab) canaryAddr() string { return fmt.Sprintf("127.%d.3.1:5000", l.net) }

func (l *lab) scheme() string {
	if l.secure {
		return "https"
	}
	return "http"
}

// newLab starts a gateway for cells. Each lab of one run has a number.
func newLab(number int, binary, dir string, shared *names, cells []*cell, opened bool, env ...string) (*lab, error) {
	l := &lab{
		net: 20 + number%200, recorder: newRecorder(), names: shared, signer: newSigner(), cells: cells, opened: opened, burden: burden{gate: make(chan struct{})},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}},
	}
	for i, c := range cells {
		c.lab, c.number = l, i
	}
	var err error
	if l.cdn, err = serve(l.cdnAddr(), http.HandlerFunc(l.serveCDN)); err != nil {
		return nil, err
	}
	if l.canary, err = serve(l.canaryAddr(), http.HandlerFunc(l.serveCanary)); err != nil {
		return nil, errors.Join(err, l.cdn.Close())
	}
	if err := os.MkdirAll(filepath.Join(dir, "config"), 0o700); err != nil {
		return nil, err
	}
	for _, e := range env {
		// Whoever talks to this gateway has to know.
		file, secure := strings.CutPrefix(e, "VOUCHSAFE_TLS_CERT_FILE=")
		if !secure {
			continue
		}
		certificate, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(certificate)
		l.secure = true
		l.trust(roots)
	}
	l.process, err = newProcess(binary, dir, l.documents(), env...)
	if err != nil {
		return nil, errors.Join(err, l.cdn.Close(), l.canary.Close())
	}
	l.process.sample(true)
	return l, nil
}

func serve(addr string, handler http.Handler) (*http.Server, error) {
	var control net.ListenConfig
	ln, err := control.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: handler, ErrorLog: silent}
	go func() { _ = server.Serve(ln) }()
	return server, nil
}

// close ends everything and says what was wrong with that.
func (l *lab) close() error {
	return errors.Join(l.process.stop(), l.cdn.Close(), l.canary.Close())
}

// documents configure the gateway: a registry for each cell, two policies.
func (l *lab) documents() map[string]string {
	behavior := "InformAndEnforce"
	if l.opened {
		behavior = "Inform"
	}
	files := map[string]string{
		"trust.yaml":  gateway.Integration("release-team", l.signer.publicPEM()),
		"policy.yaml": l.policies(behavior),
		"user":        "cell",
	}
	var registries strings.Builder
	for _, c := range l.cells {
		secret := fmt.Sprintf("password-%d", c.number)
		files[secret] = c.password()
		if c.variant.secure {
			var err error
			if c.certificate, c.key, err = certify(int64(c.number)+100, c.host()); err != nil {
				panic(err) // only without randomness
			}
			files["ca-"+secret] = string(c.certificate)
		}
		registries.WriteString("---\n" + c.document(secret))
	}
	files["registries.yaml"] = registries.String()
	return files
}

// policies are the two policies; behavior is that of the one that enforces. What
// it leaves out is a name that begins as those of the cells and is another.
func (l *lab) policies(behavior string) string {
	return gateway.Policy("enforce", behavior, `"*/enforce/**"`, []string{"release-team"}, `exclude: ["*/enforce/sandbox"]`) +
		"---\n" + gateway.Policy("inform", "Inform", `"*/inform/**"`, []string{"release-team"})
}

// document is the cell's Registry document.
func (c *cell) document(secret string) string {
	host := c.addr()
	if c.variant.named && c.lab.names != nil {
		host = c.registryName() + ":5000"
		c.lab.names.set(c.registryName(), netip.MustParseAddrPort(c.addr()).Addr())
	}
	patience := "4s"
	if c.variant.short {
		patience = "1200ms"
	}
	text := gateway.Registry(c.registryName(), host,
		"credentials: {usernameFile: user, passwordFile: "+secret+"}",
		"access: Shared",
		"tagTTL: 1ms",
		fmt.Sprintf("redirectHosts: [%q]", c.lab.cdnAddr()),
		"timeouts: {connect: "+patience+", header: "+patience+", idle: "+patience+"}",
	)
	if c.variant.secure {
		text = strings.Replace(text, "endpoint: http:", "caFile: ca-"+secret+"\n  endpoint: https:", 1)
		text = strings.Replace(text, "plainHTTP: true", "plainHTTP: false", 1)
	}
	return text
}

// serveCDN serves what it is redirected to: /<number of the cell>/<digest>.
func (l *lab) serveCDN(w http.ResponseWriter, r *http.Request) {
	number, digest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(l.cells) {
		http.NotFound(w, r)
		return
	}
	c := l.cells[n]
	writer := &statusWriter{ResponseWriter: w}
	contact := history.Contact{Cell: c.name(), At: time.Now(), Host: l.cdnAddr(), Method: r.Method, Path: r.URL.EscapedPath(), Seen: seen(r)}
	defer func() {
		contact.Status = writer.status
		l.recorder.add(l.recorder.contacts, contact)
	}()
	c.reg.mu.Lock()
	held := c.reg.repo(c.path())
	k := &call{w: writer, r: r, reg: c.reg, repo: c.path(), ref: digest, doc: held.docs[digest], blob: held.blobs[digest]}
	c.reg.mu.Unlock()
	switch {
	case k.doc != nil:
		k.header().Set("Content-Type", k.doc.mediaType)
		k.send(k.doc.bytes)
	case k.blob != nil:
		k.header().Set("Etag", `"`+digest+`"`)
		k.sendPart()
	default:
		k.fail(http.StatusNotFound, "BLOB_UNKNOWN")
	}
}

// serveCanary notes that it was contacted, with everything that was sent.
func (l *lab) serveCanary(w http.ResponseWriter, r *http.Request) {
	number, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	hit := history.Contact{At: time.Now(), Host: l.canaryAddr(), Method: r.Method, Path: r.URL.EscapedPath(), Seen: seen(r)}
	if n, err := strconv.Atoi(number); err == nil && n >= 0 && n < len(l.cells) {
		hit.Cell = l.cells[n].name()
	}
	l.recorder.add(l.recorder.canaries, hit)
	_, _ = w.Write([]byte(`{"token":"from-the-canary"}`))
}

// whole is the history of what concerns no cell alone: what the process used,
// and where secrets went.
func (l *lab) whole(limits history.Limits) history.History {
	h := history.History{World: history.World{Limits: limits}}
	l.process.mu.Lock()
	h.Samples = append(h.Samples, l.process.samples...)
	l.process.mu.Unlock()
	l.recorder.mu.Lock()
	defer l.recorder.mu.Unlock()
	h.Canaries = slices.Clone(l.recorder.canaries[""])
	// Each cell's secrets begin alike, and none belongs into an output.
	h.World.Secrets = []history.Secret{{Value: secretPrefix}, {Value: tokenPrefix}}
	if h.Outputs = l.written; h.Outputs == nil {
		h.Outputs = l.process.outputs()
	}
	return h
}
