package verify

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
)

var (
	errEntryShape = errors.New("it cannot be read")
	errTokenShape = errors.New("it cannot be read")
)

// annotatedLeaf reads the one certificate of a certificate annotation.
func annotatedLeaf(text string) (*x509.Certificate, error) {
	if text == "" {
		return nil, errNoCertificate
	}
	if len(text) > 2*maxCertificateBytes {
		return nil, errBigCertificate
	}
	all := pemCertificates(text)
	if len(all) != 1 {
		return nil, fmt.Errorf("the annotation holds %d certificates, wanted one", len(all))
	}
	return parseLeaf(all[0])
}

// pemCertificates returns the certificates of a PEM text in DER, as many as are
// ever wanted and one more.
func pemCertificates(text string) [][]byte {
	if len(text) > 2*maxHints*maxCertificateBytes {
		return nil
	}
	var all [][]byte
	rest := []byte(text)
	for len(all) <= maxHints {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			all = append(all, block.Bytes)
		}
	}
	return all
}

// annotatedEntry reads the log entry that cosign writes beside a signature: body,
// index, time and the log's signature over these. No annotation is no entry.
func annotatedEntry(text string) ([]*protorekor.TransparencyLogEntry, error) {
	if text == "" || text == "null" {
		return nil, nil
	}
	if len(text) > maxEntryBytes {
		return nil, fmt.Errorf("it is larger than %d bytes", maxEntryBytes)
	}
	var entry struct {
		SignedEntryTimestamp []byte
		Payload              struct {
			Body           []byte `json:"body"`
			IntegratedTime int64  `json:"integratedTime"`
			LogIndex       int64  `json:"logIndex"`
			LogID          string `json:"logID"` //nolint:tagliatelle // the name that cosign writes
		}
	}
	if err := json.Unmarshal([]byte(text), &entry); err != nil {
		return nil, errEntryShape
	}
	logID, err := hex.DecodeString(entry.Payload.LogID)
	if err != nil || len(logID) == 0 || len(entry.SignedEntryTimestamp) == 0 {
		return nil, errEntryShape
	}
	return []*protorekor.TransparencyLogEntry{{
		LogIndex:          entry.Payload.LogIndex,
		LogId:             &protocommon.LogId{KeyId: logID},
		KindVersion:       kindOf(entry.Payload.Body),
		IntegratedTime:    entry.Payload.IntegratedTime,
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: entry.SignedEntryTimestamp},
		CanonicalizedBody: entry.Payload.Body,
	}}, nil
}

// kindOf is the kind and version that an entry's own body states.
func kindOf(body []byte) *protorekor.KindVersion {
	var said struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return &protorekor.KindVersion{}
	}
	return &protorekor.KindVersion{Kind: said.Kind, Version: said.APIVersion}
}

// annotatedToken reads the RFC 3161 timestamp that cosign writes beside a
// signature. No annotation is no timestamp.
func annotatedToken(text string) ([][]byte, error) {
	if text == "" || text == "null" {
		return nil, nil
	}
	if len(text) > 2*maxTokenBytes {
		return nil, fmt.Errorf("it is larger than %d bytes", maxTokenBytes)
	}
	var stamp struct {
		SignedRFC3161Timestamp string
	}
	if err := json.Unmarshal([]byte(text), &stamp); err != nil {
		return nil, errTokenShape
	}
	token, err := base64.StdEncoding.DecodeString(stamp.SignedRFC3161Timestamp)
	if err != nil || len(bytes.TrimSpace(token)) == 0 {
		return nil, errTokenShape
	}
	return [][]byte{token}, nil
}
