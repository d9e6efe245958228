package kubernetes

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Caller is how the API server shows its webhooks who it is: by a certificate of
// an authority that signs nothing else.
type Caller struct {
	// CA is the file with the authority's certificate.
	CA string
	// plugins is the file of --admission-control-config-file.
	plugins string
	pair    pair
}

// webhookHost is the only webhook that the certificate is for, as the API server
// names it: by its Service.
const webhookHost = "vouchsafe-webhook.vouchsafe.svc"

// The API server has a file for each of the two plugins; %[1]q is one for both.
const pluginConfig = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
  - name: MutatingAdmissionWebhook
    configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: WebhookAdmissionConfiguration, kubeConfigFile: %[1]q}
  - name: ValidatingAdmissionWebhook
    configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: WebhookAdmissionConfiguration, kubeConfigFile: %[1]q}
`

const callerConfig = `apiVersion: v1
kind: Config
users: [{name: %q, user: {client-certificate: %q, client-key: %q}}]
`

// newCaller makes the authority and the certificate, and the files by which the
// API server finds it, in a folder of their own.
func newCaller(folder string) (Caller, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return Caller{}, err
	}
	ca, err := newAuthority(folder)
	if err != nil {
		return Caller{}, err
	}
	shown, err := ca.issue("caller", pkix.Name{CommonName: "kube-apiserver"})
	if err != nil {
		return Caller{}, err
	}
	config := filepath.Join(folder, "caller.kubeconfig")
	c := Caller{CA: ca.ca(), plugins: filepath.Join(folder, "admission.yaml"), pair: shown}
	return c, errors.Join(
		os.WriteFile(config, fmt.Appendf(nil, callerConfig, webhookHost, shown.cert, shown.key), 0o600),
		os.WriteFile(c.plugins, fmt.Appendf(nil, pluginConfig, config), 0o600),
	)
}

// Certificate is the one that the API server shows.
func (c Caller) Certificate(tb testing.TB) tls.Certificate { return load(tb, c.pair) }

// NodeCertificate is one by which a kubelet shows the API server who it is: good
// for a client, and of the cluster's authority.
func (c *Cluster) NodeCertificate(tb testing.TB) tls.Certificate {
	tb.Helper()
	of, err := c.ca.issue("some-node", pkix.Name{CommonName: "system:node:some", Organization: []string{"system:nodes"}})
	if err != nil {
		tb.Fatal(err)
	}
	return load(tb, of)
}

func load(tb testing.TB, of pair) tls.Certificate {
	tb.Helper()
	certificate, err := tls.LoadX509KeyPair(of.cert, of.key)
	if err != nil {
		tb.Fatal(err)
	}
	return certificate
}

// PodAddress gives the machine an address out of the pods' range, for one who
// calls from there. The end of the test takes it away.
func PodAddress(tb testing.TB) string {
	tb.Helper()
	const address = "10.244.0.250"
	if out, err := exec.CommandContext(tb.Context(), "ip", "addr", "add", address+"/32", "dev", "lo").CombinedOutput(); err != nil {
		tb.Fatalf("add an address: %v\n%s", err, out)
	}
	tb.Cleanup(func() {
		_ = exec.Command("ip", "addr", "del", address+"/32", "dev", "lo").Run() //nolint:noctx // it ends at once
	})
	return address
}
