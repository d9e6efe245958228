package verify

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"vouchsafe/oci"
)

const recordedAt = "testdata/fixtures"

// recorded is one image of the fixtures with what signs it, as a collector would
// have found it.
type recorded struct {
	name     string
	evidence Evidence
}

type recordedManifest struct {
	MediaType string             `json:"mediaType"`
	Layers    []recordedManifest `json:"layers"`
	Manifests []recordedManifest `json:"manifests"`
	Subject   *recordedManifest  `json:"subject"`
	Digest    string             `json:"digest"`
	Notes     map[string]string  `json:"annotations"`
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func recordedBlob(t testing.TB, digest string) []byte {
	t.Helper()
	return must(os.ReadFile(filepath.Join(recordedAt, "layout", "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))))(t)
}

func recordedJSON(t testing.TB, body []byte) (m recordedManifest) {
	t.Helper()
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// recordings returns all recorded images, indexes and their children, by name.
func recordings(t testing.TB) []recorded {
	t.Helper()
	list := recordedJSON(t, must(os.ReadFile(filepath.Join(recordedAt, "layout", "index.json")))(t))
	items := map[string][]Item{}
	var images []recorded
	add := func(repository, digest string) {
		images = append(images, recorded{repository, Evidence{
			Repository: oci.Repository{Registry: "127.0.0.1:15000", Path: repository}, Digest: must(oci.ParseDigest(digest))(t),
		}})
	}
	for _, d := range list.Manifests {
		named := d.Notes["org.opencontainers.image.ref.name"]
		at := strings.IndexAny(named, ":@")
		repository, rest := named[:at], named[at+1:]
		manifest := recordedJSON(t, recordedBlob(t, d.Digest))
		switch {
		case rest == "v1":
			add(repository, d.Digest)
			for _, child := range manifest.Manifests {
				add(repository, child.Digest)
			}
		case strings.HasSuffix(rest, ".sig"):
			for _, layer := range manifest.Layers {
				subject := strings.TrimSuffix(strings.Replace(rest, "-", ":", 1), ".sig")
				items[repository+subject] = append(items[repository+subject], Item{
					Format: FormatSimpleSigning, Digest: must(oci.ParseDigest(layer.Digest))(t),
					Payload: recordedBlob(t, layer.Digest), Annotations: signatureAnnotations(layer.Notes),
				})
			}
		case manifest.Subject != nil && len(manifest.Layers) == 1:
			key := repository + manifest.Subject.Digest
			items[key] = append(items[key], Item{
				Format: FormatBundle, Digest: must(oci.ParseDigest(manifest.Layers[0].Digest))(t),
				Payload: recordedBlob(t, manifest.Layers[0].Digest),
			})
		}
	}
	for i := range images {
		images[i].evidence.Items = items[images[i].name+images[i].evidence.Digest.String()]
	}
	slices.SortStableFunc(images, func(a, b recorded) int { return strings.Compare(a.name, b.name) })
	return images
}

// recording returns one image, not a child of an index.
func recording(t testing.TB, name string) Evidence {
	t.Helper()
	for _, one := range recordings(t) {
		if one.name == name {
			return one.evidence
		}
	}
	t.Fatalf("no fixture %q", name)
	return Evidence{}
}

func recordedTrust(t testing.TB, name string) []byte {
	t.Helper()
	return must(os.ReadFile(filepath.Join(recordedAt, "trust", name)))(t)
}

func recordedCertificates(t testing.TB, name string) []*x509.Certificate {
	t.Helper()
	var all []*x509.Certificate
	for _, der := range pemCertificates(string(recordedTrust(t, name))) {
		all = append(all, must(x509.ParseCertificate(der))(t))
	}
	return all
}

func recordedKey(t testing.TB, name string) *trustedKey {
	t.Helper()
	public, problem := parsePublicKey(string(recordedTrust(t, name+".pub")))
	if problem != nil {
		t.Fatal(problem)
	}
	return must(newTrustedKey(name, public))(t)
}

func recordedLogs(t testing.TB, name string) map[string]*root.TransparencyLog {
	t.Helper()
	logs, problem := parseLogKeys(string(recordedTrust(t, name)))
	if problem != nil {
		t.Fatal(problem)
	}
	return logs
}

// authorityOf is the authority of a chain whose root comes last.
func authorityOf(chain []*x509.Certificate) []root.CertificateAuthority {
	last := len(chain) - 1
	return []root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: chain[last], Intermediates: chain[:last]}}
}

func stampers(chain []*x509.Certificate) []root.TimestampingAuthority {
	one := &root.SigstoreTimestampingAuthority{Root: chain[len(chain)-1]}
	if len(chain) > 1 {
		one.Leaf, one.Intermediates = chain[0], chain[1:len(chain)-1]
	}
	return []root.TimestampingAuthority{one}
}

func recordedRoot(t testing.TB) *root.TrustedRoot {
	t.Helper()
	return must(root.NewTrustedRootFromJSON(recordedTrust(t, "trusted_root.json")))(t)
}

func whole(t testing.TB, expression string) matcher {
	t.Helper()
	return matcher{expression: must(newWholeExpression(expression))(t)}
}

// integrationOf is an integration with a hand-made trust.
func integrationOf(name string, trusted trust) *Integration {
	return &Integration{name: name, revision: name, wants: name, trust: trusted}
}

// afterRecording is long after each Fulcio certificate of the fixtures ended, and
// long before those of the own authority do.
var afterRecording = time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)

const (
	devIdentity = "dev@corp.example"
	devIssuer   = "http://127.0.0.1:15001/email"
	ghaIdentity = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main"
	ghaIssuer   = "http://127.0.0.1:15001/gha"
	ownIdentity = "builder@corp.example"
	ownIssuer   = "https://ci.corp.example"
)

// withoutAnnotation is evidence with an annotation gone from each item.
func withAnnotations(evidence Evidence, change func(map[string]string)) Evidence {
	evidence.Items = slices.Clone(evidence.Items)
	for i := range evidence.Items {
		changed := map[string]string{}
		for k, v := range evidence.Items[i].Annotations {
			changed[k] = v
		}
		change(changed)
		evidence.Items[i].Annotations = changed
	}
	return evidence
}

// withPayload is evidence with its payloads changed.
func withPayload(evidence Evidence, old, with string) Evidence {
	evidence.Items = slices.Clone(evidence.Items)
	for i := range evidence.Items {
		evidence.Items[i].Payload = bytes.Replace(evidence.Items[i].Payload, []byte(old), []byte(with), 1)
	}
	return evidence
}
