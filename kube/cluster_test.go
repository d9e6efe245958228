package kube_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"vouchsafe/kube"
)

var errAway = errors.New("the API server is away")

// cluster is a Secret and configurations in memory, for simulated time. Writers
// compete as they do at an API server.
type cluster struct {
	mu sync.Mutex
	// away is an API server that does not answer, frozen one that lets nobody write
	// configurations.
	away, frozen   bool
	version        int
	parts          map[string][]byte
	configurations []kube.Configuration
	// writes counts the writes of each configuration, bundles the bundles that it
	// had; saves counts those of the Secret.
	writes  map[string]int
	bundles map[string]map[string]bool
	saves   int
}

func newCluster(names ...string) *cluster {
	c := &cluster{version: 1, writes: map[string]int{}, bundles: map[string]map[string]bool{}}
	for _, name := range names {
		c.configurations = append(c.configurations, kube.Configuration{
			Kind: "ValidatingWebhookConfiguration", Name: name, Version: "1",
			Webhooks: []kube.Webhook{
				{Name: "pods." + name, Hosts: []string{"webhook.vouchsafe.svc", "webhook.vouchsafe.svc.cluster.local"}},
				{Name: "workloads." + name, Hosts: []string{"webhook.vouchsafe.svc", "webhook.vouchsafe.svc.cluster.local"}},
			},
		})
	}
	return c
}

func (c *cluster) Load(context.Context) (kube.Kept, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.away:
		return kube.Kept{}, errAway
	case c.parts == nil:
		return kube.Kept{}, nil
	}
	return kube.Kept{Version: fmt.Sprint(c.version), Parts: maps.Clone(c.parts)}, nil
}

func (c *cluster) Save(_ context.Context, before kube.Kept, parts map[string][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return errAway
	}
	if c.parts == nil != (before.Version == "") || c.parts != nil && before.Version != fmt.Sprint(c.version) {
		return kube.ErrConflict
	}
	c.version++
	c.saves++
	c.parts = maps.Clone(parts)
	return nil
}

func (c *cluster) Read(context.Context) (found []kube.Configuration, missing []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return nil, nil, errAway
	}
	for _, one := range c.configurations {
		one.Webhooks = slices.Clone(one.Webhooks)
		found = append(found, one)
	}
	if len(found) == 0 {
		missing = []string{"vouchsafe"}
	}
	return found, missing, nil
}

func (c *cluster) Publish(_ context.Context, configuration kube.Configuration, bundle []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return errAway
	}
	if c.frozen {
		return kube.ErrForbidden
	}
	for i := range c.configurations {
		one := &c.configurations[i]
		if one.Name != configuration.Name {
			continue
		}
		if one.Version != configuration.Version {
			return kube.ErrConflict
		}
		c.writes[one.Name]++
		if c.bundles[one.Name] == nil {
			c.bundles[one.Name] = map[string]bool{}
		}
		c.bundles[one.Name][string(bundle)] = true
		c.set(i, bundle)
		return nil
	}
	return kube.ErrNotFound
}

// set replaces a bundle. c.mu is held.
func (c *cluster) set(i int, bundle []byte) {
	c.version++
	one := &c.configurations[i]
	one.Version = fmt.Sprint(c.version)
	one.Webhooks = slices.Clone(one.Webhooks)
	for j := range one.Webhooks {
		one.Webhooks[j].Bundle = bundle
	}
}

// do changes the cluster behind everybody's back.
func (c *cluster) do(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	change()
}

// written is how often a configuration was written, and with how many bundles.
func (c *cluster) written(name string) (writes, bundles int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes[name], len(c.bundles[name])
}

// kept is what the Secret holds, and how often it was written.
func (c *cluster) kept() (parts map[string][]byte, saves int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.parts), c.saves
}

// bundlesNow are those of all webhooks.
func (c *cluster) bundlesNow() (all [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.configurations {
		for _, w := range one.Webhooks {
			all = append(all, w.Bundle)
		}
	}
	return all
}

// verifier checks that what replicas show verifies against what configurations
// hold: the property of this package.
type verifier struct {
	t       *testing.T
	cluster *cluster
	until   map[string]time.Time
	leaves  map[string]bool
}

func newVerifier(t *testing.T, c *cluster) *verifier {
	return &verifier{t: t, cluster: c, until: map[string]time.Time{}, leaves: map[string]bool{}}
}

// holds reports what is wrong with a replica at this moment, nil for nothing.
func (v *verifier) holds(replica *kube.Authority) error {
	pair, err := replica.GetCertificate(nil)
	if err != nil {
		return err
	}
	v.leaves[string(pair.Leaf.Raw)] = true
	for _, bundle := range v.cluster.bundlesNow() {
		// The same certificate under the same bundle need not be checked each minute.
		key := string(pair.Leaf.Raw) + string(bundle)
		if end, known := v.until[key]; known && time.Now().Before(end) {
			continue
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(bundle)
		chains, err := pair.Leaf.Verify(x509.VerifyOptions{
			DNSName: "webhook.vouchsafe.svc", Roots: roots, CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})
		if err != nil {
			return fmt.Errorf("%w (bundle of %d certificates)", err, bytes.Count(bundle, []byte("BEGIN")))
		}
		end := pair.Leaf.NotAfter
		for _, cert := range chains[0] {
			if cert.NotAfter.Before(end) {
				end = cert.NotAfter
			}
		}
		v.until[key] = end
	}
	return nil
}
