package main

import (
	"log/slog"
	"net/http"
	"time"

	"vouchsafe/audit"
	"vouchsafe/config"
	"vouchsafe/content"
	"vouchsafe/inventory"
	"vouchsafe/policy"
	"vouchsafe/proxy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// stack is everything between a client's request and a registry, built once for
// a process and shared by all its requests:
//
//	proxy ─▶ content.Resolver ─▶ upstream.Client ─▶ registries
//	  └────▶ audit.Log{ policy.Engine{ verify.Verifier{ LRU } ─▶ upstream.Client } }
//	                               └─▶ inventory.Lineage
//
// Every part asks for the configuration in force at the time of each request.
type stack struct {
	current  func() *config.Snapshot
	resolver *content.Resolver
	upstream *upstream.Client
	verifier *verify.Verifier
	decider  *audit.Log
	handler  http.Handler
}

// recording says where audit records go and which process writes them. The zero
// value records nothing.
type recording struct {
	sink    audit.Sink
	replica string
}

// newStack builds the stack from the bottom up.
func newStack(current func() *config.Snapshot, settings config.Settings, to recording, m *metrics, log *slog.Logger) *stack {
	s := &stack{current: current}
	s.upstream = upstream.New(
		func(name string) (*upstream.Registry, bool) { return current().Registry(name) },
		upstream.Config{UserAgent: "vouchsafe/" + readVersion().Version, Observe: m.upstream, Log: log},
	)
	s.resolver = content.New(s.upstream, content.Config{
		MaxBytes: int64(settings.ManifestCache),
		TagTTL: func(name string) time.Duration {
			if registry, ok := current().Registry(name); ok {
				return registry.TagTTL()
			}
			return 0
		},
		Timeout: settings.RequestTimeout,
		Observe: m.content,
		Log:     log,
	})
	s.verifier = verify.New(s.upstream, verify.NewLRU(settings.CacheEntries, nil), verify.Config{
		VerifiedTTL:    settings.VerifiedTTL,
		RejectedTTL:    settings.RejectedTTL,
		UnavailableTTL: settings.UnavailableTTL,
		Observe:        m.verification,
		ObserveCache:   m.cache,
		Log:            log,
	})
	engine := &policy.Engine{
		Rules:     func() policy.Rules { return current().Rules },
		Results:   s.verifier,
		Lineage:   inventory.NewLineage(0),
		Artifacts: policy.NewArtifacts(s.upstream),
		Observe:   m.decision,
	}
	s.decider = audit.New(engine, to.sink, audit.Config{Replica: to.replica, Failed: m.auditFailures.Inc, Log: log})
	s.handler = proxy.New(s.resolver, s.upstream, s.decider, proxy.Config{
		DefaultRegistry: settings.DefaultRegistry,
		PullHost:        settings.PullHost,
		Listed: func(name string) bool {
			_, ok := current().Registry(name)
			return ok
		},
		Revision: func() string { return current().Rules.Revision },
		Timeout:  settings.RequestTimeout,
		Observe:  m.request,
		Log:      log,
	})
	m.contentBytes = s.resolver.Bytes
	m.configurationTime = func() time.Time { return current().LoadedAt }
	return s
}

// close waits for work that goes on after answers.
func (s *stack) close() { s.verifier.Close() }
