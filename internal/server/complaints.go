package server

import (
	"context"
	"log"
	"log/slog"
	"strings"
)

// handshakePrefix begins what the standard library says when a client does not
// complete a TLS handshake. Probes of load balancers do that all day, and anybody
// may do it often.
const handshakePrefix = "http: TLS handshake error"

// complaints are what the standard library has to say about clients and
// handlers, as lines of our log.
type complaints struct{ log *slog.Logger }

func newComplaints(to *slog.Logger) *log.Logger { return log.New(complaints{to}, "", 0) }

// Write implements [io.Writer]; each call is one line.
func (c complaints) Write(line []byte) (int, error) {
	level, text := slog.LevelWarn, strings.TrimSuffix(string(line), "\n")
	if strings.HasPrefix(text, handshakePrefix) {
		level = slog.LevelDebug
	}
	c.log.Log(context.Background(), level, text)
	return len(line), nil
}
