package server

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// restAtLeast is how long a connection must have been idle before it may be
	// closed for another: between two requests of one pull it is idle for less.
	restAtLeast = 250 * time.Millisecond
	// sayAgain is the pause between two lines in the log about refused
	// connections: a flood of them must not become a flood of lines.
	sayAgain = 10 * time.Second
)

// Why a connection is refused, as Config.Refused is told.
const (
	refusedTotal   = "total"
	refusedAddress = "address"
)

// gate is a listener that counts the connections which it lets in and bounds
// them, over all and for each address.
type gate struct {
	net.Listener
	endpoint Endpoint
	cfg      Config
	refusals *refusals

	// Of the goroutine in Accept alone: when refusals were last logged, and how
	// many there have been since.
	said   time.Time
	unsaid int

	mu sync.Mutex
	// The rest is guarded by mu. peers has an entry for each address that has a
	// connection; idle are connections between two requests, longest first.
	conns int
	peers map[netip.Prefix]*peer
	idle  list.List
}

// peer is what one address has.
type peer struct {
	conns int
	idle  list.List
}

// guest is a connection that was let in.
type guest struct {
	*net.TCPConn
	gate *gate
	from netip.Prefix
	// stalled is true once a write was not taken in time.
	stalled atomic.Bool
	// Guarded by gate.mu. The elements are of gate.idle and of the peer's, nil
	// while a request runs or none has come.
	left               bool
	since              time.Time
	inIdle, inPeerIdle *list.Element
}

func newGate(listener net.Listener, e Endpoint, cfg Config) *gate {
	return &gate{
		Listener: listener, endpoint: e, cfg: cfg, refusals: newRefusals(listener.Addr()),
		peers: map[netip.Prefix]*peer{},
	}
}

// Accept implements [net.Listener]: it returns the next connection within the
// bounds, and hands on those beyond.
func (g *gate) Accept() (net.Conn, error) {
	for {
		accepted, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := accepted.(*net.TCPConn)
		if !ok {
			_ = accepted.Close() // Listen opens TCP alone.
			continue
		}
		boundUnsent(tcp)
		c := &guest{TCPConn: tcp, gate: g, from: networkOf(tcp.RemoteAddr())}
		instead, reason := g.admit(c, time.Now())
		if reason != "" {
			g.refuse(tcp, reason)
			continue
		}
		if instead != nil {
			_ = instead.Close()
		} else {
			g.cfg.Opened(g.endpoint.Name, 1)
		}
		return c, nil
	}
}

// admit counts c in, or says why not. With it comes the idle connection whose
// place c takes, if any, for the caller to close.
func (g *gate) admit(c *guest, now time.Time) (instead *guest, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peers[c.from]
	switch most, perAddress := g.endpoint.MaxConnections, g.endpoint.MaxConnectionsPerAddress; {
	case perAddress > 0 && p != nil && p.conns >= perAddress:
		instead, reason = longestIdle(&p.idle, now), refusedAddress
	case most > 0 && g.conns >= most:
		instead, reason = longestIdle(&g.idle, now), refusedTotal
	default:
		reason = ""
	}
	if instead != nil {
		g.forget(instead)
	} else if reason != "" {
		return nil, reason
	}
	if p = g.peers[c.from]; p == nil {
		p = &peer{}
		g.peers[c.from] = p
	}
	p.conns++
	g.conns++
	return instead, ""
}

// longestIdle returns the connection at the head of a list, nil when there is
// none that has been idle for long enough.
func longestIdle(idle *list.List, now time.Time) *guest {
	front := idle.Front()
	if front == nil {
		return nil
	}
	if c, ok := front.Value.(*guest); ok && now.Sub(c.since) >= restAtLeast {
		return c
	}
	return nil
}

// forget counts c out; it reports whether it had been in. It needs mu.
func (g *gate) forget(c *guest) bool {
	if c.left {
		return false
	}
	c.left = true
	g.awake(c)
	g.conns--
	p := g.peers[c.from]
	if p.conns--; p.conns == 0 {
		delete(g.peers, c.from)
	}
	return true
}

// awake takes c from the idle ones. It needs mu.
func (g *gate) awake(c *guest) {
	if c.inIdle == nil {
		return
	}
	g.idle.Remove(c.inIdle)
	g.peers[c.from].idle.Remove(c.inPeerIdle)
	c.inIdle, c.inPeerIdle = nil, nil
}

// observe is the [http.Server]'s ConnState: it learns which connections are idle.
func (g *gate) observe(conn net.Conn, state http.ConnState) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	c, ok := conn.(*guest)
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.awake(c); state != http.StateIdle || c.left {
		return
	}
	c.since = time.Now()
	c.inIdle, c.inPeerIdle = g.idle.PushBack(c), g.peers[c.from].idle.PushBack(c)
}

// refuse hands a connection to those who say no.
func (g *gate) refuse(tcp *net.TCPConn, reason string) {
	g.cfg.Refused(g.endpoint.Name, reason)
	g.unsaid++
	if now := time.Now(); now.Sub(g.said) >= sayAgain {
		g.cfg.Log.Warn("too many connections: some were refused", "server", g.endpoint.Name, "reason", reason, "refused", g.unsaid)
		g.said, g.unsaid = now, 0
	}
	g.refusals.take(tcp, reason)
}

// open returns how many connections are open.
func (g *gate) open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.conns
}

// Close implements [net.Conn]. Its place is free only when its descriptor is.
func (c *guest) Close() error {
	c.abandon()
	err := c.TCPConn.Close()
	c.gate.mu.Lock()
	was := c.gate.forget(c)
	c.gate.mu.Unlock()
	if was {
		c.gate.cfg.Opened(c.gate.endpoint.Name, -1)
	}
	return err
}

// networkOf is what is counted as one address: an IPv4 address, or the 64 bits
// of an IPv6 network, of which one machine may have every address.
func networkOf(addr net.Addr) netip.Prefix {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
