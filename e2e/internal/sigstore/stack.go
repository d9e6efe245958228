package sigstore

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
)

// Stack is a Sigstore that runs. What it holds is public but for the tokens.
type Stack struct {
	// Issuers give the tokens that Fulcio takes.
	Issuers *Issuers
	// Fulcio is the authority that issues, below a root; Stamper signs the
	// timestamps.
	Fulcio, Stamper *Certificate
	// The URLs of the services.
	FulcioURL, RekorURL, Rekor2URL, StampURL, CertificateLogURL string

	folder                string
	certificateLog, rekor *ecdsa.PrivateKey
	tiles                 ed25519.PrivateKey

	// root is the file of the trusted root, configs those of the signing
	// configurations. environment keeps cosign from asking the public instance,
	// which it does even where nothing of that is used.
	root        string
	configs     map[Rekor]string
	environment []string
}

// Start starts all servers and returns when they answer. They end with the test.
func Start(tb testing.TB) *Stack {
	tb.Helper()
	s := &Stack{
		Issuers:        newIssuers(tb),
		Fulcio:         NewIssuing(tb, "fulcio"),
		Stamper:        NewRoot(tb, "stamps").Stamps(tb),
		folder:         tb.TempDir(),
		certificateLog: newKey(tb),
		rekor:          newKey(tb),
		tiles:          newEdwardsKey(tb),
	}
	trillian, trees := s.startTrillian(tb)
	// All at once: each takes most of its time for itself.
	ready := []func(){
		s.startStamps(tb),
		s.startCertificateLog(tb, trillian, trees[0]),
		s.startRekor(tb, trillian, trees[1]),
		s.startTiles(tb),
		s.startFulcio(tb),
	}
	s.instruct(tb)
	for _, wait := range ready {
		wait()
	}
	return s
}

// CertificateLogKey returns the public key of the certificate log.
func (s *Stack) CertificateLogKey(tb testing.TB) string { return publicPEM(tb, s.certificateLog) }

// RekorKey returns the public key of the log of Rekor v1.
func (s *Stack) RekorKey(tb testing.TB) string { return publicPEM(tb, s.rekor) }

// startTrillian starts the logs' store with two empty trees.
func (s *Stack) startTrillian(tb testing.TB) (host string, trees []string) {
	tb.Helper()
	host, _ = address(tb)
	p := s.start(tb, "trillian", "-listen", host, "-trees", "2")
	p.await(tb, "two trees", func() bool {
		trees = strings.Fields(p.stdout.String())
		return len(trees) == 2
	})
	return host, trees
}

func (s *Stack) startStamps(tb testing.TB) (wait func()) {
	tb.Helper()
	host, _ := address(tb)
	s.StampURL = "http://" + host + "/api/v1/timestamp"
	p := s.start(tb, "tsa", "-listen", host,
		"-key", file(tb, s.folder, "stamper.key", privatePEM(tb, s.Stamper.key)),
		"-chain", file(tb, s.folder, "stamper.pem", s.Stamper.Chain()))
	return func() { p.awaitAnswer(tb, "http://"+host+"/ping") }
}

func (s *Stack) startCertificateLog(tb testing.TB, trillian, tree string) (wait func()) {
	tb.Helper()
	host, _ := address(tb)
	s.CertificateLogURL = "http://" + host + "/log"
	var key strings.Builder
	for _, b := range privateDER(tb, s.certificateLog) {
		fmt.Fprintf(&key, `\x%02x`, b)
	}
	root := file(tb, s.folder, "fulcio-root.pem", s.Fulcio.Issuer().PEM())
	config := fmt.Sprintf(`config {
  log_id: %s
  prefix: "log"
  roots_pem_file: %q
  private_key: { [type.googleapis.com/keyspb.PrivateKey] { der: "%s" } }
  ext_key_usages: "CodeSigning"
}
`, tree, root, key.String())
	p := s.start(tb, "ct_server", "--http_endpoint", host, "--log_rpc_server", trillian,
		"--log_config", file(tb, s.folder, "certificate-log.cfg", config), "--get_sth_interval", "1s", "--logtostderr")
	return func() { p.awaitAnswer(tb, s.CertificateLogURL+"/ct/v1/get-sth") }
}

func (s *Stack) startRekor(tb testing.TB, trillian, tree string) (wait func()) {
	tb.Helper()
	host, port := address(tb)
	s.RekorURL = "http://" + host
	logHost, logPort, _ := strings.Cut(trillian, ":")
	p := s.start(tb, "rekor-server", "serve",
		"--rekor_server.address", "127.0.0.1", "--port", port, "--rekor_server.hostname", "rekor.e2e.example",
		"--trillian_log_server.address", logHost, "--trillian_log_server.port", logPort, "--trillian_log_server.tlog_id", tree,
		"--rekor_server.signer", file(tb, s.folder, "rekor.key", privatePEM(tb, s.rekor)),
		// What is left out is all that would need a database: its search index.
		"--enable_retrieve_api=false", "--enabled_api_endpoints",
		"getLogInfo,getPublicKey,getLogProof,createLogEntry,getLogEntryByIndex,getLogEntryByUUID,searchLogQuery")
	return func() { p.awaitAnswer(tb, s.RekorURL+"/api/v1/log") }
}

// startTiles starts Rekor v2. A verifier wants the name of the host in a trusted
// root's URL to be the origin of its checkpoints.
func (s *Stack) startTiles(tb testing.TB) (wait func()) {
	tb.Helper()
	host, port := address(tb)
	_, grpc := address(tb)
	_, metrics := address(tb)
	s.Rekor2URL = "http://" + host
	p := s.start(tb, "rekor-tiles", "serve", "--hostname", "127.0.0.1",
		"--http-address", "127.0.0.1", "--http-port", port,
		"--grpc-address", "127.0.0.1", "--grpc-port", grpc, "--http-metrics-port", metrics,
		"--storage-dir", s.folder+"/tiles", "--signer-filepath", file(tb, s.folder, "tiles.key", privatePEM(tb, s.tiles)),
		"--checkpoint-interval", "200ms", "--batch-max-age", "50ms")
	return func() { p.awaitAnswer(tb, s.Rekor2URL+"/healthz") }
}

func (s *Stack) startFulcio(tb testing.TB) (wait func()) {
	tb.Helper()
	host, port := address(tb)
	_, grpc := address(tb)
	_, metrics := address(tb)
	s.FulcioURL = "http://" + host
	p := s.start(tb, "fulcio", "serve", "--host", "127.0.0.1", "--port", port,
		"--grpc-host", "127.0.0.1", "--grpc-port", grpc, "--metrics-port", metrics,
		"--legacy-unix-domain-socket", s.folder+"/fulcio.sock",
		"--ca", "fileca", "--fileca-watch=false", "--fileca-key-passwd", "the key is not encrypted",
		"--fileca-cert", file(tb, s.folder, "fulcio.pem", s.Fulcio.Chain()),
		"--fileca-key", file(tb, s.folder, "fulcio.key", privatePEM(tb, s.Fulcio.key)),
		"--ct-log-url", s.CertificateLogURL,
		"--ct-log-public-key-path", file(tb, s.folder, "certificate-log.pub", s.CertificateLogKey(tb)),
		"--config-path", file(tb, s.folder, "fulcio.yaml", s.fulcioConfig()))
	return func() { p.awaitAnswer(tb, s.FulcioURL+"/healthz") }
}
