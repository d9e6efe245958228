package lab

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"time"
)

// oidSCTs is the extension of embedded certificate timestamps (RFC 6962, section
// 3.3).
var oidSCTs = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}

// Numbers of RFC 6962, section 3.2, and of RFC 5246, section 7.4.1.4.1.
const (
	sctVersion1     = 0
	sctOfCertified  = 0
	sctPrecertEntry = 1
	tlsSHA256       = 4
	tlsECDSA        = 3
)

// published returns the extension by which log promises that it has the
// certificate that by makes of template for key. The promise is over the text of
// that certificate without this extension, which has to come last.
func published(template *x509.Certificate, key *Key, by *Authority, log *Key) (pkix.Extension, error) {
	bare, err := issue(template, by.issuing, key, by.issuingKey)
	if err != nil {
		return pkix.Extension{}, err
	}
	at := uint64(time.Now().UnixMilli())
	issuerKey := sha256.Sum256(by.issuing.RawSubjectPublicKeyInfo)
	head := binary.BigEndian.AppendUint64([]byte{sctVersion1, sctOfCertified}, at)
	head = binary.BigEndian.AppendUint16(head, sctPrecertEntry)
	text := append(head, issuerKey[:]...)
	text = append(text, lengthOf(3, bare.RawTBSCertificate)...)
	text = append(text, 0, 0) // no extensions
	signature, err := log.sign(text)
	if err != nil {
		return pkix.Extension{}, err
	}
	id := log.id()
	sct := append([]byte{sctVersion1}, id[:]...)
	sct = binary.BigEndian.AppendUint64(sct, at)
	sct = append(sct, 0, 0, tlsSHA256, tlsECDSA)
	sct = append(sct, lengthOf(2, signature)...)
	value, err := asn1.Marshal(lengthOf(2, lengthOf(2, sct)))
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("encode certificate timestamp: %w", err)
	}
	return pkix.Extension{Id: oidSCTs, Value: value}, nil
}

// lengthOf puts the length of b before it, in width bytes.
func lengthOf(width int, b []byte) []byte {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(b)))
	return append(append([]byte{}, length[8-width:]...), b...)
}
