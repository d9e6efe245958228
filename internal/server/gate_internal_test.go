package server

import (
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// TestOnlyWhoRestsMakesRoom asks the gate itself, on a clock of its own.
func TestOnlyWhoRestsMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
		g := &gate{endpoint: Endpoint{MaxConnections: 3, MaxConnectionsPerAddress: 2}, peers: map[netip.Prefix]*peer{}}
		enter := func(from netip.Prefix, wantInstead *guest, wantReason string) *guest {
			t.Helper()
			c := &guest{gate: g, from: from}
			if instead, reason := g.admit(c, time.Now()); instead != wantInstead || reason != wantReason {
				t.Errorf("got %v in its place and reason %q, want %v and %q", instead, reason, wantInstead, wantReason)
			}
			return c
		}
		first, second := enter(here, nil, ""), enter(here, nil, "")
		other := enter(there, nil, "")
		enter(here, nil, refusedAddress)
		enter(there, nil, refusedTotal)

		g.observe(other, http.StateIdle)
		g.observe(first, http.StateIdle)
		time.Sleep(restAtLeast - time.Nanosecond)
		enter(here, nil, refusedAddress) // between two requests of one pull
		time.Sleep(time.Nanosecond)
		g.observe(first, http.StateActive)
		enter(here, nil, refusedAddress) // the idle one is another address's
		enter(there, other, "")          // the idle one of all makes room
		g.observe(second, http.StateIdle)
		time.Sleep(restAtLeast)
		third := enter(here, second, "")
		if g.forget(second) || g.forget(other) {
			t.Error("a connection that made room is counted out twice")
		}
		g.observe(second, http.StateIdle) // its server learns late that it is closed
		g.forget(first)
		g.forget(third)
		if g.conns != 1 || len(g.peers) != 1 || g.idle.Len() != 0 {
			t.Errorf("left are %d connections of %d addresses, %d idle", g.conns, len(g.peers), g.idle.Len())
		}
	})
}

func TestWhatCountsAsOneAddress(t *testing.T) {
	for name, test := range map[string]struct {
		a, b string
		same bool
	}{
		"one IPv4 address, two ports":       {"192.0.2.1:1", "192.0.2.1:2", true},
		"two IPv4 addresses":                {"192.0.2.1:1", "192.0.2.2:1", false},
		"IPv4 written as IPv6":              {"192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		"two mapped IPv4 addresses":         {"[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:1", false},
		"one IPv6 network of 64 bits":       {"[2001:db8::1]:1", "[2001:db8::ffff:0:2]:1", true},
		"two IPv6 networks":                 {"[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", false},
		"one link-local network, two zones": {"[fe80::1%lo]:1", "[fe80::2%eth0]:1", true},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := networkOf(resolve(t, test.a)), networkOf(resolve(t, test.b))
			if (a == b) != test.same || !a.IsValid() || !b.IsValid() {
				t.Errorf("got %v and %v", a, b)
			}
		})
	}
}

func resolve(t *testing.T, addr string) net.Addr {
	t.Helper()
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return tcp
}
