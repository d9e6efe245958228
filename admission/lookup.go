package admission

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"vouchsafe/oci"
)

const (
	// maxLookups bounds the names that are being looked up, or judged behind their
	// answers.
	maxLookups = 1024
	// lookupTime bounds one, judging included.
	lookupTime = 60 * time.Second
)

// lookups resolves names for reviews, which have little time: a look-up goes on
// when the reviews that wait for it have been answered, and then judges what it
// found, so that the next try finds it known. All that want the same name share one.
type lookups struct {
	resolver Resolver
	// behind judges an image for which no review waits any more.
	behind func(ctx context.Context, v *review, image oci.Image)
	log    *slog.Logger

	mu      sync.Mutex // guards what follows, and waiters of each
	under   map[oci.Reference]*lookup
	closed  bool
	running sync.WaitGroup
}

// lookup is one name; image and err are read when done is closed.
type lookup struct {
	done    chan struct{}
	image   oci.Image
	err     error
	waiters int
	abandon context.CancelFunc
}

func newLookups(resolver Resolver, behind func(context.Context, *review, oci.Image), log *slog.Logger) *lookups {
	return &lookups{resolver: resolver, behind: behind, log: log, under: map[oci.Reference]*lookup{}}
}

// find returns the image that ref names, or ctx's error when that ends before.
func (l *lookups) find(ctx context.Context, v *review, ref oci.Reference) (oci.Image, error) {
	if err := ctx.Err(); err != nil {
		return oci.Image{}, err
	}
	one, err := l.join(ctx, v, ref)
	if err != nil {
		return oci.Image{}, err
	}
	select {
	case <-one.done:
		return one.image, one.err
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		one.waiters--
		return oci.Image{}, ctx.Err()
	}
}

func (l *lookups) join(ctx context.Context, v *review, ref oci.Reference) (*lookup, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.under[ref]; one != nil {
		one.waiters++
		return one, nil
	}
	if l.closed || len(l.under) >= maxLookups {
		return nil, &oci.Error{Code: oci.CodeBusy, Message: "too many images are being looked up at this moment"}
	}
	running, abandon := context.WithTimeout(context.WithoutCancel(ctx), lookupTime)
	one := &lookup{done: make(chan struct{}), waiters: 1, abandon: abandon}
	l.under[ref] = one
	l.running.Go(func() { l.run(running, v, ref, one) })
	return one, nil
}

// run resolves, and judges when nobody is left to do it.
func (l *lookups) run(ctx context.Context, v *review, ref oci.Reference, one *lookup) {
	defer func() {
		if p := recover(); p != nil {
			l.log.ErrorContext(ctx, "judging behind an answer panicked", "image", ref.String(), "panic", p, "stack", string(debug.Stack()))
		}
		one.abandon()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.under, ref)
	}()
	if l.resolve(ctx, ref, one) {
		l.behind(ctx, v, one.image)
	}
}

// resolve sets the result, whatever happens, and reports whether there is an image
// and nobody waits for it.
func (l *lookups) resolve(ctx context.Context, ref oci.Reference, one *lookup) (alone bool) {
	one.err = &oci.Error{Code: oci.CodeInternal, Message: "the look-up ended without a result"}
	defer func() {
		if p := recover(); p != nil {
			one.err = fmt.Errorf("resolve %s: panic: %v\n%s", ref, p, debug.Stack())
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		close(one.done)
		alone = one.waiters == 0 && one.err == nil && !l.closed
	}()
	one.image, one.err = l.resolver.Resolve(ctx, ref)
	return false
}

// close ends all look-ups and waits for them.
func (l *lookups) close() {
	l.mu.Lock()
	l.closed = true
	for _, one := range l.under {
		one.abandon()
	}
	l.mu.Unlock()
	l.running.Wait()
}
