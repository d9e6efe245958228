// Command tsa is Sigstore's timestamp authority around a key in a file. Its own
// command takes a fixed port for metrics and ends when that is taken, and so
// two of them could not run beside each other.
package main

import (
	"flag"
	"log"
	"net"
	"strconv"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

// policy is the policy that each token names: an arc of Sigstore's own.
const policy = "1.3.6.1.4.1.57264.2"

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "HTTP address")
	key := flag.String("key", "", "file with the leaf's key, PEM")
	chain := flag.String("chain", "", "file with leaf, intermediates and root, PEM")
	flag.Parse()
	host, port, err := net.SplitHostPort(*listen)
	if err != nil {
		log.Fatalf("tsa: %v", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		log.Fatalf("tsa: port %q: %v", port, err)
	}
	for name, value := range map[string]any{
		"timestamp-signer":         "file",
		"timestamp-signer-hash":    "sha256",
		"file-signer-key-path":     *key,
		"certificate-chain-path":   *chain,
		"enforce-intermediate-eku": true,
		"default-policy-oid":       policy,
		"accepted-policy-oids":     []string{policy},
		"max-request-body-size":    1 << 20,
	} {
		viper.Set(name, value)
	}
	service := server.NewRestAPIServer(host, number, []string{"http"}, false, 10*time.Second, 10*time.Second)
	service.CleanupTimeout = time.Second
	if err := service.Serve(); err != nil {
		log.Fatalf("tsa: %v", err)
	}
}
