package main

import (
	"log/slog"
	"net/http"
	"time"

	"vouchsafe/audit"
	"vouchsafe/config"
	"vouchsafe/content"
	"vouchsafe/inventory"
	"vouchsafe/kube"
	"vouchsafe/policy"
	"vouchsafe/proxy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// stack is everything between a client's request and a registry, built once for
// a process and shared by all its requests:
//
//	proxy ─▶ content.Resolver, content.Blobs ─▶ upstream.Client ─▶ registries
//	  └────▶ kube.Refusals{ audit.Log{ inventory.Recorder{ policy.Engine{ verify.Verifier{ inventory.Results{ LRU }} ─▶ upstream.Client, logs } } } }
//	                                           └─▶ inventory.Lineage
//	inventory.Reverifier ─▶ policy.Engine, audit.Log
//
// Every part asks for the configuration in force at the time of each request.
type stack struct {
	current  func() *config.Snapshot
	resolver *content.Resolver
	upstream *upstream.Client
	verifier *verify.Verifier
	// records is the part of decider that writes them.
	records *audit.Log
	decider policy.Decider
	// engine decides without memory and records.
	engine *policy.Engine
	// refusals remembers what was refused, for the pods that wait for it.
	refusals *kube.Refusals
	memory   *inventory.Memory
	again    *inventory.Reverifier
	handler  http.Handler
	// release lets go of what can be had again, for a process short of memory.
	release func()
}

// outside is what the stack has of the world around the process. The zero value
// records nothing, traces nothing, asks everything directly and demands no token.
type outside struct {
	// sink takes audit records; replica names the process in them.
	sink    audit.Sink
	replica string
	traces  *tracing
	egress  *upstream.Egress
	// tokens returns those that clients must present; nil demands none.
	tokens func() *proxy.Tokens
}

// newStack builds the stack from the bottom up.
func newStack(current func() *config.Snapshot, settings config.Settings, around outside, m *metrics, log *slog.Logger) *stack {
	s := &stack{current: current}
	most := sizesOf(settings).within(memoryLimit())
	userAgent := "vouchsafe/" + readVersion().Version
	s.upstream = upstream.New(
		func(name string) (*upstream.Registry, bool) { return current().Registry(name) },
		upstream.Config{
			UserAgent: userAgent, Egress: around.egress, Tracer: around.traces.upstream(),
			Observe: m.upstream, Retried: m.retried, Corrupt: m.corrupt, Log: log,
		},
	)
	s.resolver = content.New(s.upstream, content.Config{
		MaxBytes: most.manifests,
		MaxTags:  int(most.tags),
		TagTTL: func(name string) time.Duration {
			if registry, ok := current().Registry(name); ok {
				return registry.TagTTL()
			}
			return 0
		},
		StaleTagTTL: func(name string) time.Duration {
			if registry, ok := current().Registry(name); ok {
				return registry.StaleTagTTL()
			}
			return 0
		},
		Timeout: settings.RequestTimeout,
		Observe: m.content,
		Log:     log,
	})
	lineage := inventory.NewLineage(int(most.facts))
	s.memory = inventory.NewMemory(inventory.MemoryConfig{Images: int(most.images), VerifiedTTL: settings.VerifiedTTL, Lineage: lineage})
	results := inventory.NewResults(verify.NewLRU(int(most.results), nil), s.memory)
	s.verifier = verify.New(s.upstream, results, verify.Config{
		VerifiedTTL:    settings.VerifiedTTL,
		RejectedTTL:    settings.RejectedTTL,
		UnavailableTTL: settings.UnavailableTTL,
		EvidenceBytes:  most.evidence,
		Logs:           upstream.NewOperatorClient(verify.EvidenceTimeout, around.egress),
		UserAgent:      userAgent,
		Observe:        m.verification,
		ObserveCache:   m.cache,
		ObserveLog:     m.log,
		Log:            log,
	})
	s.engine = &policy.Engine{
		Rules:     func() policy.Rules { return current().Rules },
		Results:   s.verifier,
		Lineage:   lineage,
		Artifacts: policy.NewArtifacts(s.upstream),
		Observe:   m.decision,
	}
	s.records = audit.New(inventory.NewRecorder(s.engine, s.memory, log), around.sink,
		audit.Config{Replica: around.replica, Cluster: settings.Cluster, Failed: m.auditFailures.Inc, Log: log})
	s.refusals = kube.NewRefusals(around.traces.decider(s.records), nil)
	s.decider = s.refusals
	s.again = inventory.NewReverifier(s.memory, s.engine, s.records, inventory.ReverifyConfig{
		Interval: settings.ReverifyInterval, Rules: s.engine.Rules, Resolver: s.resolver, Changed: m.reverified, Log: log,
	})
	blobs := content.NewBlobs(s.upstream, content.BlobsConfig{
		Buffer: most.blobs, Timeout: settings.RequestTimeout, Observe: m.blob, Log: log,
	})
	s.handler = proxy.New(around.traces.resolver(s.resolver), blobs, s.upstream, s.decider, proxy.Config{
		DefaultRegistry: settings.DefaultRegistry,
		PullHost:        settings.PullHost,
		Listed: func(name string) bool {
			_, ok := current().Registry(name)
			return ok
		},
		Revision: func() string { return current().Rules.Revision },
		Tokens:   around.tokens,
		TraceID:  traceID,
		Timeout:  settings.RequestTimeout,
		Observe:  m.request,
		Log:      log,
	})
	m.contentBytes = func() int64 { return s.resolver.Bytes() + blobs.Bytes() }
	s.release = func() {
		blobs.Release()
		s.resolver.Release()
		s.verifier.Release()
	}
	m.inventory, m.due, m.lag = s.memory.Counts, s.again.Due, s.again.Lag
	m.configurationTime = func() time.Time { return current().LoadedAt }
	return s
}

// close waits for work that goes on after answers.
func (s *stack) close() { s.verifier.Close() }
