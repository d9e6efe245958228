package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// fieldManager is the name under which the API server keeps which fields are
// ours: of a configuration the CA bundles alone, so that a GitOps tool that does
// not state them sees no difference.
const fieldManager = "vouchsafe"

// Configuration is what is known of one webhook configuration.
type Configuration struct {
	// Kind is "MutatingWebhookConfiguration" or "ValidatingWebhookConfiguration".
	Kind, Name string
	// Version changes with each change.
	Version  string
	Webhooks []Webhook
}

// String returns "Kind/name".
func (c Configuration) String() string { return c.Kind + "/" + c.Name }

// Webhook is one entry of a configuration.
type Webhook struct {
	Name string
	// Bundle is the CA bundle, PEM.
	Bundle []byte
	// Hosts are the names by which the API server calls it.
	Hosts []string
}

// lacks reports whether a webhook of c has another bundle.
func (c Configuration) lacks(bundle []byte) bool {
	return slices.ContainsFunc(c.Webhooks, func(w Webhook) bool { return !bytes.Equal(w.Bundle, bundle) })
}

// Configurations are the webhook configurations of some names, in the cluster. It
// is safe for concurrent use.
type Configurations struct {
	client *Client
	names  []string
}

// NewConfigurations returns the configurations called names, mutating and
// validating ones. All webhooks in them are taken for this program's.
func NewConfigurations(client *Client, names []string) *Configurations {
	return &Configurations{client: client, names: names}
}

// resources are the two kinds and their names in paths.
var resources = []struct{ kind, resource string }{
	{"MutatingWebhookConfiguration", "mutatingwebhookconfigurations"},
	{"ValidatingWebhookConfiguration", "validatingwebhookconfigurations"},
}

// webhookConfiguration is what is decoded of one.
type webhookConfiguration struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Webhooks []struct {
		Name         string       `json:"name"`
		ClientConfig clientConfig `json:"clientConfig"`
	} `json:"webhooks"`
}

type clientConfig struct {
	URL     string `json:"url"`
	Service struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"service"`
	CABundle []byte `json:"caBundle"`
}

// Read returns the configurations that exist, and the names that neither kind
// has. With an error it returns nothing.
func (c *Configurations) Read(ctx context.Context) (found []Configuration, missing []string, err error) {
	for _, name := range c.names {
		n := len(found)
		for _, r := range resources {
			var got webhookConfiguration
			err := c.client.do(ctx, call{method: http.MethodGet, path: configurationPath(r.resource, name)}, &got)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, nil, fmt.Errorf("read %s %s: %w", r.kind, name, err)
			}
			found = append(found, got.view(r.kind, name))
		}
		if len(found) == n {
			missing = append(missing, name)
		}
	}
	return found, missing, nil
}

// Publish writes bundle into the webhooks of a configuration that have another,
// unless the configuration has changed since it was read: then it is an
// [ErrConflict].
func (c *Configurations) Publish(ctx context.Context, configuration Configuration, bundle []byte) error {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	patch := []operation{{"test", "/metadata/resourceVersion", configuration.Version}}
	for i, w := range configuration.Webhooks {
		if bytes.Equal(w.Bundle, bundle) {
			continue
		}
		at := "/webhooks/" + strconv.Itoa(i)
		patch = append(patch, operation{"test", at + "/name", w.Name}, operation{"add", at + "/clientConfig/caBundle", bundle})
	}
	for _, r := range resources {
		if r.kind != configuration.Kind {
			continue
		}
		err := c.client.do(ctx, call{
			method: http.MethodPatch, path: configurationPath(r.resource, configuration.Name),
			query: url.Values{"fieldManager": {fieldManager}}, contentType: "application/json-patch+json", body: patch,
		}, nil)
		if err != nil {
			return fmt.Errorf("write CA bundle of %s: %w", configuration, err)
		}
		return nil
	}
	return fmt.Errorf("write CA bundle of %s: no such kind", configuration)
}

func configurationPath(resource, name string) string {
	return "/apis/admissionregistration.k8s.io/v1/" + resource + "/" + url.PathEscape(name)
}

func (w webhookConfiguration) view(kind, name string) Configuration {
	c := Configuration{Kind: kind, Name: name, Version: w.Metadata.ResourceVersion}
	for _, one := range w.Webhooks {
		c.Webhooks = append(c.Webhooks, Webhook{Name: one.Name, Bundle: one.ClientConfig.CABundle, Hosts: one.ClientConfig.hosts()})
	}
	return c
}

// hosts returns the names that a client of this webhook demands in the
// certificate: those of its Service, or the host of its URL.
func (c clientConfig) hosts() []string {
	if c.Service.Name != "" && c.Service.Namespace != "" {
		name := c.Service.Name + "." + c.Service.Namespace + ".svc"
		return []string{name, name + ".cluster.local"}
	}
	if at, err := url.Parse(c.URL); err == nil && at.Hostname() != "" {
		return []string{at.Hostname()}
	}
	return nil
}
