package faults_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"

	"vouchsafe/e2e/faults/history"
)

// lorises is how many slow clients there are.
const lorises = 300

// loris opens connections that say a little, or nothing, or never read.
func loris(l *lab) error {
	cell := l.cells[len(l.cells)-1]
	pull := fmt.Sprintf("GET /v2/%s/blobs/%s HTTP/1.1\r\nHost: gateway\r\n", cell.origin(cell.path()), cell.signed.image.layer)
	for i := range lorises {
		conn, err := net.Dial("tcp", l.process.host)
		if err != nil {
			return err
		}
		l.slow = append(l.slow, conn)
		text := pull[:len(pull)-2-i%20] // a header that does not end
		switch i % 3 {
		case 1:
			text = ""
		case 2:
			text = pull + "\r\n" // an answer that nobody reads
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// crowdOut pulls big manifests and blobs, many at the same time, until relieve.
func crowdOut(l *lab) error {
	c := l.cells[0]
	random := rand.New(rand.NewPCG(c.seed, 35))
	c.reg.mu.Lock()
	var paths []string
	for i := range 24 {
		image := newImage(random, 2<<20)
		c.store(c.path(), image, "")
		big := strings.Replace(string(image.bytes), `"text":"`, `"text":"`+strings.Repeat(string(rune('a'+i)), 3<<20), 1)
		d := newDocument(typeManifest, []byte(big))
		c.publish(c.path(), "", d)
		paths = append(paths, "/manifests/"+d.digest, "/blobs/"+image.layer)
	}
	c.reg.mu.Unlock()
	l.stop = make(chan struct{})
	for i := range 48 {
		l.background.Go(func() {
			for n := i; ; n++ {
				select {
				case <-l.stop:
					return
				default:
				}
				if answer, err := http.Get("http://" + l.process.host + "/v2/" + c.origin(c.path()) + paths[n%len(paths)]); err == nil {
					_, _ = io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
				}
			}
		})
	}
	return nil
}

// relieve ends what loris or crowdOut began.
func relieve(l *lab) error {
	for _, conn := range l.slow {
		_ = conn.Close()
	}
	if l.stop != nil {
		close(l.stop)
		l.background.Wait()
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	return nil
}

// burden is what a fault of the process keeps until its end.
type burden struct {
	gate       chan struct{}
	slow       []net.Conn
	stop       chan struct{}
	background sync.WaitGroup
	written    []history.Output
}
