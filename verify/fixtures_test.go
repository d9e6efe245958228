package verify_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

const fixtures = "testdata/fixtures"

// TestFixtures judges everything that cosign 2.6.5 and 3.1.3 signed, under the
// right key, others, and several, from a registry with the referrers API and
// from one without.
func TestFixtures(t *testing.T) {
	integrations := []*verify.Integration{
		keyed(t, "k1", "k1"), keyed(t, "k2", "k2"), keyed(t, "wrong", "wrong"), keyed(t, "both", "k2", "k1"),
	}
	perRegistry := map[bool]string{}
	for _, api := range []bool{true, false} {
		host, images := loadFixtures(t, api)
		source := newSource()
		t.Cleanup(source.close)
		collector := &verify.Collector{Source: source}
		var table strings.Builder
		for _, image := range images {
			repository := oci.Repository{Registry: host, Path: image.repository}
			evidence := collector.Collect(t.Context(), repository, image.digest)
			for _, in := range integrations {
				r := verify.Judge(evidence, in, time.Now())
				message := strings.ReplaceAll(r.Message, host, "HOST")
				fmt.Fprintf(&table, "%-12s %-9s %-6s %-11s %-16s %-3s %s\n",
					image.repository, image.digest.Hex()[:8], in.Name(), r.Status, dash(string(r.Reason)), dash(r.Signer), message)
				if r.Status == verify.Verified && (r.Signer == "" || r.Reason != "") {
					t.Errorf("%s: Verified with signer %q, reason %q", image.repository, r.Signer, r.Reason)
				}
			}
		}
		perRegistry[api] = table.String()
	}
	if diff := cmp.Diff(perRegistry[true], perRegistry[false]); diff != "" {
		t.Errorf("with the referrers API (-) and by the referrers tag (+) differ:\n%s", diff)
	}
	golden(t, "testdata/fixtures.golden", perRegistry[true])
}

// forbidden is a network that must not be used.
type forbidden struct{ t *testing.T }

func (f forbidden) RoundTrip(r *http.Request) (*http.Response, error) {
	f.t.Errorf("asked %s", r.URL)
	return nil, errors.New("forbidden")
}

// TestJudgeAsksNobody judges with an environment that would change what cosign
// trusts, and without a network.
func TestJudgeAsksNobody(t *testing.T) {
	for _, name := range []string{"SIGSTORE_ROOT_FILE", "SIGSTORE_REKOR_PUBLIC_KEY", "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", "TUF_ROOT", "HOME"} {
		t.Setenv(name, filepath.Join(t.TempDir(), "missing"))
	}
	t.Setenv("TUF_MIRROR", "http://127.0.0.1:9")
	t.Setenv("COSIGN_MAX_ATTACHMENT_SIZE", "1")
	host, images := loadFixtures(t, true)
	source := newSource()
	defer source.close()
	collector := &verify.Collector{Source: source}
	k1 := keyed(t, "k1", "k1")
	var all []verify.Evidence
	for _, image := range images {
		all = append(all, collector.Collect(t.Context(), oci.Repository{Registry: host, Path: image.repository}, image.digest))
	}
	usual := http.DefaultTransport
	http.DefaultTransport = forbidden{t}
	defer func() { http.DefaultTransport = usual }()
	good := 0
	for _, evidence := range all {
		if verify.Judge(evidence, k1, time.Now()).Status == verify.Verified {
			good++
		}
	}
	if good != 12 {
		t.Errorf("got %d Verified, want 12", good)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; UPDATE_GOLDEN=1 writes it):\n%s", path, diff)
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// keyed returns an integration of recorded keys.
func keyed(t testing.TB, name string, keys ...string) *verify.Integration {
	t.Helper()
	var spec verify.Spec
	for _, k := range keys {
		text, err := os.ReadFile(filepath.Join(fixtures, "trust", k+".pub"))
		if err != nil {
			t.Fatal(err)
		}
		spec.PublicKeys = append(spec.PublicKeys, verify.PublicKeySpec{Name: k, Key: string(text)})
	}
	in, err := verify.NewIntegration(name, spec)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

type fixtureImage struct {
	repository string
	digest     oci.Digest
}

// loadFixtures pushes the recorded images, indexes with their children, and
// what signs them; it returns the images.
func loadFixtures(t testing.TB, referrersAPI bool) (host string, images []fixtureImage) {
	t.Helper()
	server := httptest.NewServer(registry.New(
		registry.WithReferrersSupport(referrersAPI), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	path, err := layout.FromPath(filepath.Join(fixtures, "layout"))
	check(t, err)
	root, err := path.ImageIndex()
	check(t, err)
	manifest, err := root.IndexManifest()
	check(t, err)
	for _, d := range manifest.Manifests {
		named := d.Annotations["org.opencontainers.image.ref.name"]
		ref, err := name.ParseReference(host+"/"+named, name.Insecure)
		check(t, err)
		repository := strings.TrimPrefix(ref.Context().RepositoryStr(), "library/")
		mine := strings.HasSuffix(named, ":v1")
		if mine {
			images = append(images, fixtureImage{repository, parseDigest(t, d.Digest.String())})
		}
		if !d.MediaType.IsIndex() {
			image, err := root.Image(d.Digest)
			check(t, err)
			check(t, remote.Write(ref, image))
			continue
		}
		index, err := root.ImageIndex(d.Digest)
		check(t, err)
		check(t, remote.WriteIndex(ref, index))
		children, err := index.IndexManifest()
		check(t, err)
		for _, child := range children.Manifests {
			images = append(images, fixtureImage{repository, parseDigest(t, child.Digest.String())})
		}
	}
	slices.SortStableFunc(images, func(a, b fixtureImage) int { return strings.Compare(a.repository, b.repository) })
	if len(images) < 21 {
		t.Fatalf("loaded %d images, wanted all fixtures", len(images))
	}
	return host, images
}

func parseDigest(t testing.TB, s string) oci.Digest {
	t.Helper()
	d, err := oci.ParseDigest(s)
	check(t, err)
	return d
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
