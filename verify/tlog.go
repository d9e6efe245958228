package verify

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
)

// loggedEntry is a log entry that was verified and is bound to the signature, its
// key or certificate, and what it covers.
type loggedEntry struct {
	entry *tlog.Entry
	// at is when the log says that it took the entry, signed by it; zero for an
	// entry that proves that it was logged and not when.
	at time.Time
}

// checkLog reads the attached log entries where one is demanded, or where the
// time of one can decide. Each is judged alone: one that is good counts, whatever
// else was attached.
func checkLog(a *attempt) *miss {
	if !a.trust.demandLog && !a.wantsTime() {
		return nil
	}
	attached, err := guard(a.signed.entries)
	if err != nil {
		a.doubt("log entry", err)
	}
	for at, one := range attached[:min(len(attached), MaxLogEntries)] {
		log := a.trust.logs[hex.EncodeToString(one.GetLogId().GetKeyId())]
		entry, err := recall(a.signed, entryKey{at, log, a.signer.key, a.signer.leaf}, func() (loggedEntry, error) { return a.logged(one) })
		if err != nil {
			a.doubt("log entry", err)
			continue
		}
		a.entries = append(a.entries, entry)
	}
	if !a.trust.demandLog || len(a.entries) > 0 {
		return nil
	}
	return a.checkAnswer()
}

// entryKey is what the outcome for one entry depends on; at is below zero for one
// that a log answered.
type entryKey struct {
	at   int
	log  *root.TransparencyLog
	key  *trustedKey
	leaf *x509.Certificate
}

// doubt keeps why something that was attached does not count.
func (a *attempt) doubt(what string, err error) {
	a.doubts = append(a.doubts, fmt.Sprintf("the %s does not count: %s", what, clean(err.Error())))
}

// entryKinds are the entries that are read, the others feed no parser.
var entryKinds = map[string]bool{
	"hashedrekord 0.0.1": true, "hashedrekord 0.0.2": true, "dsse 0.0.1": true, "intoto 0.0.2": true,
}

// logged verifies one entry against the trusted logs and this signature.
func (a *attempt) logged(raw *protorekor.TransparencyLogEntry) (loggedEntry, error) {
	entry, err := a.readEntry(raw)
	if err != nil {
		return loggedEntry{}, err
	}
	content := a.contentFor(entry)
	if err := bound(entry, a.signer, a.signed, content); err != nil {
		return loggedEntry{}, err
	}
	one := &entity{content: content, by: a.signer.content, entry: entry}
	id := hex.EncodeToString([]byte(entry.LogKeyID()))
	trusted := &material{logs: map[string]*root.TransparencyLog{id: a.trust.logs[id]}, verifier: a.signer.verifier}
	times, err := sgverify.VerifyTlogEntry(one, trusted, 1, true)
	switch {
	case err != nil && strings.Contains(err.Error(), "not enough verified"):
		return loggedEntry{}, errors.New("the log's signature over it does not verify")
	case err != nil:
		return loggedEntry{}, err
	}
	good := loggedEntry{entry: entry}
	if len(times) == 1 {
		good.at = times[0].Time.UTC()
	}
	return good, nil
}

// readEntry parses an entry of a trusted log that has the proofs that it must.
func (a *attempt) readEntry(raw *protorekor.TransparencyLogEntry) (*tlog.Entry, error) {
	id := hex.EncodeToString(raw.GetLogId().GetKeyId())
	if a.trust.logs[id] == nil {
		return nil, fmt.Errorf("it is of a log that is not trusted (%.16s…)", id)
	}
	kind := kindOf(raw.GetCanonicalizedBody())
	name := kind.GetKind() + " " + kind.GetVersion()
	if !entryKinds[name] {
		return nil, fmt.Errorf("entries of kind %s are not read", quote(name))
	}
	if said := raw.GetKindVersion(); said.GetKind() != kind.GetKind() || said.GetVersion() != kind.GetVersion() {
		return nil, errors.New("its body is of another kind than it says")
	}
	proof := raw.GetInclusionProof()
	if len(proof.GetHashes()) > maxProofHashes || len(proof.GetCheckpoint().GetEnvelope()) > maxCheckpointBytes {
		return nil, errors.New("its proof of inclusion is larger than any that is read")
	}
	// A megabyte of "{}," would become a hundred times its size.
	if err := scanShape(raw.GetCanonicalizedBody()); err != nil {
		return nil, errEntryShape
	}
	entry, err := tlog.ParseTransparencyLogEntry(raw)
	switch {
	case err != nil:
		return nil, errEntryShape
	case a.signed.mustProve && !entry.HasInclusionProof():
		return nil, errors.New("a bundle from version 0.2 on needs an inclusion proof")
	case a.signed.mustPromise && !entry.HasInclusionPromise():
		return nil, errors.New("a bundle of version 0.1 needs a signed entry timestamp")
	}
	return entry, nil
}

// bundle is what the first verified entry proves, for people; nil without one.
func (a *attempt) bundle() *RekorBundle {
	if len(a.entries) == 0 {
		return nil
	}
	one := a.entries[0]
	raw := one.entry.TransparencyLogEntry()
	shown := &RekorBundle{LogID: hex.EncodeToString(raw.GetLogId().GetKeyId()), LogIndex: raw.GetLogIndex()}
	if !one.at.IsZero() {
		shown.IntegratedTime = one.at.Unix()
	}
	proof := raw.GetInclusionProof()
	if proof == nil {
		return shown
	}
	if one.at.IsZero() && !one.entry.IsRekorV2() {
		// Only a signed entry timestamp signs the index over all shards.
		shown.LogIndex = proof.GetLogIndex()
	}
	shown.InclusionProof = provenIn(proof)
	return shown
}

// provenIn takes size and root hash from the checkpoint, which is signed, rather
// than from beside it.
func provenIn(proof *protorekor.InclusionProof) *InclusionProof {
	checkpoint := proof.GetCheckpoint().GetEnvelope()
	lines := strings.SplitN(checkpoint, "\n", 4)
	if len(lines) < 4 {
		return nil
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return nil
	}
	hash, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil {
		return nil
	}
	shown := &InclusionProof{RootHash: hex.EncodeToString(hash), TreeSize: size, Hashes: []string{}, Checkpoint: checkpoint}
	for _, one := range proof.GetHashes() {
		shown.Hashes = append(shown.Hashes, hex.EncodeToString(one))
	}
	return shown
}

var errOtherSignature = errors.New("it is of another signature")

// bound holds an entry's own words against the signature. sigstore-go does so for
// the entries of a Rekor v1, but takes a body in the form of v2 under a tree head
// in the form of v1 for whatever it is stapled to.
func bound(entry *tlog.Entry, by signer, s *signed, content sgverify.SignatureContent) error {
	if len(s.signature) == 0 || !bytes.Equal(entry.Signature(), s.signature) {
		return errOtherSignature
	}
	if !by.content.CompareKey(entry.PublicKey(), nil) {
		return errors.New("it is of another key or certificate")
	}
	if !coveredBy(entry, content) {
		return errors.New("it is of other content")
	}
	return nil
}
