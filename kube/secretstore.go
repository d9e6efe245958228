package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// SecretStore is a [Store] in one Secret, for any number of replicas. Writers
// compete by its resource version. It is safe for concurrent use.
//
// Trust: whoever can read or write that Secret can pose as the webhook to the API
// server.
type SecretStore struct {
	client          *Client
	namespace, name string
}

var _ Store = (*SecretStore)(nil)

// NewSecretStore returns a store in a Secret, which is made when it is missing
// and the service account may. One that others made keeps its labels,
// annotations and further keys.
func NewSecretStore(client *Client, namespace, name string) *SecretStore {
	return &SecretStore{client: client, namespace: namespace, name: name}
}

// secret is what is read and written of a Secret.
type secret struct {
	APIVersion string            `json:"apiVersion,omitempty"`
	Kind       string            `json:"kind,omitempty"`
	Metadata   secretMetadata    `json:"metadata"`
	Type       string            `json:"type,omitempty"`
	Data       map[string][]byte `json:"data,omitempty"`
}

type secretMetadata struct {
	Name            string            `json:"name,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
}

// Load implements [Store].
func (s *SecretStore) Load(ctx context.Context) (Kept, error) {
	var got secret
	err := s.client.do(ctx, call{method: http.MethodGet, path: s.path() + "/" + url.PathEscape(s.name)}, &got)
	if errors.Is(err, ErrNotFound) {
		return Kept{}, nil
	}
	if err != nil {
		return Kept{}, fmt.Errorf("read Secret %s/%s: %w", s.namespace, s.name, err)
	}
	kept := Kept{Version: got.Metadata.ResourceVersion, Parts: map[string][]byte{}}
	for _, name := range partNames {
		if b := got.Data[name]; len(b) > 0 {
			kept.Parts[name] = b
		}
	}
	return kept, nil
}

// Save implements [Store].
func (s *SecretStore) Save(ctx context.Context, before Kept, parts map[string][]byte) error {
	one := call{
		method: http.MethodPatch, path: s.path() + "/" + url.PathEscape(s.name),
		query: url.Values{"fieldManager": {fieldManager}}, contentType: "application/merge-patch+json",
		body: secret{Metadata: secretMetadata{ResourceVersion: before.Version}, Data: parts},
	}
	if before.Version == "" {
		one.method, one.path, one.contentType = http.MethodPost, s.path(), "application/json"
		one.body = secret{
			APIVersion: "v1", Kind: "Secret", Type: "Opaque", Data: parts,
			Metadata: secretMetadata{Name: s.name, Labels: map[string]string{"app.kubernetes.io/managed-by": fieldManager}},
		}
	}
	if err := s.client.do(ctx, one, nil); err != nil {
		return fmt.Errorf("write Secret %s/%s: %w", s.namespace, s.name, err)
	}
	return nil
}

func (s *SecretStore) path() string {
	return "/api/v1/namespaces/" + url.PathEscape(s.namespace) + "/secrets"
}
