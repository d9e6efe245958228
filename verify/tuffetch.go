package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// mirrorTryTimeout bounds one request to a mirror, MirrorTimeout all of one
	// refresh.
	mirrorTryTimeout = 15 * time.Second
	// MirrorTimeout is the most time that one refresh may take.
	MirrorTimeout = time.Minute
)

// MirrorClient sends requests to TUF mirrors. The implementation is for addresses
// that the operator wrote: it follows no redirect to another host or port and
// connects to no link-local address. It need not bound sizes or time.
// [http.Client] is one.
type MirrorClient interface {
	// Do is that of [http.Client].
	Do(r *http.Request) (*http.Response, error)
}

// What a mirror may do wrong before anything it says is read.
var (
	errMirrorSize     = errors.New("larger than it may be")
	errMirrorTime     = errors.New("not answered in time")
	errNoMirrorClient = errors.New("no mirror is asked here")
)

// mirrorStatusError is an answer that is no success.
type mirrorStatusError struct{ status int }

func (e *mirrorStatusError) Error() string { return fmt.Sprintf("the answer is HTTP %d", e.status) }

// noSuchFile reports whether err is a mirror's word that it has no such file; a
// store of objects that may not be listed says 403.
func noSuchFile(err error) bool {
	refused, ok := errors.AsType[*mirrorStatusError](err)
	return ok && (refused.status == http.StatusNotFound || refused.status == http.StatusForbidden)
}

// mirrorFetcher reads files of one mirror. Whoever calls it has the turn to parse,
// and has it again when it returns, unless it returns the error of a context.
type mirrorFetcher struct {
	client MirrorClient
	agent  string
	base   string
	turn   turn
	// asked is the name of the file that was asked for last.
	asked string
}

// metadata reads one file that the library parses before it knows who signed it.
// The error is like that of get.
func (f *mirrorFetcher) metadata(ctx context.Context, name string, most int64) ([]byte, error) {
	text, err := f.get(ctx, name, most)
	if err != nil {
		return nil, err
	}
	if err := scanMetadata(text); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// get reads one file of at most most bytes. The error names the file and nothing
// that the mirror said.
func (f *mirrorFetcher) get(ctx context.Context, name string, most int64) ([]byte, error) {
	f.asked = name
	f.turn.give()
	text, err := f.read(ctx, name, most)
	if late := f.turn.take(ctx); err == nil {
		err = late
	}
	switch {
	case err == nil:
		return text, nil
	case ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		err = errMirrorTime
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}

func (f *mirrorFetcher) read(ctx context.Context, name string, most int64) ([]byte, error) {
	if f.client == nil {
		return nil, errNoMirrorClient
	}
	ctx, cancel := context.WithTimeout(ctx, mirrorTryTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+"/"+name, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", f.agent)
	response, err := f.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, &mirrorStatusError{response.StatusCode}
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, errMirrorSize
	}
	return text, nil
}
