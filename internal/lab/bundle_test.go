package lab_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	sigbundle "github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"vouchsafe/internal/lab"
	"vouchsafe/oci"
)

const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// referrers returns what a client finds about image.
func referrers(t *testing.T, r *lab.Registry, image oci.Reference, api bool) []v1.Descriptor {
	t.Helper()
	path := "/v2/" + image.Repository.Path + "/manifests/" + image.Digest.TagName()
	if api {
		path = "/v2/" + image.Repository.Path + "/referrers/" + image.Digest.String()
	}
	_, body := get(t, r, path, "")
	var list v1.IndexManifest
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	return list.Manifests
}

func verifyBundle(t *testing.T, key *lab.Key, image oci.Reference, body string) (*verify.VerificationResult, error) {
	t.Helper()
	var b sigbundle.Bundle
	if err := b.UnmarshalJSON([]byte(body)); err != nil {
		t.Fatal(err)
	}
	trust := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(verifierOf(t, key), time.Time{}, time.Time{}), nil
	})
	verifier, err := verify.NewVerifier(trust, verify.WithNoObserverTimestamps())
	if err != nil {
		t.Fatal(err)
	}
	digest, err := hex.DecodeString(image.Digest.Hex())
	if err != nil {
		t.Fatal(err)
	}
	return verifier.Verify(&b, verify.NewPolicy(verify.WithArtifactDigest("sha256", digest), verify.WithKey()))
}

func TestBundlesAreVerifiedBySigstore(t *testing.T) {
	for _, api := range []bool{true, false} {
		r := newRegistry(t, lab.RegistryConfig{Referrers: api})
		key, stranger := newKey(t), newKey(t)
		image, err := r.PushImage("acme/api", "1", "a")
		if err != nil {
			t.Fatal(err)
		}
		other, err := r.PushImage("acme/api", "2", "b")
		if err != nil {
			t.Fatal(err)
		}
		if err := key.SignBundle(r, image); err != nil {
			t.Fatal(err)
		}
		if err := key.AttestBundle(r, image); err != nil {
			t.Fatal(err)
		}
		found := referrers(t, r, image, api)
		if len(found) != 2 {
			t.Fatalf("referrers API %v: got %d referrers, want 2", api, len(found))
		}
		predicates := map[string]bool{}
		for _, d := range found {
			_, text := get(t, r, "/v2/acme/api/manifests/"+d.Digest.String(), "")
			manifest, err := oci.ParseManifest([]byte(text), "")
			if err != nil {
				t.Fatal(err)
			}
			if manifest.ArtifactType != bundleType || manifest.Subject.Digest != image.Digest {
				t.Errorf("got %+v", manifest)
			}
			_, body := get(t, r, "/v2/acme/api/blobs/"+manifest.Layers[0].Digest.String(), "")
			result, err := verifyBundle(t, key, image, body)
			if err != nil {
				t.Fatal(err)
			}
			predicates[result.Statement.PredicateType] = true
			if _, err := verifyBundle(t, stranger, image, body); err == nil {
				t.Error("a stranger's key verifies the bundle")
			}
			if _, err := verifyBundle(t, key, other, body); err == nil {
				t.Error("the bundle verifies for another image")
			}
		}
		want := map[string]bool{"https://sigstore.dev/cosign/sign/v1": true, "https://slsa.dev/provenance/v1": true}
		if diff := cmp.Diff(want, predicates); diff != "" {
			t.Errorf("predicates (-want +got):\n%s", diff)
		}
	}
}

func TestSignBundleNeedsAnImage(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	image := oci.Reference{Repository: oci.Repository{Registry: r.Host(), Path: "acme/api"}, Digest: oci.SHA256(nil)}
	if err := newKey(t).SignBundle(r, image); err == nil {
		t.Error("got no error for an image that is not there")
	}
}

// TestSignBundleHasTheShapeOfCosign compares names and constant values of a
// recorded manifest and bundle of cosign 3.1.3 with ours.
func TestSignBundleHasTheShapeOfCosign(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{Referrers: true})
	image, err := r.PushImage("acme/api", "1", "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := newKey(t).SignBundle(r, image); err != nil {
		t.Fatal(err)
	}
	_, ours := get(t, r, "/v2/acme/api/manifests/"+referrers(t, r, image, true)[0].Digest.String(), "")
	theirs := recorded(t, "cosign3-manifest.json")
	if diff := cmp.Diff(shape(t, theirs), shape(t, ours)); diff != "" {
		t.Errorf("manifest (-cosign +ours):\n%s", diff)
	}
	manifest, err := oci.ParseManifest([]byte(ours), "")
	if err != nil {
		t.Fatal(err)
	}
	_, bundle := get(t, r, "/v2/acme/api/blobs/"+manifest.Layers[0].Digest.String(), "")
	theirs = recorded(t, "cosign3-bundle.json")
	if diff := cmp.Diff(shape(t, theirs), shape(t, bundle)); diff != "" {
		t.Errorf("bundle (-cosign +ours):\n%s", diff)
	}
	if diff := cmp.Diff(shape(t, payload(t, theirs)), shape(t, payload(t, bundle))); diff != "" {
		t.Errorf("statement (-cosign +ours):\n%s", diff)
	}
}

func recorded(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// payload returns the signed statement of a bundle.
func payload(t *testing.T, bundle string) string {
	t.Helper()
	var b struct {
		DSSEEnvelope struct{ Payload []byte }
	}
	if err := json.Unmarshal([]byte(bundle), &b); err != nil {
		t.Fatal(err)
	}
	return string(b.DSSEEnvelope.Payload)
}

// shape returns a document with every value that differs from run to run
// replaced.
func shape(t *testing.T, document string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		t.Fatal(err)
	}
	return blank("", v)
}

func blank(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, value := range v {
			v[k] = blank(k, value)
		}
		if key == "subject" && v["mediaType"] != nil {
			v["mediaType"] = "" // the recorded image is one of Docker's
		}
		return v
	case []any:
		for i, value := range v {
			v[i] = blank("", value)
		}
		return v
	}
	switch key {
	case "digest", "size", "payload", "sig", "hint", "sha256", "org.opencontainers.image.created":
		return "…"
	}
	return v
}
