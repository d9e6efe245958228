package kubernetes_test

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"vouchsafe/e2e/internal/kubernetes"
)

// callAs sends a review from an address with a certificate, or with none.
func (w *world) callAs(t *testing.T, from string, certificate *tls.Certificate) (int, error) {
	t.Helper()
	d := w.direct(t)
	transport := d.client.Transport.(*http.Transport)
	transport.DisableKeepAlives = true
	transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext
	// A client that may choose would show nothing to a server that does not know its
	// authority; this one shows what it is given.
	transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if certificate == nil {
			return &tls.Certificate{}, nil
		}
		return certificate, nil
	}
	response, err := d.client.Post(d.base+"/validate?timeout=10s", "application/json", bytes.NewReader(review(t, "caller", podOf(w.signed))))
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func TestOnlyTheAPIServerIsAnsweredWhereItsCertificateIsDemanded(t *testing.T) {
	w := newWorld(t, "VOUCHSAFE_WEBHOOK_CLIENT_CA_FILE="+cluster.Caller.CA)
	failClosed(t)
	checkServed(t, w, time.Second)

	pod := kubernetes.PodAddress(t)
	shown, of := cluster.Caller.Certificate(t), cluster.NodeCertificate(t)
	if status, err := w.callAs(t, pod, &shown); status != http.StatusOK {
		t.Fatalf("with the API server's certificate: got %d %v, so that the others show nothing", status, err)
	}
	for name, certificate := range map[string]*tls.Certificate{
		"no certificate": nil, "a node's certificate, of the cluster's authority": &of,
	} {
		status, err := w.callAs(t, pod, certificate)
		if err == nil || !strings.Contains(err.Error(), "remote error: tls: ") {
			t.Errorf("%s, from a pod's address: got %d %v, want an alert of TLS", name, status, err)
		}
		t.Logf("%s: %v", name, err)
	}
	checkServed(t, w, time.Second)
}
