package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const (
	// maxEventMessage bounds an Event's message, in bytes (Kubernetes API, Event:
	// 1,024).
	maxEventMessage = 1024
	// eventsPerSecond and eventBurst bound the Events of a process.
	eventsPerSecond = 5
	eventBurst      = 20
	// maxQueued is how many Events wait to be written; more are left out until the
	// pod changes again.
	maxQueued = 256
	// maxWritten is how many names of Events are remembered, eventLife for how long:
	// as long as API servers keep Events when nothing else is said.
	maxWritten = 8192
	eventLife  = time.Hour
	// forbiddenPause is how long none is tried after one was forbidden.
	forbiddenPause = 5 * time.Minute
	// reasonRefused is the Event's reason.
	reasonRefused = "ImageRefused"
)

// EventsConfig configures Events. The zero value is usable.
type EventsConfig struct {
	// Instance names this process in Events, such as its pod; it may be empty.
	Instance string
	// Observe is called for each Event: "written", "known" when a replica had
	// written it, "failed", "forbidden", or "dropped" for want of room; nil means not
	// observed.
	Observe func(outcome string)
	// Log receives what fails; nil means discarded.
	Log *slog.Logger
}

// Events writes one Event on each pod that waits for an image whose pull was
// refused here.
type Events struct {
	client   *Client
	refusals *Refusals
	cfg      EventsConfig
	queue    chan event
	limit    *rate.Limiter
	// written has the names of the Events that exist, as far as is known, and since
	// when.
	written *lru.Cache[string, time.Time]

	// silent belongs to Run: until when none is tried.
	silent time.Time
}

// event is what is written of an Event (Kubernetes API, core/v1).
type event struct {
	APIVersion         string          `json:"apiVersion"`
	Kind               string          `json:"kind"`
	Metadata           eventMetadata   `json:"metadata"`
	InvolvedObject     objectReference `json:"involvedObject"`
	Reason             string          `json:"reason"`
	Message            string          `json:"message"`
	Type               string          `json:"type"`
	Count              int             `json:"count"`
	FirstTimestamp     string          `json:"firstTimestamp"`
	LastTimestamp      string          `json:"lastTimestamp"`
	Source             eventSource     `json:"source"`
	ReportingComponent string          `json:"reportingComponent"`
	ReportingInstance  string          `json:"reportingInstance"`
}

type eventMetadata struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

type objectReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	FieldPath  string `json:"fieldPath,omitempty"`
}

type eventSource struct {
	Component string `json:"component"`
	Host      string `json:"host,omitempty"`
}

// NewEvents returns a writer of Events about what refusals remembers.
func NewEvents(client *Client, refusals *Refusals, cfg EventsConfig) *Events {
	if cfg.Observe == nil {
		cfg.Observe = func(string) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	// It fails for a size below one alone.
	written, err := lru.New[string, time.Time](maxWritten)
	if err != nil {
		panic(err)
	}
	return &Events{
		client: client, refusals: refusals, cfg: cfg, queue: make(chan event, maxQueued),
		limit: rate.NewLimiter(eventsPerSecond, eventBurst), written: written,
	}
}

// Waiting writes an Event soon when the image was refused here; it is for
// [PodsConfig]. It never blocks.
func (e *Events) Waiting(w Waiting) {
	found, ok := e.refusals.find(w.Image)
	if !ok {
		return
	}
	one := e.event(w, found)
	now := e.refusals.now()
	if at, known := e.written.Get(one.Metadata.Name); known && now.Sub(at) < eventLife {
		return
	}
	select {
	case e.queue <- one:
		e.written.Add(one.Metadata.Name, now)
	default:
		e.cfg.Observe("dropped")
	}
}

// event is the Event about a refusal. Its name follows from the pod, the container
// and the cause, so that of all replicas and restarts one writes it.
func (e *Events) event(w Waiting, found refusal) event {
	sum := sha256.Sum256([]byte(w.UID + "\x00" + w.FieldPath + "\x00" + found.cause))
	at := found.at.UTC().Format(time.RFC3339)
	// A name has at most 253 characters (Kubernetes, "Object Names and IDs").
	pod := strings.TrimRight(cut(w.Pod, 200), ".-")
	return event{
		APIVersion: "v1", Kind: "Event",
		Metadata: eventMetadata{Name: pod + "." + hex.EncodeToString(sum[:8]), Namespace: w.Namespace},
		InvolvedObject: objectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: w.Namespace, Name: w.Pod, UID: w.UID, FieldPath: w.FieldPath,
		},
		Reason: reasonRefused, Message: found.message, Type: "Warning", Count: 1, FirstTimestamp: at, LastTimestamp: at,
		Source:             eventSource{Component: fieldManager, Host: e.cfg.Instance},
		ReportingComponent: fieldManager, ReportingInstance: e.cfg.Instance,
	}
}

// Run writes until ctx ends. It is called once.
func (e *Events) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case one := <-e.queue:
			if e.limit.Wait(ctx) != nil {
				return
			}
			e.write(ctx, one)
		}
	}
}

// write writes one Event. One that was not written is written when the pod changes
// again, which it does at each try to pull.
func (e *Events) write(ctx context.Context, one event) {
	defer func() {
		if p := recover(); p != nil {
			e.cfg.Log.ErrorContext(ctx, "Event not written", "error", fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	now := e.refusals.now()
	if now.Before(e.silent) {
		e.written.Remove(one.Metadata.Name)
		e.cfg.Observe("forbidden")
		return
	}
	err := e.client.do(ctx, call{
		method: http.MethodPost, path: "/api/v1/namespaces/" + url.PathEscape(one.Metadata.Namespace) + "/events",
		contentType: "application/json", body: one,
	}, nil)
	var status *StatusError
	switch {
	case err == nil:
		e.cfg.Observe("written")
		return
	case errors.As(err, &status) && status.Code == http.StatusConflict:
		e.cfg.Observe("known")
		return
	case errors.Is(err, ErrForbidden):
		e.forbidden(ctx, now, err)
		e.cfg.Observe("forbidden")
	default:
		e.cfg.Log.WarnContext(ctx, "Event not written", "namespace", one.Metadata.Namespace, "pod", one.InvolvedObject.Name, "error", err)
		e.cfg.Observe("failed")
	}
	e.written.Remove(one.Metadata.Name)
}

// forbidden keeps silent for a while, and says so the first time. A namespace that
// is being deleted forbids new objects too; the others must not wait for it.
func (e *Events) forbidden(ctx context.Context, now time.Time, err error) {
	if strings.Contains(err.Error(), "being terminated") {
		return
	}
	if e.silent.IsZero() {
		e.cfg.Log.WarnContext(ctx, "Events cannot be written: the reason of a refusal is in the audit record and, from containerd 2.0 on, in the pod's status", "error", err)
	}
	e.silent = now.Add(forbiddenPause)
}
