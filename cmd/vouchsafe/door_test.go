package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"vouchsafe/config"
	"vouchsafe/internal/lab"
	"vouchsafe/oci"
)

// door is a gateway with its registry, for counting what reaches the registry.
type door struct {
	registry *lab.Registry
	gateway  *httptest.Server
	image    oci.Reference
}

// newDoor serves one image that a trusted key signed, under a policy that
// enforces.
func newDoor(t *testing.T, referrers bool) *door {
	t.Helper()
	registry, err := lab.NewRegistry(t.Context(), lab.RegistryConfig{Referrers: referrers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	key, err := lab.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	image, err := registry.PushImage("acme/api", "1.4", "door")
	if err != nil {
		t.Fatal(err)
	}
	if err := key.SignTag(registry, image); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	documents := fmt.Sprintf(`apiVersion: vouchsafe.dev/v1alpha1
kind: Registry
metadata: {name: "%[1]s"}
spec: {endpoint: "http://%[1]s", plainHTTP: true, allowPrivateAddresses: true, tagTTL: 1h}
---
apiVersion: vouchsafe.dev/v1alpha1
kind: SignatureIntegration
metadata: {name: release-team}
spec:
  publicKeys:
    - name: release-2026
      key: |
%[2]s
---
apiVersion: vouchsafe.dev/v1alpha1
kind: ImagePolicy
metadata: {name: prod-signed}
spec:
  signers: [release-team]
  behavior: InformAndEnforce
`, registry.Host(), indent(key.PublicPEM(), "        "))
	if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(documents), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, err := config.LoadSettings([]string{"VOUCHSAFE_CONFIG_DIR=" + dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := config.Load(dir, config.LoadOptions{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := newStack(func() *config.Snapshot { return snapshot }, settings, nil, newMetrics(), log)
	t.Cleanup(s.close)
	gateway := httptest.NewServer(s.handler)
	t.Cleanup(gateway.Close)
	registry.Reset()
	return &door{registry: registry, gateway: gateway, image: image}
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by)
}

// ask sends one request for a manifest and returns the status.
func (d *door) ask(ctx context.Context, method, tagOrDigest string) (int, error) {
	host := strings.Replace(d.registry.Host(), ":", "_", 1)
	request, err := http.NewRequestWithContext(ctx, method, d.gateway.URL+"/v2/"+host+"/acme/api/manifests/"+tagOrDigest, nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// pull asks and fails the test unless the answer is 200.
func (d *door) pull(t *testing.T, method, tagOrDigest string) {
	t.Helper()
	if status, err := d.ask(t.Context(), method, tagOrDigest); err != nil || status != http.StatusOK {
		t.Fatalf("%s %s: status %d, error %v", method, tagOrDigest, status, err)
	}
}

func TestRequestsAtTheUpstreamsDoor(t *testing.T) {
	const base = "/v2/acme/api/"
	for name, c := range map[string]struct {
		referrers bool
		before    func(*testing.T, *door)
		act       func(*testing.T, *door)
		want      func(*door) []string
	}{
		"a cold verified tag costs one manifest GET and the look for signatures": {
			act: func(t *testing.T, d *door) { d.pull(t, http.MethodGet, "1.4") },
			want: func(d *door) []string {
				return append([]string{"GET " + base + "manifests/1.4"}, signatureRequests(d)...)
			},
		},
		"a hundred clients of a cold tag at once cost the same as one": {
			act: func(t *testing.T, d *door) {
				var wait sync.WaitGroup
				for range 100 {
					wait.Go(func() {
						if status, err := d.ask(t.Context(), http.MethodGet, "1.4"); err != nil || status != http.StatusOK {
							t.Errorf("status %d, error %v", status, err)
						}
					})
				}
				wait.Wait()
			},
			want: func(d *door) []string {
				return append([]string{"GET " + base + "manifests/1.4"}, signatureRequests(d)...)
			},
		},
		"with a referrers API the look is the same": {
			referrers: true,
			act:       func(t *testing.T, d *door) { d.pull(t, http.MethodGet, "1.4") },
			want: func(d *door) []string {
				return append([]string{"GET " + base + "manifests/1.4"}, signatureRequests(d)...)
			},
		},
		"HEAD by tag and then GET by digest fetch one manifest": {
			act: func(t *testing.T, d *door) {
				d.pull(t, http.MethodHead, "1.4")
				d.pull(t, http.MethodGet, d.image.Digest.String())
			},
			want: func(d *door) []string {
				return append([]string{"GET " + base + "manifests/1.4"}, signatureRequests(d)...)
			},
		},
		"a warm manifest by digest asks nobody": {
			before: func(t *testing.T, d *door) { d.pull(t, http.MethodGet, "1.4") },
			act: func(t *testing.T, d *door) {
				for range 100 {
					d.pull(t, http.MethodGet, d.image.Digest.String())
				}
			},
			want: func(*door) []string { return nil },
		},
		"a warm tag inside its TTL asks nobody": {
			before: func(t *testing.T, d *door) { d.pull(t, http.MethodGet, "1.4") },
			act:    func(t *testing.T, d *door) { d.pull(t, http.MethodHead, "1.4"); d.pull(t, http.MethodGet, "1.4") },
			want:   func(*door) []string { return nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, c.referrers)
			if c.before != nil {
				c.before(t, d)
				d.registry.Reset()
			}
			c.act(t, d)
			got, want := d.registry.Requests(), c.want(d)
			for i, request := range got {
				// The signature's digest differs from run to run; no other blob is asked for.
				if path, _, found := strings.Cut(request, "blobs/"); found {
					got[i] = path + "blobs/…"
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("at the door:\n  %s\nwanted:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
		})
	}
}

// signatureRequests is one look for signatures: three places, and the one
// signature that the first of them lists.
func signatureRequests(d *door) []string {
	const base = "/v2/acme/api/"
	name := d.image.Digest.TagName()
	return []string{
		"GET " + base + "manifests/" + name + ".sig",
		"GET " + base + "manifests/" + name,
		"GET " + base + "referrers/" + d.image.Digest.String(),
		"GET " + base + "blobs/…",
	}
}
