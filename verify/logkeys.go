package verify

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"vouchsafe/oci"
)

const (
	// maxLogKeys is far above the shards of a log.
	maxLogKeys      = 32
	maxLogKeysBytes = 256 << 10
)

// parseLogKeys reads PEM blocks of type PUBLIC KEY as the keys of logs, under
// their names: the SHA-256 of a key (RFC 6962, section 3.2; Rekor v1 does the
// same). The error has no path and never holds any of text.
func parseLogKeys(text string) (map[string]*root.TransparencyLog, *oci.FieldError) {
	blocks, problem := pemBlocks(text, pemPublicKey, maxLogKeys, maxLogKeysBytes)
	if problem != nil {
		return nil, problem
	}
	logs := map[string]*root.TransparencyLog{}
	for i, der := range blocks {
		public, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, mistake(fmt.Sprintf("PEM block %d holds no public key of a known kind", i+1), "ECDSA P-256, P-384, P-521, RSA of at least 2048 bits or Ed25519")
		}
		if problem := checkStrength(public); problem != nil {
			return nil, mistake(fmt.Sprintf("PEM block %d: %s", i+1, problem.Message), problem.Hint)
		}
		// A log hashes the one encoding of its key, whatever this PEM holds.
		if der, err = x509.MarshalPKIXPublicKey(public); err != nil {
			return nil, mistake(fmt.Sprintf("PEM block %d holds a key that cannot be used", i+1), "")
		}
		id := sha256.Sum256(der)
		logs[hex.EncodeToString(id[:])] = &root.TransparencyLog{
			ID: id[:], PublicKey: public, HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256,
			// sigstore-go takes the zero time for a log that was forgotten.
			ValidityPeriodStart: time.Unix(0, 0).UTC(),
		}
	}
	return logs, nil
}
