package server

import (
	"errors"
	"os"
)

// maxUnsent is how many bytes of answers the kernel keeps for one connection
// before they are sent.
const maxUnsent = 128 << 10

// Write implements [net.Conn].
func (c *guest) Write(p []byte) (int, error) {
	n, err := c.TCPConn.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.stalled.Store(true)
	}
	return n, err
}

// abandon makes the coming Close a reset when an answer was broken off because
// the client did not take it: the kernel would go on offering what is left for
// minutes, and the client would learn later that it does not come whole.
func (c *guest) abandon() {
	if c.stalled.Load() {
		_ = c.SetLinger(0) // it may be closed already
	}
}
