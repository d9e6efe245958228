package ssrf

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer is where /etc/resolv.conf of the namespace points.
const nameServer = "127.0.0.53"

// publicHost is an address that anybody may be called at.
const publicHost = "93.184.216.34"

// names are what an attacker's name server answers.
var names = map[string][]string{
	"public.test":     {publicHost},
	"loopback.test":   {"127.0.0.1", "::1"},
	"six.test":        {"::1"},
	"metadata.test":   {"169.254.169.254"},
	"metadata6.test":  {"fd00:ec2::254"},
	"mapped.test":     {"::ffff:127.0.0.1"},
	"mappedmeta.test": {"::ffff:169.254.169.254"},
	"nat64.test":      {"64:ff9b::7f00:1"},
	"nat64meta.test":  {"64:ff9b::a9fe:a9fe"},
	"sixtofour.test":  {"2002:7f00:1::1"},
	"teredo.test":     {"2001:0:7f00:1::1"},
	"compatible.test": {"::127.0.0.1"},
	"zero.test":       {"0.0.0.0"},
	"zero6.test":      {"::"},
	"ten.test":        {"10.0.0.1"},
	"unique.test":     {"fd00::1"},
	"linklocal.test":  {"fe80::1"},
	"shared.test":     {"100.64.0.1"},
	"multicast.test":  {"224.0.0.1"},
	"broadcast.test":  {"255.255.255.255"},
	"mixed.test":      {"127.0.0.1", "10.0.0.1", "::1"},
}

// rebinding is a name that is public when it is asked for first, and loopback
// from then on.
const rebinding = "rebind.test"

// dns is the name server.
type dns struct {
	mu    sync.Mutex // guards asked
	asked map[string]int
}

// serveNames answers until the test ends.
func serveNames(tb testing.TB) *dns {
	tb.Helper()
	socket, err := net.ListenPacket("udp", net.JoinHostPort(nameServer, "53"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = socket.Close() })
	d := &dns{asked: map[string]int{}}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			if reply, ok := d.reply(buffer[:n]); ok {
				_, _ = socket.WriteTo(reply, from)
			}
		}
	}()
	return d
}

// times returns how often addresses of a name were asked for.
func (d *dns) times(name string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[name]
}

// reply answers one question. A name that is not known does not exist.
func (d *dns) reply(packet []byte) ([]byte, bool) {
	var question dnsmessage.Message
	if question.Unpack(packet) != nil || len(question.Questions) != 1 {
		return nil, false
	}
	q := question.Questions[0]
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: question.ID, Response: true, Authoritative: true},
		Questions: question.Questions,
	}
	addresses := d.addresses(strings.ToLower(strings.TrimSuffix(q.Name.String(), ".")), q.Type)
	if addresses == nil {
		reply.RCode = dnsmessage.RCodeNameError
	}
	header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 0}
	for _, a := range addresses {
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	packed, err := reply.Pack()
	return packed, err == nil
}

// addresses returns what a name has now, nil when it does not exist.
func (d *dns) addresses(name string, asked dnsmessage.Type) []netip.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	if asked == dnsmessage.TypeA {
		d.asked[name]++
	}
	texts := names[name]
	switch {
	case strings.HasSuffix(name, rebinding):
		texts = []string{"127.0.0.1"}
		if d.asked[name] <= 1 {
			texts = []string{publicHost}
		}
	case strings.HasSuffix(name, ".nip.test"):
		texts = []string{strings.TrimSuffix(name, ".nip.test")}
	case texts == nil:
		if a, ok := legacy(name); ok {
			texts = []string{a.String()}
		}
	}
	var found []netip.Addr
	for _, text := range texts {
		found = append(found, netip.MustParseAddr(text))
	}
	return found
}

// legacy reads the numeric forms of inet_aton, as resolvers of the C library do:
// one to four parts, decimal, octal or hexadecimal.
func legacy(name string) (netip.Addr, bool) {
	parts := strings.Split(name, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var value uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 32)
		if err != nil {
			return netip.Addr{}, false
		}
		if i == len(parts)-1 {
			value += n
		} else {
			value += n << (24 - 8*i)
		}
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true
}
