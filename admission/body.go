package admission

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"
)

const (
	// bodyTime is how long a body may take to come, and bodyRate, in bytes a second,
	// is how fast it must come for more. The API server has it ready.
	bodyTime = 2 * time.Second
	bodyRate = 8 << 20
	// chunkSize is what is read at once, and all that a body costs until it comes.
	chunkSize = 16 << 10
	// keptBuffer is the most that is kept of a review without waiting for one of
	// maxLarge places, and the largest buffer that is used again.
	keptBuffer = 64 << 10
	maxLarge   = 4
	// maxDrained is what is thrown away behind a review that is refused: a client of
	// HTTP/1.1 that still sends may lose the answer.
	maxDrained = 256 << 20
)

// reducers are used again.
var reducers = sync.Pool{New: func() any { return &reducer{chunk: make([]byte, chunkSize)} }}

// body is the body of a request, cut off when it comes too slowly. It waits for
// nobody but its own client, and holds nothing of what others need.
type body struct {
	in      io.Reader
	control *http.ResponseController
	begin   time.Time
	last    time.Time
	read    int64
	limit   int64
}

// Read implements [io.Reader]. Its errors are answers.
func (b *body) Read(p []byte) (int, error) {
	if b.read > b.limit {
		return 0, refuse(http.StatusRequestEntityTooLarge, "a review has at most %d bytes", maxReview)
	}
	// Of a writer that knows no deadlines, one of a test, the error says nothing.
	_ = b.control.SetReadDeadline(b.deadline())
	n, err := b.in.Read(p)
	if b.read += int64(n); b.read > b.limit {
		return n, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = refuse(http.StatusBadRequest, "the review broke off, or came too slowly")
	}
	return n, err
}

// deadline is for what comes next: whoever sends slowly is cut off early.
func (b *body) deadline() time.Time {
	end := b.begin.Add(bodyTime + time.Duration(b.read)*time.Second/bodyRate)
	if end.After(b.last) {
		return b.last
	}
	return end
}

// isJSON checks what the headers say of the body. None of it is a tenant's to write.
func isJSON(r *http.Request) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != jsonType {
		return refuse(http.StatusUnsupportedMediaType, "a review is %s", jsonType)
	}
	if r.Header.Get("Content-Encoding") != "" {
		return refuse(http.StatusUnsupportedMediaType, "a review has no content encoding")
	}
	return nil
}

// read reads a review and, where it is about something of ours, its objects. release
// must be called behind the answer, since what was read stays in memory until then;
// it is never nil. entry is told the uid as soon as it is known.
func (h *Handler) read(ctx context.Context, w http.ResponseWriter, r *http.Request, last time.Time, entry *logLine) (v *review, release func(), err error) {
	release = func() {}
	b := &body{in: r.Body, control: http.NewResponseController(w), begin: time.Now(), last: last, limit: maxReview}
	defer func() {
		if err != nil && entry.uid != "" {
			b.limit = maxDrained
			_, _ = io.CopyN(io.Discard, b, maxDrained) // As far as it comes.
		}
		_ = b.control.SetReadDeadline(time.Time{})
	}()
	s, large := h.reducer(ctx, b)
	defer func() {
		if *large {
			h.large.Release(1)
		}
		s.putBack()
	}()
	err = s.run()
	if entry.uid = s.uid; err != nil {
		return nil, release, err
	}
	weight := max(int64(len(s.out))*decodedFactor, minBody)
	if err = h.bodies.Acquire(ctx, weight); err != nil {
		return nil, release, busy()
	}
	release = func() { h.bodies.Release(weight) }
	v, err = parse(s.out)
	if err == nil && v.judged() && s.excess {
		err = refuse(http.StatusRequestEntityTooLarge, "an object has at most %d containers and volumes, and %d bytes of their names and images", maxParts, maxKept)
	}
	return v, release, err
}

// reducer returns one for a body; large is set once it has one of the places for
// large reviews. Waiting for that is not the client's fault.
func (h *Handler) reducer(ctx context.Context, b *body) (s *reducer, large *bool) {
	s, ok := reducers.Get().(*reducer)
	if !ok {
		s = &reducer{chunk: make([]byte, chunkSize)}
	}
	large = new(bool)
	s.in = b
	s.grow = func() error {
		begin := time.Now()
		if h.large.Acquire(ctx, 1) != nil {
			return busy()
		}
		*large = true
		b.begin = b.begin.Add(time.Since(begin))
		return nil
	}
	return s, large
}

// putBack lets the next review use what this one has.
func (s *reducer) putBack() {
	next := reducer{chunk: s.chunk, stack: s.stack[:0]}
	if cap(s.out) <= keptBuffer {
		next.out = s.out[:0]
	}
	*s = next
	reducers.Put(s)
}

func busy() error {
	return refuse(http.StatusServiceUnavailable, "too many reviews at this moment")
}
