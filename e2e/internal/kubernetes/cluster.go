package kubernetes

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vouchsafe/e2e/internal/tool"
)

const (
	// apiURL is where the API server is for all but pods. The port is the one
	// that pods use, since nothing translates it.
	apiURL  = "https://" + NodeIP + ":443"
	etcdURL = "http://127.0.0.1:2379"
)

// Cluster is a running control plane and, after [Cluster.AddNode], a node.
type Cluster struct {
	// Kubeconfig is the file by which an administrator reaches the API server.
	Kubeconfig string
	// Took says how long each program took until it served.
	Took map[string]time.Duration
	// Caller is what the API server shows webhooks that ask for a certificate.
	Caller Caller

	folder    string
	ca        *authority
	tokens    pair
	client    *http.Client
	processes []*process // in the order in which they were started
	node      *node
}

// Start starts etcd, the API server and the controllers, with all files in
// folder. Whatever it returns is to be stopped, also after an error.
func Start(folder string) (*Cluster, error) {
	c := &Cluster{folder: folder, Took: map[string]time.Duration{}}
	var err error
	if c.ca, err = newAuthority(folder); err != nil {
		return c, err
	}
	if c.tokens, err = c.ca.serviceAccounts(); err != nil {
		return c, err
	}
	if c.Caller, err = newCaller(filepath.Join(folder, "caller")); err != nil {
		return c, err
	}
	admin, err := c.user("admin", pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}})
	if err != nil {
		return c, err
	}
	c.Kubeconfig = admin.config
	if c.client, err = c.newClient(admin.pair); err != nil {
		return c, err
	}
	for _, step := range []struct {
		name  string
		start func() error
	}{
		{"etcd", c.startEtcd},
		{"kube-apiserver", c.startAPI},
		{"kube-controller-manager", c.startControllers},
	} {
		begun := time.Now()
		if err := step.start(); err != nil {
			return c, err
		}
		c.Took[step.name] = time.Since(begun)
	}
	return c, nil
}

// user is a client of the API server.
type user struct {
	pair
	config string
}

func (c *Cluster) user(file string, subject pkix.Name, names ...string) (user, error) {
	certificate, err := c.ca.issue(file, subject, names...)
	if err != nil {
		return user{}, err
	}
	config, err := c.ca.kubeconfig(file, certificate)
	return user{certificate, config}, err
}

// newClient returns a client that presents a certificate and trusts the
// cluster's authority alone.
func (c *Cluster) newClient(of pair) (*http.Client, error) {
	certificate, err := tls.LoadX509KeyPair(of.cert, of.key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.ca.cert)
	return &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{certificate}},
			MaxIdleConnsPerHost: 16,
		},
	}, nil
}

func (c *Cluster) startEtcd() error {
	const peer = "http://127.0.0.1:2380"
	p, err := c.start("etcd", nil, "etcd", "--name=e2e", "--data-dir="+filepath.Join(c.folder, "etcd"),
		"--listen-client-urls="+etcdURL, "--advertise-client-urls="+etcdURL,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=e2e="+peer,
		// Nothing has to survive the machine.
		"--unsafe-no-fsync")
	if err != nil {
		return fmt.Errorf("%w (Debian: apt-get install etcd-server)", err)
	}
	return p.await("to be healthy", func() bool { return answers(http.DefaultClient, etcdURL+"/health") })
}

// startAPI starts the API server, a second time as well.
func (c *Cluster) startAPI() error {
	server, err := c.ca.issue("apiserver", pkix.Name{CommonName: "kube-apiserver"},
		NodeIP, apiIP, "127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	kubelets, err := c.ca.issue("apiserver-kubelet", pkix.Name{CommonName: "apiserver-kubelet-client", Organization: []string{"system:masters"}})
	if err != nil {
		return err
	}
	p, err := c.start("kube-apiserver", nil, program("kube-apiserver"), "--etcd-servers="+etcdURL,
		"--secure-port=443", "--bind-address=0.0.0.0", "--advertise-address="+NodeIP,
		"--tls-cert-file="+server.cert, "--tls-private-key-file="+server.key, "--client-ca-file="+c.ca.ca(),
		"--kubelet-client-certificate="+kubelets.cert, "--kubelet-client-key="+kubelets.key,
		"--kubelet-certificate-authority="+c.ca.ca(), "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.tokens.cert, "--service-account-signing-key-file="+c.tokens.key,
		"--service-cluster-ip-range="+serviceCIDR, "--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--admission-control-config-file="+c.Caller.plugins,
		// Webhooks are asked at the addresses behind their Services, since nothing
		// here routes Services.
		"--enable-aggregator-routing=true",
		// Debian's etcd has not what this asks for.
		"--feature-gates=SizeBasedListCostEstimate=false", "--profiling=false")
	if err != nil {
		return err
	}
	return p.await("to be ready", func() bool { return answers(c.client, apiURL+"/readyz") })
}

func (c *Cluster) startControllers() error {
	u, err := c.user("controllers", pkix.Name{CommonName: "system:kube-controller-manager"})
	if err != nil {
		return err
	}
	p, err := c.start("kube-controller-manager", nil, program("kube-controller-manager"), "--kubeconfig="+u.config,
		"--service-account-private-key-file="+c.tokens.key, "--root-ca-file="+c.ca.ca(),
		"--use-service-account-credentials=true", "--leader-elect=false", "--bind-address=127.0.0.1",
		"--kube-api-qps=200", "--kube-api-burst=400")
	if err != nil {
		return err
	}
	// The first sign that controllers work, and what pods need.
	return p.await("the default service account", func() bool {
		return answers(c.client, apiURL+"/api/v1/namespaces/default/serviceaccounts/default")
	})
}

// Stop ends every program, the last started first.
func (c *Cluster) Stop() {
	for _, p := range slices.Backward(c.processes) {
		p.stop()
	}
	c.processes = nil
}

// Logs returns the ends of the programs' logs.
func (c *Cluster) Logs() string {
	var logs strings.Builder
	for _, p := range c.processes {
		fmt.Fprintf(&logs, "== the end of %s's log\n%s\n", p.name, p.last())
	}
	return logs.String()
}

// program returns the path of one of Kubernetes' programs.
func program(name string) string { return filepath.Join(tool.Path("kubernetes"), name) }

// answers reports whether a GET of url is answered with 200.
func answers(client *http.Client, url string) bool {
	response, err := client.Get(url) //nolint:noctx // the cluster's own, and the client has a limit
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	return errors.Join(err, response.Body.Close()) == nil && response.StatusCode == http.StatusOK
}
