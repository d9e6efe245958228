package content

import (
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"

	"vouchsafe/oci"
)

// mostSkipped is how much of a blob is read and thrown away where a registry
// answers the whole instead of a part.
const mostSkipped = 1 << 20

// rest is what a reader that fell behind has still to get, from a request of its
// own. Of a whole blob the last byte is given only when all bytes, those from
// memory included, hash to the digest.
type rest struct {
	body io.ReadCloser
	// at is the next byte, end the one behind the last.
	at, end int64
	digest  oci.Digest
	// hash is nil for a part, which nothing can prove.
	hash hash.Hash
}

// goOn opens the rest. No error of it reads as the end of a body.
func (r *reader) goOn() error {
	err := r.openRest()
	if errors.Is(err, io.EOF) {
		return &oci.Error{Code: oci.CodeUpstream, Reason: "cut", Message: "the registry broke off the blob", Err: errors.New(err.Error())}
	}
	return err
}

func (r *reader) openRest() error {
	own := &rest{at: r.at, digest: r.stream.at.digest}
	asked := fmt.Sprintf("bytes=%d-", r.at)
	if r.end >= 0 {
		asked = fmt.Sprintf("bytes=%d-%d", r.at, r.end-1)
	} else {
		var err error
		if own.hash, err = loadHash(own.digest, r.state); err != nil {
			return internalError(err)
		}
	}
	blob, err := r.reopen(asked)
	if err != nil {
		return err
	}
	own.body = blob.Body
	if own.end, err = r.restEnd(blob); err == nil && blob.ContentRange == "" {
		_, err = io.CopyN(io.Discard, own.body, r.at)
	}
	if err != nil {
		_ = own.body.Close()
		return err
	}
	r.own = own
	return nil
}

// restEnd returns where the rest ends, when blob is the rest or the whole.
func (r *reader) restEnd(blob *oci.Blob) (int64, error) {
	r.blobs.mu.Lock()
	size := r.stream.size
	r.blobs.mu.Unlock()
	end := r.end
	if blob.ContentRange == "" {
		if end < 0 {
			end = blob.Size
		}
		if r.at > mostSkipped || blob.Size < r.at || size >= 0 && blob.Size != size {
			return 0, errOtherPart
		}
		return end, nil
	}
	if end < 0 {
		end = r.at + blob.Size
		if size >= 0 && end != size {
			return 0, errOtherPart
		}
		size = end
	}
	known := fmt.Sprintf("bytes %d-%d/%d", r.at, end-1, size)
	unknown := fmt.Sprintf("bytes %d-%d/*", r.at, end-1)
	if blob.Size != end-r.at || blob.ContentRange != known && blob.ContentRange != unknown {
		return 0, errOtherPart
	}
	return end, nil
}

var errOtherPart = blobTrouble("bad_range", "the registry answered another part than was asked for")

// Read implements [io.Reader].
func (r *rest) Read(p []byte) (int, error) {
	left := r.end - r.at
	if left <= 0 {
		return 0, io.EOF
	}
	if r.hash != nil && left > 1 {
		left-- // the last byte comes by itself
	}
	n, err := readSome(r.body, p[:min(int64(len(p)), left)])
	if errors.Is(err, io.EOF) {
		err = blobTrouble("cut", "the registry sent less than it announced")
	}
	if err != nil {
		return 0, err
	}
	r.at += int64(n)
	if r.hash == nil {
		return n, nil
	}
	r.hash.Write(p[:n])
	if r.at == r.end {
		if err := r.prove(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// prove looks for the end of the body and compares the hash.
func (r *rest) prove() error {
	var more [1]byte
	if _, err := readSome(r.body, more[:]); err == nil {
		return blobTrouble("digest_mismatch", "the registry sent more than it announced")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	if !r.digest.MatchesSum(r.hash) {
		return blobTrouble("digest_mismatch", fmt.Sprintf("the registry answered other content than %s", r.digest.Short()))
	}
	return nil
}

// leaveBehind gives each reader, all of them inside of p and in the order of
// their positions, the running hash at its position. A part needs none.
func leaveBehind(digest oci.Digest, p *piece, behind []*reader) {
	var running hash.Hash
	at := p.from
	for _, r := range behind {
		r.behind = true
		if r.end >= 0 {
			continue
		}
		if running == nil {
			var err error
			if running, err = loadHash(digest, p.state); err != nil {
				return // without a state a reader ends with an error
			}
		}
		running.Write(p.buf[at-p.from : r.at-p.from])
		at = r.at
		r.state, _ = saveHash(running) // as above
	}
}

// saveHash returns the state of a running hash.
func saveHash(h hash.Hash) ([]byte, error) {
	m, ok := h.(encoding.BinaryMarshaler)
	if !ok {
		return nil, fmt.Errorf("the state of a %T cannot be kept", h)
	}
	return m.MarshalBinary()
}

// loadHash returns a running hash of digest's algorithm that goes on from state.
func loadHash(digest oci.Digest, state []byte) (hash.Hash, error) {
	h := digest.NewHash()
	m, ok := h.(encoding.BinaryUnmarshaler)
	if !ok || len(state) == 0 {
		return nil, fmt.Errorf("no state of a hash to go on from")
	}
	if err := m.UnmarshalBinary(state); err != nil {
		return nil, fmt.Errorf("state of a hash: %w", err)
	}
	return h, nil
}
