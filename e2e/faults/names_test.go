package faults_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
)

// nameServer is where the names of the tests are resolved, in a network
// namespace of their own.
const nameServer = "127.0.0.1"

// Answers of the stub to a name whose registry has no address for now.
const (
	nameUnknown = 3 // NXDOMAIN
	nameFailure = 2 // SERVFAIL
	nameSilent  = 0xff
)

// names is a DNS server that knows the registries of cells whose documents name
// them by name.
type names struct {
	mu      sync.Mutex // guards the following
	address map[string]netip.Addr
	trouble map[string]byte
	server  *net.UDPConn
}

func newNames() (*names, error) {
	server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(nameServer), Port: 53})
	if err != nil {
		return nil, err
	}
	n := &names{address: map[string]netip.Addr{}, trouble: map[string]byte{}, server: server}
	go n.serve()
	return n, nil
}

func (n *names) set(name string, address netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.address[name] = address
}

// setTrouble makes a name fail; zero ends that.
func (n *names) setTrouble(name string, trouble byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.trouble[name] = trouble
}

func (n *names) serve() {
	packet := make([]byte, 1500)
	for {
		size, from, err := n.server.ReadFromUDP(packet)
		if err != nil {
			return
		}
		if answer := n.answer(packet[:size]); answer != nil {
			_, _ = n.server.WriteToUDP(answer, from)
		}
	}
}

// answer answers a query with one question (RFC 1035, section 4.1).
func (n *names) answer(query []byte) []byte {
	var labels []string
	at := 12
	for at < len(query) && query[at] != 0 {
		next := at + 1 + int(query[at])
		if next >= len(query) {
			return nil
		}
		labels = append(labels, strings.ToLower(string(query[at+1:next])))
		at = next
	}
	if at+5 > len(query) {
		return nil
	}
	question, kind := query[12:at+5], binary.BigEndian.Uint16(query[at+1:])
	name := strings.Join(labels, ".")
	n.mu.Lock()
	address, known := n.address[name]
	trouble := n.trouble[name]
	n.mu.Unlock()
	if !known && trouble == 0 {
		trouble = nameUnknown
	}
	if trouble == nameSilent {
		return nil
	}
	answer := append([]byte{query[0], query[1], 0x81, 0x80 | trouble, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	if trouble == 0 && kind == 1 {
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		four := address.As4()
		answer = append(answer, four[:]...)
	}
	return answer
}
