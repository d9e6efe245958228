package server

import (
	"net"

	"golang.org/x/sys/unix"
)

// boundUnsent bounds what the kernel keeps of an answer that a client does not
// take to maxUnsent, and what is on its way. Otherwise a connection costs 4 MiB
// of the memory that all connections of a machine share, and a thousand that
// read nothing slow everybody down. What is on its way is not bounded, so that
// long fast lines stay fast.
//
// It is set for each connection: those of a listener for MPTCP, as Go's are, do
// not inherit it.
func boundUnsent(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return // it is closed
	}
	// A kernel that does not know the option serves all the same.
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
}
