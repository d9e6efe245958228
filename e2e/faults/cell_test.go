package faults_test

import (
	"crypto/tls"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"vouchsafe/e2e/faults/history"
)

// subject is an image that is pulled.
type subject struct {
	trusted bool
	tag     string
	image   imageContent
	// index lists the image; nil when the image is pulled by itself.
	index *document
}

// cell is one variant under one combination.
type cell struct {
	variant *variant
	number  int
	warm    bool
	kind    kind
	enforce bool
	seed    uint64

	lab      *lab
	reg      *registry
	signed   subject
	unsigned subject
	// more are asked when the fault is over.
	more []ask
	// from is how long the audit record was when the cell began.
	from int64

	// certificate and key are the registry's, PEM, when it has TLS.
	certificate, key []byte

	exchanges []history.Exchange
	fault     history.Fault
	trusted   map[string]map[string]bool
	listing   map[string]map[string][]string
	onceOnly  map[string]bool
}

// name is the cell's, and the end of the name of its test.
func (c *cell) name() string {
	state, behavior := "cold", "inform"
	if c.warm {
		state = "warm"
	}
	if c.enforce {
		behavior = "enforce"
	}
	return fmt.Sprintf("%s/%s/%s/%s", c.variant.name, state, c.kind, behavior)
}

// registryName is the origin name of the cell's registry.
func (c *cell) registryName() string {
	return strings.ToLower(strings.ReplaceAll(c.name(), "/", "-")) + ".test"
}

// addr is the registry's own: each has an address on loopback, so that a port
// that is refused for a while is taken by nobody else.
func (c *cell) addr() string {
	return fmt.Sprintf("127.%d.%d.%d:5000", c.lab.net, 10+c.number/200, 1+c.number%200)
}

// Every password and every token begins so.
const (
	secretPrefix = "canary-secret-"
	tokenPrefix  = "canary-token-"
)

func (c *cell) password() string {
	return fmt.Sprintf("%s%04d-of-its-registry", secretPrefix, c.number)
}

func (c *cell) bearer() string { return fmt.Sprintf("%s%04d-of-its-registry", tokenPrefix, c.number) }

// path is the repository of the images. The policies' pattern for what they
// leave out, "*/enforce/sandbox", is only the beginning of it.
func (c *cell) path() string {
	if c.enforce {
		return "enforce/sandbox-app"
	}
	return "inform/sandbox-app"
}

// twin is another repository, with the bytes of the signed image and no signature.
func (c *cell) twin() string { return strings.TrimSuffix(c.path(), "app") + "twin" }

// random is a stream that depends on the seed and the cell alone.
func (c *cell) random() *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.name()))
	return rand.New(rand.NewPCG(c.seed, h.Sum64()))
}

// host is the address that the registry's certificate is for.
func (c *cell) host() string {
	host, _, _ := strings.Cut(c.addr(), ":")
	return host
}

// present makes the registry show a certificate to whoever connects from now on.
func (c *cell) present(certificate, key []byte) error {
	pair, err := tls.X509KeyPair(certificate, key)
	c.reg.certificate.Store(&pair)
	return err
}

// run is the whole of a cell with a registry of its own to go wrong.
func (c *cell) run() error {
	if err := c.prepare(); err != nil {
		return err
	}
	defer c.reg.close()
	if err := c.before(); err != nil {
		return err
	}
	c.begin()
	c.during()
	c.end()
	c.after()
	return nil
}

// before makes the gateway know the images, when the cell is warm: all but their
// layers.
func (c *cell) before() error {
	c.from = c.lab.process.auditSize()
	if !c.warm {
		return nil
	}
	for _, s := range []subject{c.signed, c.unsigned} {
		for _, a := range c.known(s) {
			if a.reference == s.image.layer {
				continue // it would be at hand, whatever happens to the registry
			}
			if c.lab.opened {
				a.normal = http.StatusOK
			}
			if !c.untilNormal(history.Before, a, time.Now().Add(15*time.Second)) {
				return fmt.Errorf("%s: %s %s is not normal before the fault: %+v", c.name(), a.method, a.reference, c.exchanges[len(c.exchanges)-1])
			}
		}
	}
	return nil
}

// begin starts the fault.
func (c *cell) begin() {
	c.fault.Began = time.Now()
	if c.variant.begin != nil {
		c.variant.begin(c)
	}
	if c.variant.fault != nil {
		f := c.variant.fault(c)
		c.reg.setFault(func(k *call) bool { return c.variant.touches(k.part) && f(k) })
	}
}

// end ends it.
func (c *cell) end() {
	c.reg.setFault(nil)
	if c.variant.end != nil {
		c.variant.end(c)
	}
	c.fault.Ended = time.Now().Add(c.variant.pause)
}

// after asks for everything until it is normal.
func (c *cell) after() {
	deadline := c.fault.Ended.Add(history.Normality)
	time.Sleep(time.Until(c.fault.Ended))
	for _, s := range []subject{c.signed, c.unsigned} {
		for _, a := range c.known(s) {
			c.untilNormal(history.After, a, deadline)
		}
	}
	for _, a := range c.more {
		c.untilNormal(history.After, a, deadline)
	}
}

// untilNormal asks again until the answer is normal; a last time at the deadline.
func (c *cell) untilNormal(phase history.Phase, a ask, deadline time.Time) bool {
	a.want, a.broken = nil, false
	for {
		x := c.ask(phase, a)
		c.exchanges = append(c.exchanges, x)
		if x.Status == x.Normal && x.Clean {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// history is what was recorded of the cell.
func (c *cell) history() (history.History, error) {
	h := history.History{Exchanges: c.exchanges, Faults: []history.Fault{c.fault}}
	records, err := c.lab.process.records(c.from, c.registryName())
	if err != nil {
		return h, err
	}
	h.Records = records
	h.Revisions = c.lab.revisions
	h.World = history.World{
		EnforcedSince: c.lab.enforcedSince, SinkFails: c.variant.process != nil && c.variant.process.sinkFails,
		Enforced: map[string]bool{}, Trusted: c.trusted, Listing: c.listing, Once: c.onceOnly,
		Secrets: []history.Secret{
			{Value: c.password(), Hosts: []string{c.addr()}},
			{Value: c.bearer(), Hosts: []string{c.addr()}},
		},
	}
	if c.enforce {
		h.World.Enforced[c.origin(c.path())] = true
		h.World.Enforced[c.origin(c.twin())] = true
	}
	h.Contacts, h.Canaries = c.lab.recorder.of(c.name())
	return h, nil
}

// of returns what a cell brought about.
func (r *recorder) of(cell string) (contacts, canaries []history.Contact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.contacts[cell]), slices.Clone(r.canaries[cell])
}

// manifest is a question about a manifest; trusted says what is normal.
func (c *cell) manifest(method, path, reference string, trusted bool) ask {
	a := ask{method: method, content: history.Manifest, path: path, reference: reference, normal: http.StatusOK}
	if c.enforce && !trusted {
		a.normal = http.StatusForbidden
	}
	return a
}
