package server_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"

	"vouchsafe/internal/server"
)

// offers answers until the client takes no more, tells how much it took, and
// breaks the connection off.
func offers(taken chan<- int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		part, all := make([]byte, 64<<10), 0
		for all < 64<<20 {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			n, err := w.Write(part)
			all += n
			if err != nil {
				break
			}
		}
		taken <- all
		panic(http.ErrAbortHandler)
	})
}

func TestAnswerThatNobodyReadsCostsLittle(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what a kernel keeps of an answer is bounded on Linux alone")
	}
	p, taken := newPair(t, "gateway", time.Now().Add(time.Hour)), make(chan int, 1)
	g, _, _ := start(t, server.Config{},
		server.Endpoint{Name: "plain", Addr: "127.0.0.1:0", Handler: offers(taken)},
		server.Endpoint{Name: "secure", Addr: "127.0.0.1:0", Handler: offers(taken), TLS: p.write(t)})
	for _, endpoint := range []string{"plain", "secure"} {
		t.Run(endpoint, func(t *testing.T) {
			conn := dial(t, g.Addr(endpoint))
			client := conn
			if endpoint == "secure" {
				client = tls.Client(conn, trusting(p))
			}
			if _, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			// What the kernel keeps for both sides, a part under way, and records.
			const most = 1 << 20
			got := <-taken
			if got > most {
				t.Errorf("%d bytes were taken for a client that reads nothing, want at most %d", got, most)
			}
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			n, err := io.Copy(io.Discard, conn)
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the client read %d of %d bytes and got %v, want a reset", n, got, err)
			}
			t.Logf("%d bytes were taken, the client could read %d", got, n)
		})
	}
}
