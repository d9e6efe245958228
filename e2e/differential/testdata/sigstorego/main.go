// Command sigstorego verifies signatures by sigstore-go's own verifier: it reads a
// JSON list of questions and prints one of answers, empty for yes. It is built
// among the packages of the product's module, whose sigstore-go it takes.
package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

type question struct {
	Root, Key, Identity, Issuer, Digest string
	Bundle, Payload                     []byte
	Annotations                         map[string]string
	Log, Stamp, SCT                     bool
}

func main() {
	var all []question
	if err := json.NewDecoder(os.Stdin).Decode(&all); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	answers := make([]string, len(all))
	for i, q := range all {
		if err := q.ask(); err != nil {
			answers[i] = err.Error()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		os.Exit(2)
	}
}

// keyed is a root that trusts a key too.
type keyed struct {
	*root.TrustedRoot
	verifier root.TimeConstrainedVerifier
}

func (k keyed) PublicKeyVerifier(string) (root.TimeConstrainedVerifier, error) {
	return k.verifier, nil
}

func (q question) ask() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	trusted, err := root.NewTrustedRootFromJSON([]byte(q.Root))
	if err != nil {
		return err
	}
	var material root.TrustedMaterial = trusted
	var options []verify.VerifierOption
	var rules []verify.PolicyOption
	if q.Log {
		options = append(options, verify.WithTransparencyLog(1))
	}
	if q.Stamp {
		options = append(options, verify.WithSignedTimestamps(1))
	}
	switch {
	case q.Key != "":
		public, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(q.Key))
		if err != nil {
			return err
		}
		verifier, err := signature.LoadDefaultVerifier(public)
		if err != nil {
			return err
		}
		material = keyed{trusted, root.NewExpiringKey(verifier, time.Time{}, time.Time{})}
		options = append(options, verify.WithNoObserverTimestamps())
		rules = append(rules, verify.WithKey())
	default:
		identity, err := verify.NewShortCertificateIdentity(q.Issuer, "", q.Identity, "")
		if err != nil {
			return err
		}
		rules = append(rules, verify.WithCertificateIdentity(identity))
		if q.Log || q.Stamp {
			options = append(options, verify.WithObserverTimestamps(1))
		} else {
			options = append(options, verify.WithCurrentTime())
		}
		if q.SCT {
			options = append(options, verify.WithSignedCertificateTimestamps(1))
		}
	}
	verifier, err := verify.NewVerifier(material, options...)
	if err != nil {
		return err
	}
	one, artifact, err := q.entity()
	if err != nil {
		return err
	}
	_, err = verifier.Verify(one, verify.NewPolicy(artifact, rules...))
	return err
}

// entity is the bundle, or what a signature under a tag is as one.
func (q question) entity() (*bundle.Bundle, verify.ArtifactPolicyOption, error) {
	if q.Bundle != nil {
		one := &bundle.Bundle{}
		if err := one.UnmarshalJSON(q.Bundle); err != nil {
			return nil, nil, err
		}
		sum, err := hex.DecodeString(q.Digest)
		return one, verify.WithArtifactDigest("sha256", sum), err
	}
	var said struct {
		Critical struct {
			Image struct {
				Digest string `json:"docker-manifest-digest"`
			}
		}
	}
	if err := json.Unmarshal(q.Payload, &said); err != nil {
		return nil, nil, err
	}
	if said.Critical.Image.Digest != "sha256:"+q.Digest {
		return nil, nil, errors.New("of another image")
	}
	raw, err := base64.StdEncoding.DecodeString(q.Annotations["dev.cosignproject.cosign/signature"])
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(q.Payload)
	known := &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{}}}
	if q.Key == "" {
		block, _ := pem.Decode([]byte(q.Annotations["dev.sigstore.cosign/certificate"]))
		if block == nil {
			return nil, nil, errors.New("no certificate")
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, nil, err
		}
		known.Content = &protobundle.VerificationMaterial_X509CertificateChain{X509CertificateChain: &protocommon.X509CertificateChain{
			Certificates: []*protocommon.X509Certificate{{RawBytes: block.Bytes}},
		}}
	}
	if text := q.Annotations["dev.sigstore.cosign/bundle"]; text != "" && q.Log {
		entry, err := entryOf([]byte(text))
		if err != nil {
			return nil, nil, err
		}
		known.TlogEntries = append(known.TlogEntries, entry)
	}
	if text := q.Annotations["dev.sigstore.cosign/rfc3161timestamp"]; text != "" {
		var stamp struct{ SignedRFC3161Timestamp []byte }
		if err := json.Unmarshal([]byte(text), &stamp); err != nil {
			return nil, nil, err
		}
		known.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp.SignedRFC3161Timestamp}},
		}
	}
	one, err := bundle.NewBundle(&protobundle.Bundle{
		MediaType:            "application/vnd.dev.sigstore.bundle+json;version=0.1",
		VerificationMaterial: known,
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
			MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: sum[:]}, Signature: raw,
		}},
	})
	return one, verify.WithArtifact(bytes.NewReader(q.Payload)), err
}

// entryOf is a log entry that cosign attached.
func entryOf(text []byte) (*protorekor.TransparencyLogEntry, error) {
	var said struct {
		SignedEntryTimestamp []byte
		Payload              struct {
			Body                     []byte
			IntegratedTime, LogIndex int64
			LogID                    string
		}
	}
	var kind struct{ APIVersion, Kind string }
	if err := json.Unmarshal(text, &said); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(said.Payload.Body, &kind); err != nil {
		return nil, err
	}
	id, err := hex.DecodeString(said.Payload.LogID)
	return &protorekor.TransparencyLogEntry{
		LogIndex: said.Payload.LogIndex, LogId: &protocommon.LogId{KeyId: id},
		KindVersion:       &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion},
		IntegratedTime:    said.Payload.IntegratedTime,
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: said.SignedEntryTimestamp},
		CanonicalizedBody: said.Payload.Body,
	}, err
}
