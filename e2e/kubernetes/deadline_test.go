package kubernetes_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/kubernetes"
)

// silent accepts connections and never answers, the worst that an upstream does.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	var mu sync.Mutex
	var open []net.Conn
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range open {
			_ = conn.Close()
		}
	})
	return listener.Addr().String()
}

func TestEveryReviewIsAnsweredInTimeWithAllUpstreamsDead(t *testing.T) {
	const (
		reviews = 40
		limit   = 3 * time.Second // timeoutSeconds of the configuration below
	)
	w := newOrigin(t)
	install(t)
	documents := w.documents(t)
	documents["docker.yaml"] = gateway.Registry("docker.io", silent(t))
	documents["dead.yaml"] = gateway.Registry(dead, silent(t))
	setWebhooks(t, validating, "timeoutSeconds", int(limit/time.Second))
	setWebhooks(t, validating, "failurePolicy", "Fail")
	w.webhook = w.serve(t, documents)
	w.awaitVerdicts(t)
	cluster.Namespace(t, "dead", nil)

	answers := make([]kubernetes.Answer, reviews)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			image := fmt.Sprintf("docker.io/acme/app-%d:1", i%20)
			if i%4 == 0 {
				image = fmt.Sprintf("%s/acme/app-%d:1", dead, i%20)
			}
			answers[i] = create(t, "dead", workloads[i%len(workloads)].kind, podNamed(image), "")
		})
	}
	group.Wait()
	var slowest time.Duration
	for i, answer := range answers {
		slowest = max(slowest, answer.Took)
		// Had the API server waited in vain, the answer were 500 and name the
		// webhook that failed.
		if answer.Status != http.StatusServiceUnavailable || strings.Contains(answer.Message(), "failed calling webhook") || !strings.Contains(answer.Message(), "try again") {
			t.Errorf("review %d: got %d %s", i, answer.Status, answer.Message())
		}
		if answer.Took > limit {
			t.Errorf("review %d took %s, want at most %s", i, answer.Took, limit)
		}
	}
	t.Logf("%d reviews with all upstreams dead, deadline %s: all answered, the slowest in %s", reviews, limit, slowest)
}
