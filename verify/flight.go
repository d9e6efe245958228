package verify

import (
	"context"
	"sync"
	"time"

	"vouchsafe/oci"
)

// flight is one collection, shared by all who want its evidence.
type flight struct {
	subject subject
	// done is closed when evidence and took are set.
	done     chan struct{}
	evidence Evidence
	took     time.Duration

	// waiters, started, abandon and release belong to Verifier.mu: a flight that
	// still waits for its turn ends when the last caller has left, and the memory
	// of one that has landed is given back, once it has been judged for all.
	waiters int
	started bool
	abandon context.CancelFunc
	release func()

	// mu guards judgements.
	mu         sync.Mutex
	judgements map[judgementKey]*judgement
}

type judgementKey struct{ name, revision string }

// judgement is one result, made once.
type judgement struct {
	once   sync.Once
	done   chan struct{}
	result Result
}

func (f *flight) judgement(in *Integration) *judgement {
	key := judgementKey{in.Name(), in.Revision()}
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.judgements[key]
	if one == nil {
		one = &judgement{done: make(chan struct{})}
		if f.judgements == nil {
			f.judgements = map[judgementKey]*judgement{}
		}
		f.judgements[key] = one
	}
	return one
}

// landed is a flight that is over.
func landed(about subject, evidence Evidence) *flight {
	f := &flight{subject: about, evidence: evidence, done: make(chan struct{}), waiters: 1, started: true, release: func() {}}
	close(f.done)
	return f
}

// fly joins the running flight for about, or starts one, and waits for it. seen
// is the number of the kept evidence that would not do: when there is newer by
// now, a flight has landed in between and its evidence is taken. The caller
// leaves the flight when it has judged. The error is ctx's own.
func (v *Verifier) fly(ctx context.Context, about subject, seen uint64, first []oci.Digest) (*flight, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v.mu.Lock()
	f := v.flights[about]
	if f == nil {
		if kept, found := v.evidence.get(about); found && kept.number != seen {
			v.mu.Unlock()
			return landed(about, kept.Evidence), nil
		}
		f = v.start(ctx, about, first)
	}
	f.waiters++
	v.mu.Unlock()
	select {
	case <-f.done:
		return f, nil
	case <-ctx.Done():
		v.leave(f)
		return nil, ctx.Err()
	}
}

// start begins a flight. It does not end with the caller's ctx: others may join
// it, and what it finds is kept. v.mu is held.
func (v *Verifier) start(ctx context.Context, about subject, first []oci.Digest) *flight {
	queued, abandon := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{subject: about, done: make(chan struct{}), abandon: abandon, release: func() {}}
	v.flights[about] = f
	if v.closed {
		// Close may be waiting: nothing may be added to what it waits for.
		go v.run(queued, f, first)
	} else {
		v.running.Go(func() { v.run(queued, f, first) })
	}
	return f
}

// run waits for the flight's turn, collects and tells who waits.
func (v *Verifier) run(ctx context.Context, f *flight, first []oci.Digest) {
	defer f.abandon()
	defer close(f.done)
	end, err := v.collecting.acquire(ctx, f.subject.signatures.Registry, 1)
	if err != nil {
		// Nobody waits any more, and leave has taken the flight away.
		return
	}
	defer end()
	if !v.begin(f) {
		return
	}
	release := v.collect(ctx, f, first)
	v.mu.Lock()
	defer v.mu.Unlock()
	if f.release = release; f.waiters == 0 {
		f.giveBack()
	}
	if v.flights[f.subject] == f {
		delete(v.flights, f.subject)
	}
}

// begin reports whether someone still waits for f; then it no longer ends when
// they leave.
func (v *Verifier) begin(f *flight) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	f.started = f.waiters > 0
	return f.started
}

// leave is a caller that goes: before the end, or when it has judged.
func (v *Verifier) leave(f *flight) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f.waiters--
	switch {
	case f.waiters > 0:
	case f.started:
		f.giveBack()
	default:
		f.abandon()
		delete(v.flights, f.subject)
	}
}

// giveBack releases once. Verifier.mu is held.
func (f *flight) giveBack() {
	f.release()
	f.release = func() {}
}

// collect sets the flight's evidence, whatever happens; release gives back its
// memory.
func (v *Verifier) collect(ctx context.Context, f *flight, first []oci.Digest) (release func()) {
	begin := time.Now()
	release = func() {}
	defer func() {
		if r := recover(); r != nil {
			f.evidence = Evidence{
				Repository: f.subject.repository, Digest: f.subject.digest, Signatures: f.subject.signatures,
				CollectedAt: v.cfg.Now(), Problems: []Problem{internalProblem(v.cfg.Log, r)},
			}
		}
		f.took = time.Since(begin)
	}()
	f.evidence, release = v.collector.collect(ctx, f.subject, first)
	v.evidence.put(f.subject, f.evidence, v.cfg.Now().Add(-v.cfg.VerifiedTTL))
	return release
}
