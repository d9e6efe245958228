package ssrf

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// everyAddressIsLocal gives every IPv4 and IPv6 address to the loopback device of
// this namespace: whoever dials one, dials this process.
func everyAddressIsLocal() error {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if err := localRoute(family); err != nil {
			return err
		}
	}
	return nil
}

// localRoute adds a route of type local for all addresses of a family, which is
// "ip route add local default dev lo".
func localRoute(family uint8) error {
	const loopback = 1 // The first device of every network namespace.
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open a netlink socket: %w", err)
	}
	defer unix.Close(socket)
	scope := uint8(unix.RT_SCOPE_HOST)
	if family == unix.AF_INET6 {
		scope = unix.RT_SCOPE_UNIVERSE
	}
	const length = unix.SizeofNlMsghdr + unix.SizeofRtMsg + unix.SizeofRtAttr + 4
	var b []byte
	b = binary.NativeEndian.AppendUint32(b, length)
	b = binary.NativeEndian.AppendUint16(b, unix.RTM_NEWROUTE)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_CREATE|unix.NLM_F_ACK)
	b = append(b, make([]byte, 8)...)
	b = append(b, family, 0, 0, 0, unix.RT_TABLE_LOCAL, unix.RTPROT_BOOT, scope, unix.RTN_LOCAL)
	b = append(b, make([]byte, 4)...)
	b = binary.NativeEndian.AppendUint16(b, unix.SizeofRtAttr+4)
	b = binary.NativeEndian.AppendUint16(b, unix.RTA_OIF)
	b = binary.NativeEndian.AppendUint32(b, loopback)
	if err := unix.Sendto(socket, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask for a route: %w", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(socket, answer, 0)
	if err != nil {
		return fmt.Errorf("hear about a route: %w", err)
	}
	const codeAt = unix.SizeofNlMsghdr
	if n < codeAt+4 {
		return fmt.Errorf("hear about a route: %d bytes", n)
	}
	if code := int32(binary.NativeEndian.Uint32(answer[codeAt:])); code != 0 {
		return fmt.Errorf("add a route for all addresses: %w", unix.Errno(-code))
	}
	return nil
}
