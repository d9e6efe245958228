package upstream

import "net/netip"

// class says who may be dialled at an address. The zero value is never.
type class uint8

const (
	// classNever is link-local, multicast, unspecified and what is no host.
	classNever class = iota
	// classPrivate is loopback and the networks inside organisations: only for
	// a host:port that the operator named.
	classPrivate
	// classPublic is the rest of global unicast.
	classPublic
)

// String names the class for people.
func (c class) String() string {
	switch c {
	case classPrivate:
		return "private"
	case classPublic:
		return "public"
	case classNever:
	}
	return "link-local or otherwise never dialled"
}

func prefixes(texts ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		parsed[i] = netip.MustParsePrefix(text)
	}
	return parsed
}

var (
	never = prefixes(
		"0.0.0.0/8",       // this host (RFC 1122)
		"169.254.0.0/16",  // link-local (RFC 3927), where clouds serve credentials
		"192.0.0.0/24",    // protocol assignments (RFC 6890)
		"192.0.2.0/24",    // documentation (RFC 5737)
		"192.88.99.0/24",  // 6to4 relays (RFC 7526)
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"224.0.0.0/4",     // multicast
		"240.0.0.0/4",     // reserved, broadcast
		"::/96",           // IPv4-compatible, deprecated (RFC 4291); ::1 is looked at before
		"64:ff9b:1::/48",  // local NAT64 (RFC 8215): where the IPv4 address sits is not known
		"100::/64",        // discard (RFC 6666)
		"2001::/32",       // Teredo (RFC 4380): hides an IPv4 address
		"2001:db8::/32",   // documentation (RFC 3849)
		"2002::/16",       // 6to4 (RFC 3056): hides an IPv4 address
		"fe80::/10",       // link-local
		"fec0::/10",       // site-local, deprecated (RFC 3879)
		"ff00::/8",        // multicast

		// Metadata services of clouds outside the link-local network.
		"100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::254/128", "fd20:ce::254/128",
	)
	private = prefixes(
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // RFC 1918
		"127.0.0.0/8", "::1/128", // loopback
		"100.64.0.0/10", // carrier-grade NAT (RFC 6598)
		"198.18.0.0/15", // benchmarks (RFC 2544), used inside by tunnels
		"fc00::/7",      // unique local (RFC 4193)
	)
	nat64         = netip.MustParsePrefix("64:ff9b::/96")
	globalUnicast = netip.MustParsePrefix("2000::/3")
)

// classOf sorts an address. IPv6 forms that carry an IPv4 address are sorted by
// what they carry, or refused where that is not certain.
func classOf(a netip.Addr) class {
	if !a.IsValid() || a.Zone() != "" {
		return classNever
	}
	a = a.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	// Loopback sits inside a prefix that is otherwise refused.
	if a == netip.IPv6Loopback() {
		return classPrivate
	}
	if contains(never, a) {
		return classNever
	}
	if contains(private, a) {
		return classPrivate
	}
	if a.Is4() || globalUnicast.Contains(a) {
		return classPublic
	}
	return classNever
}

func contains(in []netip.Prefix, a netip.Addr) bool {
	for _, p := range in {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
