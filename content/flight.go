package content

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"vouchsafe/oci"
)

const (
	// maxFlights bounds the resolutions that run at the same time.
	maxFlights = 1024
	// maxFlightsPerRegistry leaves room for others beside a registry that hangs.
	maxFlightsPerRegistry = maxFlights / 4
)

// flightKey names what is being resolved: a tag or a digest, never both.
type flightKey struct {
	repository oci.Repository
	tag        string
	digest     oci.Digest
}

// flight is one resolution under way. Its result is read only after done is
// closed.
type flight struct {
	done   chan struct{}
	digest oci.Digest
	found  *manifest
	err    error

	// started is when it began.
	started time.Time

	// waiters belongs to flights.mu: with the last one the flight ends, unless it
	// is detached.
	waiters  int
	detached bool
	abandon  context.CancelFunc
}

// flights lets all callers that want the same key at the same time share one
// resolution. It runs under its own deadline: the caller that came first may
// leave without taking it from the others. When all have left it is cancelled;
// bytes that have arrived by then are still kept.
type flights struct {
	timeout time.Duration
	now     func() time.Time
	log     *slog.Logger

	mu    sync.Mutex // guards what follows
	under map[flightKey]*flight
	// running counts those that still run, the cancelled ones too, in all and by
	// registry.
	running    int
	byRegistry map[string]int
}

func newFlights(timeout time.Duration, now func() time.Time, log *slog.Logger) *flights {
	return &flights{timeout: timeout, now: now, log: log, under: map[flightKey]*flight{}, byRegistry: map[string]int{}}
}

// fetch is the work of a flight: the digest that was computed and the bytes.
type fetch func(ctx context.Context) (oci.Digest, *manifest, error)

// errImpatient is for a caller whose patience is over. It never leaves the
// package.
var errImpatient = errors.New("the resolution goes on without this caller")

// do returns the result of the flight for key, started with work when there is
// none; shared tells which. ctx's own end makes it return early, and so does the
// end of patience, counted from the flight's start: then the flight goes on
// without the caller and the error is errImpatient. No patience means to the end.
// Errors are shared by those who wait and kept for nobody else.
func (f *flights) do(ctx context.Context, key flightKey, patience time.Duration, work fetch) (digest oci.Digest, m *manifest, shared bool, err error) {
	one, shared, err := f.join(ctx, key, work)
	if err != nil {
		return oci.Digest{}, nil, false, err
	}
	var enough <-chan time.Time
	if patience > 0 {
		timer := time.NewTimer(max(0, patience-f.now().Sub(one.started)))
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case <-one.done:
		return one.digest, one.found, shared, one.err
	case <-enough:
		f.detach(one)
		return oci.Digest{}, nil, shared, errImpatient
	case <-ctx.Done():
		f.leave(key, one)
		return oci.Digest{}, nil, shared, fmt.Errorf("wait for %s: %w", key.repository, ctx.Err())
	}
}

func (f *flights) join(ctx context.Context, key flightKey, work fetch) (one *flight, shared bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one, ok := f.under[key]; ok {
		one.waiters++
		return one, true, nil
	}
	registry := key.repository.Registry
	if f.running >= maxFlights || f.byRegistry[registry] >= maxFlightsPerRegistry {
		return nil, false, &oci.Error{
			Code: oci.CodeBusy, Reason: "too_many_resolutions",
			Message: "too many images are being looked up at this moment", RetryAfter: time.Second,
		}
	}
	running, abandon := context.WithTimeout(context.WithoutCancel(ctx), f.timeout)
	one = &flight{done: make(chan struct{}), started: f.now(), waiters: 1, abandon: abandon}
	f.under[key] = one
	f.running++
	f.byRegistry[registry]++
	go f.fly(running, key, one, work)
	return one, false, nil
}

// leave is a caller that goes before the end. Whoever comes after the last has
// left starts anew, so that nobody is given another's cancellation.
func (f *flights) leave(key flightKey, one *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one.waiters--; one.waiters > 0 || one.detached {
		return
	}
	one.abandon()
	if f.under[key] == one {
		delete(f.under, key)
	}
}

// detach is a caller that goes and lets the flight go on, to the end of its own
// time.
func (f *flights) detach(one *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one.waiters--
	one.detached = true
}

// landed is a flight that has ended.
func (f *flights) landed(key flightKey, one *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.under[key] == one {
		delete(f.under, key)
	}
	f.running--
	registry := key.repository.Registry
	if f.byRegistry[registry]--; f.byRegistry[registry] == 0 {
		delete(f.byRegistry, registry)
	}
}

// fly runs work to its end. Whatever happens in it, those who wait get an
// answer, and nothing but a returned manifest is a success.
func (f *flights) fly(ctx context.Context, key flightKey, one *flight, work fetch) {
	one.err = &oci.Error{Code: oci.CodeInternal, Message: "internal error", Err: errors.New("resolution ended without a result")}
	defer func() {
		if p := recover(); p != nil {
			f.log.ErrorContext(ctx, "resolution panicked", "repository", key.repository, "panic", p, "stack", string(debug.Stack()))
			one.digest, one.found = oci.Digest{}, nil
			one.err = &oci.Error{Code: oci.CodeInternal, Message: "internal error", Err: fmt.Errorf("resolution panicked: %v", p)}
		}
		one.abandon()
		f.landed(key, one)
		close(one.done)
	}()
	digest, found, err := work(ctx)
	one.digest, one.found, one.err = digest, found, ownDeadline(err)
}

// ownDeadline names the end of the flight's own time for what it is: a bare
// context error would be taken by each caller for the end of its own request.
func ownDeadline(err error) error {
	if err == nil || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return err
	}
	if _, ok := errors.AsType[*oci.Error](err); ok {
		return err
	}
	// The cause stays readable for the log but is cut from the tree, so that no
	// errors.Is behind us takes it for the caller's own.
	return &oci.Error{Code: oci.CodeTimeout, Message: "the registry did not answer in time", Err: errors.New(err.Error())}
}
