package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Bounds of what is asked of the API server.
const (
	// requestTimeout bounds one request, its wait for the rate included.
	requestTimeout = 15 * time.Second
	// requestsPerSecond and requestBurst bound all requests of a process; a watch
	// is one.
	requestsPerSecond = 20
	requestBurst      = 40
	// maxAnswerBytes bounds an answer that is read whole: a Secret has at most 1
	// MiB, an object in etcd 1.5 MiB.
	maxAnswerBytes = 4 << 20
)

// ErrNoCluster is an environment without a way to an API server.
var ErrNoCluster = errors.New("no Kubernetes API server is known: this is no pod with a service account, and KUBECONFIG is not set")

// ClientConfig configures a Client. The zero value is usable.
type ClientConfig struct {
	// Getenv returns the value of an environment variable, such as os.Getenv; nil
	// means that none is set. KUBECONFIG alone is asked for.
	Getenv func(name string) string
	// UserAgent names the program.
	UserAgent string
}

// Client asks one API server. It knows the few objects that this package needs
// and decodes only those of their fields, so that what it holds of a pod does not
// grow with the pod. It is safe for concurrent use.
type Client struct {
	http  doer
	base  *url.URL
	agent string
	limit *rate.Limiter
}

// doer is the HTTP client of client-go, which opens the connections, presents
// the credentials and renews them.
type doer interface {
	Do(request *http.Request) (*http.Response, error)
}

// NewClient returns a client of the cluster in which the process runs as a pod,
// else of the one that KUBECONFIG names. Nothing is asked of it yet.
func NewClient(cfg ClientConfig) (*Client, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		if config, err = fromFile(cfg.Getenv, err); err != nil {
			return nil, err
		}
	}
	base, _, err := rest.DefaultServerURL(config.Host, "", schema.GroupVersion{}, true)
	if err != nil {
		return nil, fmt.Errorf("address of the API server: %w", err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("client of the API server: %w", err)
	}
	// The credentials are added to each request; following a redirect would show
	// them to whatever host it names.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	// Each request has its own deadline, and a watch none.
	client.Timeout = 0
	return &Client{http: client, base: base, agent: cfg.UserAgent, limit: rate.NewLimiter(requestsPerSecond, requestBurst)}, nil
}

// fromFile returns the configuration that KUBECONFIG names.
func fromFile(getenv func(string) string, inCluster error) (*rest.Config, error) {
	if !errors.Is(inCluster, rest.ErrNotInCluster) {
		return nil, fmt.Errorf("service account of this pod: %w", inCluster)
	}
	files := ""
	if getenv != nil {
		files = getenv(clientcmd.RecommendedConfigPathEnvVar)
	}
	if files == "" {
		return nil, ErrNoCluster
	}
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(files)}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read KUBECONFIG: %w", err)
	}
	return config, nil
}

// call is one request to the API server.
type call struct {
	method string
	// path is below the server's, such as "/api/v1/pods"; its parts are escaped by
	// whoever makes it.
	path        string
	query       url.Values
	contentType string
	// body is sent as JSON; nil sends none.
	body any
}

// do sends c and decodes the answer into into, unless that is nil. A refusal is a
// [StatusError].
func (c *Client) do(ctx context.Context, one call, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := c.open(ctx, one)
	if err != nil {
		return err
	}
	defer answer.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(io.LimitReader(answer, maxAnswerBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", one.method, one.path, err)
	case len(b) > maxAnswerBytes:
		return fmt.Errorf("%s %s: %w: more than %d bytes", one.method, one.path, ErrTooLarge, maxAnswerBytes)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s %s: %w", one.method, one.path, err)
	}
	return nil
}

// open sends a request and returns the body of an answer that is no refusal. The
// caller closes it; ctx bounds its reading.
func (c *Client) open(ctx context.Context, one call) (io.ReadCloser, error) {
	if err := c.limit.Wait(ctx); err != nil {
		return nil, fmt.Errorf("%s %s: %w", one.method, one.path, err)
	}
	request, err := c.request(ctx, one)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the API server: %w", err)
	}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return response.Body, nil
	}
	defer response.Body.Close() //nolint:errcheck // it is an error already
	return nil, readStatus(one, response)
}

func (c *Client) request(ctx context.Context, one call) (*http.Request, error) {
	at := c.base.JoinPath(one.path)
	at.RawQuery = one.query.Encode()
	var body io.Reader
	if one.body != nil {
		b, err := json.Marshal(one.body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", one.method, one.path, err)
		}
		body = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, one.method, at.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", one.method, one.path, err)
	}
	request.Header.Set("Accept", "application/json")
	if c.agent != "" {
		request.Header.Set("User-Agent", c.agent)
	}
	if one.body != nil {
		request.Header.Set("Content-Type", one.contentType)
	}
	return request, nil
}
