package lab

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Log is a transparency log in this process with the entries of a Rekor v1: each
// is signed with its time, and has a proof of inclusion under a signed tree head.
// It is safe for concurrent use.
type Log struct {
	key *Key

	mu     sync.Mutex // guards bodies
	bodies [][]byte
}

// NewLog makes an empty log.
func NewLog() (*Log, error) {
	key, err := NewKey()
	return &Log{key: key}, err
}

// PublicPEM returns the log's public key in PEM, PUBLIC KEY.
func (l *Log) PublicPEM() string { return l.key.PublicPEM() }

// logEntry is an entry with its proofs, as a Sigstore bundle (version 0.3) holds
// it.
type logEntry struct {
	LogIndex          int64            `json:"logIndex,string"`
	LogID             logID            `json:"logId"`
	KindVersion       kindVersion      `json:"kindVersion"`
	IntegratedTime    int64            `json:"integratedTime,string"`
	InclusionPromise  inclusionPromise `json:"inclusionPromise"`
	InclusionProof    inclusionProof   `json:"inclusionProof"`
	CanonicalizedBody []byte           `json:"canonicalizedBody"`
}

type (
	logID struct {
		KeyID []byte `json:"keyId"`
	}
	kindVersion struct {
		Kind    string `json:"kind"`
		Version string `json:"version"`
	}
	inclusionPromise struct {
		SignedEntryTimestamp []byte `json:"signedEntryTimestamp"`
	}
	inclusionProof struct {
		LogIndex   int64      `json:"logIndex,string"`
		RootHash   []byte     `json:"rootHash"`
		TreeSize   int64      `json:"treeSize,string"`
		Hashes     [][]byte   `json:"hashes"`
		Checkpoint checkpoint `json:"checkpoint"`
	}
	checkpoint struct {
		Envelope string `json:"envelope"`
	}
)

// promised is what a log signs when it takes an entry. Its fields are in the
// order of their names, which makes the JSON canonical.
type promised struct {
	Body           []byte `json:"body"`
	IntegratedTime int64  `json:"integratedTime"`
	LogID          string `json:"logID"` //nolint:tagliatelle // the log's name for it
	LogIndex       int64  `json:"logIndex"`
}

// add takes an entry of the given kind, version 0.0.1, and proves it.
func (l *Log) add(kind string, spec any) (logEntry, error) {
	// Names of a map are written in their order, as canonical JSON has them.
	body, err := json.Marshal(map[string]any{"apiVersion": "0.0.1", "kind": kind, "spec": spec})
	if err != nil {
		return logEntry{}, fmt.Errorf("encode log entry: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	index := len(l.bodies)
	l.bodies = append(l.bodies, body)
	id := l.key.id()
	entry := logEntry{
		LogIndex: int64(index), LogID: logID{id[:]}, KindVersion: kindVersion{kind, "0.0.1"},
		IntegratedTime: time.Now().Unix(), CanonicalizedBody: body,
	}
	text, err := json.Marshal(entry.promised())
	if err != nil {
		return logEntry{}, fmt.Errorf("encode log entry: %w", err)
	}
	if entry.InclusionPromise.SignedEntryTimestamp, err = l.key.sign(text); err != nil {
		return logEntry{}, err
	}
	entry.InclusionProof, err = l.prove(index)
	return entry, err
}

func (e logEntry) promised() promised {
	return promised{e.CanonicalizedBody, e.IntegratedTime, hex.EncodeToString(e.LogID.KeyID), e.LogIndex}
}

// annotation is the entry as cosign's first format keeps it beside a signature,
// without the proof of inclusion, for which that format has no place.
func (e logEntry) annotation() (string, error) {
	text, err := json.Marshal(struct {
		SignedEntryTimestamp []byte
		Payload              promised
	}{e.InclusionPromise.SignedEntryTimestamp, e.promised()})
	if err != nil {
		return "", fmt.Errorf("encode log entry: %w", err)
	}
	return string(text), nil
}

// prove leads from an entry to the tree head of now. l.mu is held.
func (l *Log) prove(index int) (inclusionProof, error) {
	size, root := len(l.bodies), treeHash(l.bodies)
	note := fmt.Sprintf("lab.test - 1\n%d\n%s\n", size, base64.StdEncoding.EncodeToString(root))
	signature, err := l.key.sign([]byte(note))
	if err != nil {
		return inclusionProof{}, err
	}
	id := l.key.id()
	named := base64.StdEncoding.EncodeToString(append(id[:4:4], signature...))
	return inclusionProof{
		LogIndex: int64(index), RootHash: root, TreeSize: int64(size), Hashes: auditPath(l.bodies, index),
		Checkpoint: checkpoint{note + "\n— lab.test " + named + "\n"},
	}, nil
}

// treeHash is the Merkle tree hash of RFC 6962, section 2.1. There is at least
// one leaf.
func treeHash(leaves [][]byte) []byte {
	var sum [sha256.Size]byte
	if len(leaves) == 1 {
		sum = sha256.Sum256(append([]byte{0}, leaves[0]...))
	} else {
		at := split(len(leaves))
		sum = sha256.Sum256(slices.Concat([]byte{1}, treeHash(leaves[:at]), treeHash(leaves[at:])))
	}
	return sum[:]
}

// auditPath is the Merkle audit path of RFC 6962, section 2.1.1.
func auditPath(leaves [][]byte, index int) [][]byte {
	if len(leaves) == 1 {
		return [][]byte{}
	}
	at := split(len(leaves))
	if index < at {
		return append(auditPath(leaves[:at], index), treeHash(leaves[at:]))
	}
	return append(auditPath(leaves[at:], index-at), treeHash(leaves[:at]))
}

// split is the largest power of two below n, which is at least 2.
func split(n int) int {
	at := 1
	for at*2 < n {
		at *= 2
	}
	return at
}
