package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"vouchsafe/oci"
)

const (
	// relistEvery is how often all pods are listed anew, whatever the watch said.
	relistEvery = time.Hour
	// firstPause and lastPause are between tries when the API server fails.
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// PodsConfig configures a watch. Origin must be set.
type PodsConfig struct {
	// Node is the one whose pods are watched; empty means all of the cluster.
	Node string
	// Origin returns the origin name of an image as a pod names it. An image for
	// which it has none is left out.
	Origin func(image string) (oci.Reference, error)
	// Deployed is called with the images that run, each once, with digest and, where
	// the pod names one, tag: at first when all are known, then after changes, at
	// most once a second. The callee may keep the list. Nil means not told.
	Deployed func(images []oci.Reference)
	// Waiting is called with each container whose image could not be pulled, again
	// at each change of its pod; it must not block. Nil means not told.
	Waiting func(Waiting)
	// Log receives what fails; nil means discarded.
	Log *slog.Logger
}

// Waiting is a container that waits for its image.
type Waiting struct {
	Namespace, Pod, UID string
	// FieldPath says which one, as Events do: "spec.containers{name}".
	FieldPath string
	// Image is the origin name as the pod has it, by tag, digest or both.
	Image oci.Reference
}

// Pods watches pods and says which images run. What it said last stands while it
// cannot ask.
type Pods struct {
	client *Client
	cfg    PodsConfig

	problem atomic.Pointer[error]
	count   atomic.Int64

	// mu guards what follows.
	mu sync.Mutex
	// running has the images of each pod by its UID, images all of them.
	running map[string][]*running
	images  map[oci.Reference]*running
	// listed is true when all pods were listed once, told when what runs was handed
	// on.
	listed, told bool
}

// NewPods returns a watch that has not begun.
func NewPods(client *Client, cfg PodsConfig) *Pods {
	if cfg.Deployed == nil {
		cfg.Deployed = func([]oci.Reference) {}
	}
	if cfg.Waiting == nil {
		cfg.Waiting = func(Waiting) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pods{client: client, cfg: cfg, running: map[string][]*running{}, images: map[oci.Reference]*running{}}
	starting := errStarting
	p.problem.Store(&starting)
	return p
}

// errStarting is that pods were not listed yet.
var errStarting = errors.New("pods were not listed yet")

// Problem returns why the watch does not work at the moment, nil when it does.
func (p *Pods) Problem() error {
	if err := p.problem.Load(); err != nil {
		return *err
	}
	return nil
}

// Images returns how many images run, as far as it is known.
func (p *Pods) Images() int { return int(p.count.Load()) }

// Run watches until ctx ends. It is called once.
func (p *Pods) Run(ctx context.Context) {
	var telling sync.WaitGroup
	telling.Go(func() { p.tell(ctx) })
	defer telling.Wait()
	pause, said := firstPause, false
	for ctx.Err() == nil {
		began := time.Now()
		err := p.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > lastPause {
			pause, said = firstPause, false
		}
		if err != nil {
			p.problem.Store(&err)
			if !said {
				p.cfg.Log.WarnContext(ctx, "pods are not watched: tried again; the images that ran last stand", "error", err)
			}
			said = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + time.Duration(rand.Int64N(int64(pause)))): //nolint:gosec // nobody gains by guessing it
		}
		pause = min(2*pause, lastPause)
	}
}

// follow lists all pods and watches them until that fails, or for an hour.
func (p *Pods) follow(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("watch pods: panic: %v\n%s", r, debug.Stack())
		}
	}()
	selector := "status.phase!=Succeeded,status.phase!=Failed"
	if p.cfg.Node != "" {
		selector = "spec.nodeName=" + p.cfg.Node + "," + selector
	}
	seen := map[string]bool{}
	version, err := p.client.listPods(ctx, selector, func(one *pod) {
		seen[one.Metadata.UID] = true
		p.take(false, one)
	})
	if err != nil {
		return err
	}
	p.keepOnly(seen)
	if p.problem.Swap(nil) != nil {
		p.cfg.Log.InfoContext(ctx, "pods are watched", "pods", len(seen), "node", p.cfg.Node)
	}
	for until := time.Now().Add(relistEvery); time.Now().Before(until); {
		began := time.Now()
		version, err = p.client.watchPods(ctx, selector, version, p.take)
		if err != nil {
			if errors.Is(err, ErrExpired) {
				return nil
			}
			return err
		}
		if time.Since(began) < time.Second {
			return errors.New("watch pods: the API server ends it at once")
		}
	}
	return nil
}

// take takes in a pod as it is now.
func (p *Pods) take(deleted bool, one *pod) {
	var images []oci.Reference
	if !deleted && !one.over() {
		for _, u := range one.uses() {
			if ref, ok := deployed(p.cfg.Origin, u.image, u.id); ok {
				images = append(images, ref)
			}
			if waitsForImage(u.waiting) {
				p.wait(one, u)
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(one.Metadata.UID, images)
}

// wait tells of a container that waits for its image.
func (p *Pods) wait(one *pod, u use) {
	ref, err := p.cfg.Origin(u.image)
	if err != nil {
		return
	}
	p.cfg.Waiting(Waiting{
		Namespace: one.Metadata.Namespace, Pod: one.Metadata.Name, UID: one.Metadata.UID, FieldPath: u.fieldPath(), Image: ref,
	})
}
