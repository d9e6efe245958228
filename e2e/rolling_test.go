package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/origin"
)

// balancer hands TCP connections to the members that say that they are ready, in
// turn, as a load balancer in front of replicas does.
type balancer struct {
	host string

	mu      sync.Mutex // guards what follows
	members []*gateway.Gateway
	ready   map[*gateway.Gateway]bool
	next    int
}

func newBalancer(tb testing.TB, members ...*gateway.Gateway) *balancer {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	b := &balancer{host: listener.Addr().String(), members: members, ready: map[*gateway.Gateway]bool{}}
	end := make(chan struct{})
	tb.Cleanup(func() {
		close(end)
		_ = listener.Close()
	})
	b.look()
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				b.look()
			case <-end:
				return
			}
		}
	}()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go b.carry(conn)
		}
	}()
	return b
}

// look asks every member whether it is ready.
func (b *balancer) look() {
	for _, member := range b.all() {
		ready := member.Ready()
		b.mu.Lock()
		b.ready[member] = ready
		b.mu.Unlock()
	}
}

func (b *balancer) all() []*gateway.Gateway {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.members)
}

// replace puts a new process in the place of one that has ended.
func (b *balancer) replace(old, with *gateway.Gateway) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members[slices.Index(b.members, old)] = with
}

func (b *balancer) pick() *gateway.Gateway {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.members {
		b.next++
		if member := b.members[b.next%len(b.members)]; b.ready[member] {
			return member
		}
	}
	return nil
}

func (b *balancer) carry(conn net.Conn) {
	defer conn.Close()
	member := b.pick()
	if member == nil {
		return
	}
	upstream, err := net.Dial("tcp", member.Host)
	if err != nil {
		return
	}
	defer upstream.Close()
	go func() {
		_, _ = io.Copy(upstream, conn)
		_ = upstream.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(conn, upstream)
}

func TestRollingRestart(t *testing.T) {
	at := origin.Distribution(t, nil)
	key := cosign.NewKey(t, cosign.Layouts()[0])
	image := at.Push(t, "acme/single", "1")
	key.Sign(t, at, image, cosign.Layouts()[0])
	index := at.PushIndex(t, "acme/index", "1")
	key.Sign(t, at, index, cosign.Layouts()[0], "--recursive")
	documents := enforced(t, gateway.Registry("docker.io", at.Host), key)
	env := []string{"VOUCHSAFE_DRAIN_DELAY=1s", "VOUCHSAFE_DRAIN_TIMEOUT=20s"}
	members := []*gateway.Gateway{gateway.Start(t, documents, env...), gateway.Start(t, documents, env...)}
	b := newBalancer(t, members...)

	steps := map[string][]string{
		"acme/single": {"manifests/1", "manifests/" + image.Digest, "blobs/" + image.Blobs[0], "blobs/" + image.Blobs[1]},
		"acme/index": {
			"manifests/1", "manifests/" + index.Digest, "manifests/" + index.Children[0],
			"blobs/" + index.Blobs[0], "blobs/" + index.Blobs[1],
		},
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 50}, Timeout: gateway.Patience}
	pull := func(repository string) error {
		for i, step := range steps[repository] {
			method := http.MethodGet
			if i == 0 {
				method = http.MethodHead
			}
			if err := fetch(client, method, "http://"+b.host+"/v2/docker.io/"+repository+"/"+step, ""); err != nil {
				return fmt.Errorf("%s: %w", repository, err)
			}
		}
		return nil
	}

	// 50 pulls a second from now on, each at its time whether or not those
	// before it have ended.
	var (
		running  sync.WaitGroup
		mu       sync.Mutex // guards failures and done
		failures []error
		done     int
	)
	stop := make(chan struct{})
	generated := make(chan int)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				generated <- n
				return
			case <-tick.C:
			}
			repository := []string{"acme/single", "acme/index"}[n%2]
			running.Go(func() {
				err := pull(repository)
				mu.Lock()
				defer mu.Unlock()
				done++
				if err != nil {
					failures = append(failures, err)
				}
			})
		}
	}()
	pulled := func() int {
		mu.Lock()
		defer mu.Unlock()
		return done
	}
	for round := range 2 {
		for _, old := range b.all() {
			before := pulled()
			old.Await(t, "pulls before the restart", func() bool { return pulled() >= before+50 })
			old.Stop(t)
			fresh := gateway.Start(t, documents, env...)
			b.replace(old, fresh)
			t.Logf("round %d: a process was replaced after %d pulls", round, pulled())
		}
	}
	members = b.all()
	before := pulled()
	members[0].Await(t, "pulls after the restarts", func() bool { return pulled() >= before+50 })
	close(stop)
	total := <-generated
	running.Wait()
	for i, err := range failures {
		if i < 10 {
			t.Error(err)
		}
	}
	t.Logf("%d of %d pulls failed over 4 restarts", len(failures), total)
	if total < 200 || len(failures) > 0 {
		t.Errorf("%d of %d pulls failed, want none of at least 200", len(failures), total)
	}
}
