//go:build !linux

package server

import "net"

// boundUnsent does nothing here: the program is run on Linux.
func boundUnsent(*net.TCPConn) {}
