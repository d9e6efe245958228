package verify

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"sync"

	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
)

// maxAsked is the most signatures of one image that a log is asked for.
const maxAsked = 8

// logAnswer is what a log said when it was asked for the entry of a signature:
// entries, all of them untrusted, or why there are none.
type logAnswer struct {
	entries []*protorekor.TransparencyLogEntry
	problem *Problem
	// probe is an answer that was not asked for yet, or not at all: the signature is
	// judged for what else may be wrong with it. It collects by whom signatures are
	// that would count with an entry.
	probe   bool
	signers []signer
}

// completer asks logs for the entries that evidence lacks under one integration.
type completer struct {
	logs *logSource
	log  *slog.Logger
}

// complete returns evidence with the answers of in's log to asked. Trouble is
// inside the evidence; nothing is remembered.
func (c *completer) complete(ctx context.Context, evidence Evidence, in *Integration, asked []logQuestion) Evidence {
	evidence = unasked(evidence)
	var all sync.WaitGroup
	for n, one := range asked {
		if n >= maxAsked {
			evidence.Items[one.item].answer = &logAnswer{problem: overLimit("it is the entry of one of more than %d signatures, and no more are asked for", maxAsked)}
			continue
		}
		all.Go(func() { evidence.Items[one.item].answer = c.ask(ctx, evidence, in, one) })
	}
	all.Wait()
	return evidence
}

// unasked is evidence that says of each signature that no log was asked for it, so
// that a person reads what else is wrong.
func unasked(evidence Evidence) Evidence {
	evidence.Items = slices.Clone(evidence.Items)
	for i := range evidence.Items {
		evidence.Items[i].answer = &logAnswer{probe: true}
	}
	return evidence
}

// ask asks about one signature.
func (c *completer) ask(ctx context.Context, about Evidence, in *Integration, one logQuestion) (answer *logAnswer) {
	defer func() {
		if v := recover(); v != nil {
			answer = &logAnswer{problem: new(internalProblem(c.log, v))}
		}
	}()
	found, err := c.logs.find(ctx, in.trust.askLog, one.proposed)
	if err == nil {
		return &logAnswer{entries: found}
	}
	problem := logProblem(ctx, in.trust.askLog, err)
	c.log.WarnContext(ctx, "log not asked", "repository", about.Repository.String(), "digest", about.Digest.String(),
		"integration", in.Name(), "reason", string(problem.Reason), "error", err)
	return &logAnswer{problem: &problem}
}

// logProblem classes err for people: what the log did, never what it said.
func logProblem(ctx context.Context, address string, err error) Problem {
	host := address
	if at, bad := url.Parse(address); bad == nil {
		host = at.Host
	}
	problem := Problem{Reason: TlogUnavailable, Unavailable: true, Message: "the log " + host + " could not be asked for its entry"}
	if ctx.Err() != nil {
		problem.Reason, problem.Message = Timeout, "the log "+host+" did not answer in time"
		return problem
	}
	refused, is := errors.AsType[*logStatusError](err)
	switch {
	case is:
		problem.Message += ": " + refused.Error()
	case errors.Is(err, context.DeadlineExceeded):
		problem.Message += ": not answered in time"
	default:
		for _, known := range []error{errLogAnswerSize, errLogAnswerCount, errLogAnswerShape, errNoLogClient} {
			if errors.Is(err, known) {
				problem.Message += ": " + known.Error()
			}
		}
	}
	return problem
}
