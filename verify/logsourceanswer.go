package verify

import (
	"encoding/base64"
	"encoding/hex"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/rekor/pkg/generated/models"
)

// answeredEntries is a log's answer in the form of attached entries. One that
// cannot be read spoils the answer: it is the log's, and nobody else's.
func answeredEntries(answer []models.LogEntry) ([]*protorekor.TransparencyLogEntry, error) {
	var all []*protorekor.TransparencyLogEntry
	for _, named := range answer {
		for _, one := range named {
			if len(all) == MaxLogAnswers {
				return nil, errLogAnswerCount
			}
			entry, err := answeredEntry(one)
			if err != nil {
				return nil, err
			}
			all = append(all, entry)
		}
	}
	return all, nil
}

func answeredEntry(one models.LogEntryAnon) (*protorekor.TransparencyLogEntry, error) {
	text, ok := one.Body.(string)
	if !ok || len(text) > maxEntryBytes || one.LogID == nil || one.LogIndex == nil || one.IntegratedTime == nil {
		return nil, errLogAnswerShape
	}
	body, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errLogAnswerShape
	}
	logID, err := hex.DecodeString(*one.LogID)
	if err != nil {
		return nil, errLogAnswerShape
	}
	entry := &protorekor.TransparencyLogEntry{
		LogIndex:          *one.LogIndex,
		LogId:             &protocommon.LogId{KeyId: logID},
		KindVersion:       kindOf(body),
		IntegratedTime:    *one.IntegratedTime,
		CanonicalizedBody: body,
	}
	if one.Verification == nil {
		return entry, nil
	}
	if set := one.Verification.SignedEntryTimestamp; len(set) > 0 {
		entry.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: set}
	}
	entry.InclusionProof, err = answeredProof(one.Verification.InclusionProof)
	return entry, err
}

// answeredProof is nil for an answer without a proof.
func answeredProof(proof *models.InclusionProof) (*protorekor.InclusionProof, error) {
	if proof == nil {
		return nil, nil
	}
	if proof.Checkpoint == nil || proof.LogIndex == nil || proof.RootHash == nil || proof.TreeSize == nil || len(proof.Hashes) > maxProofHashes {
		return nil, errLogAnswerShape
	}
	rootHash, err := hex.DecodeString(*proof.RootHash)
	if err != nil {
		return nil, errLogAnswerShape
	}
	out := &protorekor.InclusionProof{
		LogIndex: *proof.LogIndex, TreeSize: *proof.TreeSize, RootHash: rootHash,
		Checkpoint: &protorekor.Checkpoint{Envelope: *proof.Checkpoint},
	}
	for _, text := range proof.Hashes {
		hash, err := hex.DecodeString(text)
		if err != nil {
			return nil, errLogAnswerShape
		}
		out.Hashes = append(out.Hashes, hash)
	}
	return out, nil
}
