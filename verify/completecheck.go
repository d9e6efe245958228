package verify

import (
	"encoding/hex"
	"errors"
	"time"

	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
)

var errAnswerProofs = errors.New("the log gave it without a signed entry timestamp or without an inclusion proof")

// checkAnswer judges what a log answered, where no attached entry counts. An
// answer that is not there lets the attempt go on: only what would else be good
// is made unknown by it.
func (a *attempt) checkAnswer() *miss {
	answer := a.signed.answer
	switch {
	case answer == nil || a.trust.askLog == "":
		return a.withoutEntry("no log entry is attached")
	case answer.probe:
		a.open = a.withoutEntry("no log entry is attached")
		return nil
	case answer.problem != nil:
		a.open = missed(answer.problem.Reason, "%s, but %s", a.by(), answer.problem.Message)
		a.open.unavailable = answer.problem.Unavailable
		return nil
	}
	for at, one := range answer.entries[:min(len(answer.entries), MaxLogAnswers)] {
		log := a.trust.logs[hex.EncodeToString(one.GetLogId().GetKeyId())]
		// Below zero: what is attached has the numbers from zero on.
		entry, err := recall(a.signed, entryKey{-1 - at, log, a.signer.key, a.signer.leaf}, func() (loggedEntry, error) { return a.answered(one) })
		if err != nil {
			a.doubt("log's answer", err)
			continue
		}
		a.entries = append(a.entries, entry)
	}
	if len(a.entries) > 0 {
		return nil
	}
	return a.withoutEntry("no log entry is attached, and the log has none")
}

// withoutEntry is a demand for an entry that nothing meets.
func (a *attempt) withoutEntry(what string) *miss {
	if len(a.doubts) > 0 {
		return missed(TlogInvalid, "%s, but %s", a.by(), a.doubts[0])
	}
	return missed(TlogMissing, "%s, but %s", a.by(), what)
}

// answered verifies an entry that a log gave. A Rekor v1 has every proof at hand;
// one that leaves any out is not taken at its word.
func (a *attempt) answered(raw *protorekor.TransparencyLogEntry) (loggedEntry, error) {
	if raw.GetInclusionPromise() == nil || raw.GetInclusionProof().GetCheckpoint().GetEnvelope() == "" {
		return loggedEntry{}, errAnswerProofs
	}
	return a.logged(raw)
}

// assumed are times that an entry which could not be asked for might prove: if
// none of them would make the signature good, no entry does.
func (a *attempt) assumed() []time.Time {
	switch {
	case a.open == nil || !a.wantsTime():
		return nil
	case a.signer.leaf != nil:
		return []time.Time{a.signer.leaf.NotBefore, a.signer.leaf.NotAfter}
	case a.signer.key.window.notBefore.IsZero():
		return []time.Time{a.signer.key.window.notAfter}
	}
	return []time.Time{a.signer.key.window.notBefore}
}

// end is where an attempt that met no miss ends.
func (a *attempt) end() *miss {
	if a.open != nil && a.signed.answer.probe {
		a.signed.answer.signers = append(a.signed.answer.signers, a.signer)
	}
	return a.open
}
