package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	httptransport "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/rekor/pkg/generated/models"
)

const (
	// MaxLogAnswerBytes is the most that one answer of a log may have.
	MaxLogAnswerBytes = 4 << 20
	// MaxLogAnswers is the most entries of one answer.
	MaxLogAnswers = 10
	// logTryTimeout bounds one request to a log; there are logTries at most, with
	// logPause between them.
	logTryTimeout = 8 * time.Second
	logTries      = 2
	logPause      = 200 * time.Millisecond
	// logsAtOnce bounds the requests to all logs, half of them to one host: each
	// may hold an answer of the greatest size.
	logsAtOnce = 16
)

// LogClient sends requests to transparency logs. The implementation is for
// addresses that the operator wrote: it follows no redirect to another host or
// port and connects to no link-local address. It need not bound sizes or time.
// [http.Client] is one.
type LogClient interface {
	// Do is that of [http.Client].
	Do(r *http.Request) (*http.Response, error)
}

// What a log may do wrong. None of these is about a signature.
var (
	errLogAnswerSize  = fmt.Errorf("the answer is larger than %d bytes", MaxLogAnswerBytes)
	errLogAnswerCount = fmt.Errorf("the answer has more than %d entries", MaxLogAnswers)
	errLogAnswerShape = errors.New("the answer cannot be read")
	errNoLogClient    = errors.New("no log is asked here")
)

// logStatusError is an answer that is no success.
type logStatusError struct{ status int }

func (e *logStatusError) Error() string { return fmt.Sprintf("the answer is HTTP %d", e.status) }

// logSource asks Rekor logs for entries. It is safe for concurrent use.
type logSource struct {
	client LogClient
	agent  string
	// observe is told of each request; see [Config].ObserveLog.
	observe func(host, outcome string)
	asking  *share
}

func newLogSource(cfg Config) *logSource {
	return &logSource{client: cfg.Logs, agent: cfg.UserAgent, observe: cfg.ObserveLog, asking: newShare(logsAtOnce)}
}

// find returns the entries of the log at address that proposed would make. All
// of an answer is untrusted. The error is ctx's own or says what the log did.
func (l *logSource) find(ctx context.Context, address string, proposed []models.ProposedEntry) ([]*protorekor.TransparencyLogEntry, error) {
	if l.client == nil {
		return nil, errNoLogClient
	}
	at, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	release, err := l.asking.acquire(ctx, at.Host, 1)
	if err != nil {
		return nil, err
	}
	defer release()
	for try := 1; ; try++ {
		found, err := l.ask(ctx, at, proposed)
		l.observe(at.Host, outcomeOf(found, err))
		if err == nil || try == logTries || !mayPass(err) {
			return found, err
		}
		select {
		case <-time.After(logPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// mayPass reports whether another try may be answered better.
func mayPass(err error) bool {
	if refused, ok := errors.AsType[*logStatusError](err); ok {
		return refused.status >= 500 || refused.status == http.StatusTooManyRequests
	}
	// A log that took all of its time once is not given it again.
	return !unreadable(err) && !errors.Is(err, context.DeadlineExceeded)
}

// unreadable reports whether err is an answer that is there and cannot be used.
func unreadable(err error) bool {
	return errors.Is(err, errLogAnswerSize) || errors.Is(err, errLogAnswerCount) || errors.Is(err, errLogAnswerShape)
}

// outcomeOf is the word for what came of one request.
func outcomeOf(found []*protorekor.TransparencyLogEntry, err error) string {
	_, refused := errors.AsType[*logStatusError](err)
	switch {
	case err == nil && len(found) == 0:
		return "not_found"
	case err == nil:
		return "ok"
	case refused:
		return "refused"
	case unreadable(err):
		return "invalid"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), os.IsTimeout(err):
		return "timeout"
	}
	return "error"
}

// ask is one request (Rekor, openapi.yaml, searchLogQuery), which changes nothing.
func (l *logSource) ask(ctx context.Context, at *url.URL, proposed []models.ProposedEntry) ([]*protorekor.TransparencyLogEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, logTryTimeout)
	defer cancel()
	rt := httptransport.New(at.Host, at.Path+"/", []string{at.Scheme})
	rt.Transport = boundedLog{l.client, l.agent}
	rt.Debug = false // an environment variable would have it print
	query := &models.SearchLogQuery{}
	query.SetEntries(proposed)
	params := entries.NewSearchLogQueryParamsWithTimeout(logTryTimeout).WithEntry(query)
	found, err := entries.New(rt, strfmt.Default).SearchLogQueryContext(ctx, params)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return answeredEntries(found.Payload)
}

// boundedLog hands the generated client nothing but whole answers of a bounded
// size and shape: it reads whatever it is given, and would follow a redirect to
// any place.
type boundedLog struct {
	client LogClient
	agent  string
}

// RoundTrip implements [http.RoundTripper].
func (b boundedLog) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", b.agent)
	response, err := b.client.Do(r)
	if err != nil {
		return nil, err
	}
	arrived := response.Body
	defer func() { _ = arrived.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, &logStatusError{response.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(arrived, MaxLogAnswerBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > MaxLogAnswerBytes:
		return nil, errLogAnswerSize
	case scanShape(append(append([]byte(`{"entries":`), body...), '}')) != nil:
		return nil, errLogAnswerShape
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
	return response, nil
}
