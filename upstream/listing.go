package upstream

import (
	"encoding/json"
	"errors"
	"io"

	"vouchsafe/oci"
)

// errOverLimit is how a limitedReader ends a body that is too long.
var errOverLimit = errors.New("over the limit")

// limitedReader fails, where io.LimitedReader would end cleanly.
type limitedReader struct {
	source io.Reader
	left   int64
	// claim counts all that was read: elements are kept, and what is skipped
	// lies in the decoder's buffer.
	claim *claim
	read  int64
}

// limited reads at most limit bytes of a.
func (a *answer) limited(limit int64) *limitedReader {
	return &limitedReader{source: a, left: limit, claim: a.claim}
}

// Read implements [io.Reader].
func (l *limitedReader) Read(p []byte) (int, error) {
	// One byte more than allowed tells a body that ends here from one that goes
	// on.
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.source.Read(p)
	l.left -= int64(n)
	if l.left < 0 {
		return 0, errOverLimit
	}
	l.read += int64(n)
	if busy := l.claim.hold(l.read); busy != nil {
		return 0, busy
	}
	return n, err
}

// errNotListing is a body that is no JSON object with the array.
var errNotListing = errors.New("the answer is not the JSON that was asked for")

// eachElement calls do for each element of the array under key in the JSON
// object that r holds, one at a time, so that an array of a million empty
// elements never lies in memory. It stops when do returns false. null is an
// empty array; a missing key is errNotListing. What stands behind the array is
// not read.
func eachElement(r io.Reader, key string, do func(element json.RawMessage) bool) error {
	decoder := json.NewDecoder(r)
	if err := expect(decoder, json.Delim('{')); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return listingError(err)
		}
		if name != key {
			var ignored json.RawMessage
			if err := decoder.Decode(&ignored); err != nil {
				return listingError(err)
			}
			continue
		}
		return elements(decoder, do)
	}
	return errNotListing
}

// elements reads the array that decoder stands before.
func elements(decoder *json.Decoder, do func(json.RawMessage) bool) error {
	start, err := decoder.Token()
	if err != nil {
		return listingError(err)
	}
	if start == nil {
		return nil
	}
	if start != json.Delim('[') {
		return errNotListing
	}
	for decoder.More() {
		var element json.RawMessage
		if err := decoder.Decode(&element); err != nil {
			return listingError(err)
		}
		if !do(element) {
			return nil
		}
	}
	return expect(decoder, json.Delim(']'))
}

func expect(decoder *json.Decoder, want json.Delim) error {
	got, err := decoder.Token()
	if err != nil {
		return listingError(err)
	}
	if got != want {
		return errNotListing
	}
	return nil
}

// listingError keeps errors that say what happened to the body, and hides the
// decoder's own, which quote the answer.
func listingError(err error) error {
	if classed(err) || errors.Is(err, errOverLimit) {
		return err
	}
	return errNotListing
}

// listingTrouble gives an error of eachElement its class.
func listingTrouble(what string, err error) error {
	if classed(err) {
		return err
	}
	if errors.Is(err, errOverLimit) {
		return trouble(reasonTooLarge, what, "the answer is too long")
	}
	return &oci.Error{Code: oci.CodeUpstream, Reason: reasonAnswer, Message: what + ": " + err.Error()}
}
