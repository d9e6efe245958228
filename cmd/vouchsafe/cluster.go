package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"

	"vouchsafe/admission"
	"vouchsafe/config"
	"vouchsafe/internal/datadir"
	"vouchsafe/internal/server"
	"vouchsafe/kube"
	"vouchsafe/oci"
	"vouchsafe/policy"
)

// webhookFolder is the part of DATA_DIR that has the webhook's own authority.
const webhookFolder = "webhook"

// cluster is what a process has of the cluster around it: the webhook, and the
// watch on pods. The zero value has neither.
type cluster struct {
	// webhook is nil without WEBHOOK_LISTEN, certificate and authority too;
	// authority also when the certificate is in files.
	webhook     *admission.Handler
	certificate *server.Certificate
	authority   *kube.Authority
	// pods and events are nil with WATCH_PODS=Off.
	pods   *kube.Pods
	events *kube.Events
}

// newCluster reads what the settings name. Nothing is asked of the API server yet:
// a start works while it is away.
func (a *app) newCluster(s *stack, settings config.Settings, data *datadir.Dir, m *metrics, log *slog.Logger) (*cluster, error) {
	c := &cluster{}
	var client *kube.Client
	if settings.WebhookSecret != "" || settings.WebhookConfigurations != "" || settings.WatchPods != config.WatchOff {
		var err error
		client, err = kube.NewClient(kube.ClientConfig{Getenv: a.env, UserAgent: programAgent()})
		if err != nil {
			return nil, err
		}
	}
	if settings.WatchPods != config.WatchOff {
		c.watch(client, s, settings, m, log)
	}
	if settings.WebhookListen == "" {
		return c, nil
	}
	// What is asked for a dry run or a pin is nobody's decision, so it is not counted.
	quiet := *s.engine
	quiet.Observe = nil
	c.webhook = admission.New(s.resolver, s.decider, &quiet, admission.Config{
		PullHost: settings.PullHost, DefaultRegistry: settings.DefaultRegistry,
		Pin: settings.Pin == config.PinWhenKnown, ContactRegistries: settings.ContactRegistries,
		Listed: func(name string) bool {
			_, ok := s.current().Registry(name)
			return ok
		},
		Enforces: func() bool { return enforces(s.current().Rules) },
		Revision: func() string { return s.current().Rules.Revision },
		TraceID:  traceID, Observe: m.review, Log: log,
	})
	if err := c.certify(client, settings, data, m, log); err != nil {
		return nil, err
	}
	return c, nil
}

// enforces reports whether any image could be refused.
func enforces(rules policy.Rules) bool {
	return !rules.InformOnly && (rules.WhenNoPolicy != policy.Allow || slices.ContainsFunc(rules.Policies, (*policy.Policy).Enforces))
}

// certify decides where the webhook's certificate comes from.
func (c *cluster) certify(client *kube.Client, settings config.Settings, data *datadir.Dir, m *metrics, log *slog.Logger) error {
	c.certificate = &server.Certificate{
		CertFile: settings.WebhookTLSCertFile, KeyFile: settings.WebhookTLSKeyFile, ClientCAFile: settings.WebhookClientCAFile,
		Reloaded: m.webhookReload,
	}
	if settings.WebhookTLSCertFile != "" {
		m.cluster.webhookEnd = c.certificate.NotAfter
		return nil
	}
	var store kube.Store
	if namespace, name, isSecret := strings.Cut(settings.WebhookSecret, "/"); isSecret {
		store = kube.NewSecretStore(client, namespace, name)
	} else {
		folder, err := data.Sub(webhookFolder)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("make %s: %w", folder, err)
		}
		store = kube.NewFolderStore(folder)
	}
	cfg := kube.AuthorityConfig{BundleWritten: m.cluster.bundleWrites.Inc, Log: log}
	if names := settings.WebhookConfigurationNames(); len(names) > 0 {
		cfg.Configurations = kube.NewConfigurations(client, names)
	}
	c.authority = kube.NewAuthority(store, cfg)
	c.certificate.Source = c.authority.GetCertificate
	m.cluster.webhookEnd = c.authority.NotAfter
	return nil
}

// watch has images that pods run verified again, and refusals shown on pods.
func (c *cluster) watch(client *kube.Client, s *stack, settings config.Settings, m *metrics, log *slog.Logger) {
	cfg := kube.PodsConfig{
		Origin: admission.Origins(settings.PullHost, settings.DefaultRegistry),
		Deployed: func(images []oci.Reference) {
			if dropped := s.memory.Deployed(images); dropped > 0 {
				log.Warn("more images run than are remembered: some are not verified again", "left out", dropped)
			}
		},
		Log: log,
	}
	if settings.WatchPods == config.WatchNode {
		cfg.Node = settings.NodeName
	}
	instance, err := os.Hostname()
	if err != nil {
		instance = ""
	}
	c.events = kube.NewEvents(client, s.refusals, kube.EventsConfig{Instance: instance, Observe: m.event, Log: log})
	cfg.Waiting = c.events.Waiting
	c.pods = kube.NewPods(client, cfg)
	m.cluster.podsWatched = func() bool { return c.pods.Problem() == nil }
}

// run keeps certificates and watches going until ctx ends.
func (c *cluster) run(ctx context.Context, background *sync.WaitGroup) {
	if c.authority != nil {
		background.Go(func() { c.authority.Run(ctx) })
	}
	if c.pods != nil {
		background.Go(func() { c.pods.Run(ctx) })
		background.Go(func() { c.events.Run(ctx) })
	}
}

// ready reports whether reviews can be answered: without a certificate each of them
// would fail, and failurePolicy Ignore would let its object in.
func (c *cluster) ready() bool {
	if c.authority == nil {
		return true
	}
	_, err := c.authority.GetCertificate(nil)
	return err == nil
}

// checks are lines of /readyz?verbose.
func (c *cluster) checks() []server.Check {
	var all []server.Check
	if c.authority != nil {
		all = append(all, server.Check{Name: "webhook-certificate", Probe: c.authority.Problem})
	}
	if c.pods != nil {
		all = append(all, server.Check{Name: "pods", Probe: c.pods.Problem})
	}
	return all
}

// close ends the look-ups that go on behind answers.
func (c *cluster) close() {
	if c != nil && c.webhook != nil {
		c.webhook.Close()
	}
}
