package policy_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// blobs is what a registry holds, by digest. A blob that is not there fails, a
// manifest is unknown.
type blobs struct {
	content   map[oci.Digest][]byte
	manifests map[oci.Digest][]byte
	reads     int
}

func (b *blobs) GetManifest(_ context.Context, ref oci.Reference) (oci.RawManifest, error) {
	b.reads++
	body, ok := b.manifests[ref.Digest]
	if !ok {
		return oci.RawManifest{}, &oci.Error{Code: oci.CodeManifestUnknown}
	}
	return oci.RawManifest{Bytes: body}, nil
}

func (b *blobs) SmallBlob(_ context.Context, _ oci.Repository, digest oci.Digest, limit int64) ([]byte, error) {
	b.reads++
	content, ok := b.content[digest]
	if !ok || int64(len(content)) > limit {
		return nil, &oci.Error{Code: oci.CodeUpstream}
	}
	return content, nil
}

func tarball(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "bin/sh", Mode: 0o755, Size: 4}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("#!/x")); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArtifacts(t *testing.T) {
	const (
		imageConfig  = "application/vnd.oci.image.config.v1+json"
		emptyConfig  = "application/vnd.oci.empty.v1+json"
		dockerConfig = "application/vnd.docker.container.image.v1+json"
		notaryConfig = "application/vnd.cncf.notary.signature"
	)
	payload := []byte(`{"critical":{}}`)
	for name, c := range map[string]struct {
		manifestType string
		config       string
		configText   string
		layerType    string
		layers       [][]byte
		missing      bool
		want         bool
		wantErr      bool
		wantReads    int
	}{
		"a cosign signature with an image config is read and exempt": {
			config: imageConfig, layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{payload}, want: true, wantReads: 2,
		},
		"a tar archive called a cosign signature is an image": {
			config: imageConfig, layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{tarball(t)}, wantReads: 2,
		},
		"a tar archive behind a true signature is an image": {
			config: imageConfig, layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{payload, tarball(t)}, wantReads: 3,
		},
		"compressed data called an SBOM is an image": {
			config: imageConfig, layerType: "text/spdx", layers: [][]byte{{0x1f, 0x8b, 8, 0}}, wantReads: 2,
		},
		"a bundle with the empty config is exempt by its manifest": {
			config: emptyConfig, layerType: "application/vnd.sigstore.bundle.v0.3+json", layers: [][]byte{payload},
		},
		"a Sigstore bundle with the empty config is exempt by its manifest": {
			config: emptyConfig, layerType: oci.BundleMediaTypePrefix + ".v0.3+json", layers: [][]byte{payload}, want: true,
		},
		"a binary notary signature is exempt by its manifest": {
			config: notaryConfig, layerType: "application/cose", layers: [][]byte{{0xd2, 0x84}}, want: true,
		},
		"a config of an unknown type does not spare the reading": {
			config: "application/octet-stream", layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{tarball(t)}, wantReads: 2,
		},
		"a Docker manifest is always read, since its config type is not looked at": {
			manifestType: oci.MediaTypeDockerManifest, config: emptyConfig, layerType: oci.MediaTypeSimpleSigning,
			layers: [][]byte{tarball(t)}, wantReads: 2,
		},
		"a Docker image config is read": {
			config: dockerConfig, layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{payload}, want: true, wantReads: 2,
		},
		"text with a config that says what to start is an image": {
			config: imageConfig, configText: `{"os":"linux","architecture":"amd64","config":{"Entrypoint":["/bin/sh"]}}`,
			layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{payload}, wantReads: 1,
		},
		"a config that is larger than a signature's is an image's": {
			config: imageConfig, configText: "{}" + strings.Repeat(" ", 64<<10), layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{payload},
		},
		"an empty layer is no signature": {
			config: imageConfig, layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{{}}, wantReads: 2,
		},
		"a layer that cannot be read leaves the question open": {
			config: imageConfig, layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{payload}, missing: true, wantErr: true, wantReads: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := []byte(cmp.Or(c.configText, "{}"))
			store := &blobs{content: map[oci.Digest][]byte{oci.SHA256(config): config}}
			if c.manifestType == "" {
				c.manifestType = oci.MediaTypeImageManifest
			}
			var layers []string
			for _, l := range c.layers {
				if !c.missing {
					store.content[oci.SHA256(l)] = l
				}
				layers = append(layers, descriptorOf(c.layerType, l))
			}
			body := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]}`,
				c.manifestType, descriptorOf(c.config, config), strings.Join(layers, ","))
			manifest, err := oci.ParseManifest(body, c.manifestType)
			if err != nil {
				t.Fatal(err)
			}
			image := oci.Image{Bytes: body, MediaType: c.manifestType, Manifest: manifest}
			image.Reference.Digest = oci.SHA256(body)
			artifacts := policy.NewArtifacts(store)
			for range 2 {
				got, err := artifacts.Exempt(t.Context(), image)
				if got != c.want || (err != nil) != c.wantErr {
					t.Fatalf("got %v, %v; want %v, error %v", got, err, c.want, c.wantErr)
				}
			}
			want := c.wantReads
			if c.wantErr {
				want *= 2 // What was not found out is asked again.
			}
			if store.reads != want {
				t.Errorf("got %d reads, want %d", store.reads, want)
			}
			if got, _ := (*policy.Artifacts)(nil).Exempt(t.Context(), image); got && manifest.MustBeRead() {
				t.Error("without a reader it is exempt unread")
			}
		})
	}
}

// signature is an artifact of registry that has to be read, of one layer with
// size bytes, which are no signature's but text.
func signature(t *testing.T, registry string, size int) oci.Image {
	t.Helper()
	body := []byte(`{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageManifest + `","config":` +
		descriptorOf("application/vnd.oci.image.config.v1+json", []byte("{}")) + `,"layers":[` +
		descriptorOf(oci.MediaTypeSimpleSigning, bytes.Repeat([]byte("x"), size)) + `]}`)
	manifest, err := oci.ParseManifest(body, "")
	if err != nil {
		t.Fatal(err)
	}
	return oci.Image{
		Bytes: body, Manifest: manifest,
		Reference: oci.Reference{Repository: oci.Repository{Registry: registry, Path: "app"}, Digest: oci.SHA256(body)},
	}
}

// hanging is registries of which those called "hung" never answer.
type hanging struct{}

func (hanging) SmallBlob(ctx context.Context, repository oci.Repository, _ oci.Digest, limit int64) ([]byte, error) {
	if strings.HasPrefix(repository.Registry, "hung") {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if limit == int64(len("{}")) {
		return []byte("{}"), nil
	}
	return []byte(`"` + strings.Repeat("x", int(limit)-2) + `"`), nil
}

func (hanging) GetManifest(ctx context.Context, _ oci.Reference) (oci.RawManifest, error) {
	<-ctx.Done()
	return oci.RawManifest{}, ctx.Err()
}

func TestArtifactsWaitNoLongerThanTheirCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := policy.NewArtifacts(hanging{}).Exempt(ctx, signature(t, "hung.test", 2))
	if got || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want context.Canceled", got, err)
	}
}

func TestHungArtifactIsNotFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		got, err := policy.NewArtifacts(hanging{}).Exempt(t.Context(), signature(t, "hung.test", 2))
		if got || oci.CodeOf(err) != oci.CodeTimeout || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, %v; want a timeout that is not the caller's", got, err)
		}
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("took %s, want 10 s", took)
		}
	})
}

// Large artifacts of a hung registry and many small ones: others are read.
func TestHungRegistryKeepsNoOtherWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		artifacts := policy.NewArtifacts(hanging{})
		var wait sync.WaitGroup
		for i := range 50 {
			image := signature(t, "hung.test", 16<<20+i)
			wait.Go(func() {
				if got, err := artifacts.Exempt(t.Context(), image); got || err == nil {
					t.Errorf("got %v, %v; want not found out", got, err)
				}
			})
		}
		synctest.Wait()
		begin := time.Now()
		for i := range 3 {
			if got, err := artifacts.Exempt(t.Context(), signature(t, fmt.Sprintf("r%d.test", i), 30<<20)); !got || err != nil {
				t.Errorf("got %v, %v; want exempt", got, err)
			}
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("others waited %s", took)
		}
		wait.Wait()
	})
}

func descriptorOf(mediaType string, content []byte) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, oci.SHA256(content), len(content))
}

func TestAnIndexIsExemptWhenAllOfItIs(t *testing.T) {
	payload, config := []byte(`{"critical":{}}`), []byte("{}")
	entryOf := func(layerType, configType string) []byte {
		return []byte(`{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageManifest + `","config":` +
			descriptorOf(configType, config) + `,"layers":[` + descriptorOf(layerType, payload) + `]}`)
	}
	bundle := entryOf(oci.BundleMediaTypePrefix+".v0.3+json", "application/vnd.oci.empty.v1+json")
	signature := entryOf(oci.MediaTypeSimpleSigning, "application/vnd.oci.image.config.v1+json")
	image := entryOf("application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.config.v1+json")
	for name, c := range map[string]struct {
		entries [][]byte
		missing bool
		want    bool
	}{
		"of a bundle":                          {entries: [][]byte{bundle}, want: true},
		"of a bundle and a signature":          {entries: [][]byte{bundle, signature}, want: true},
		"of an image":                          {entries: [][]byte{image}},
		"of a bundle and an image":             {entries: [][]byte{bundle, image}},
		"of something that is not there":       {entries: [][]byte{bundle}, missing: true},
		"of something that is not even a list": {entries: [][]byte{[]byte("no manifest")}},
	} {
		t.Run(name, func(t *testing.T) {
			store := &blobs{
				content:   map[oci.Digest][]byte{oci.SHA256(payload): payload, oci.SHA256(config): config},
				manifests: map[oci.Digest][]byte{},
			}
			var entries []string
			for _, e := range c.entries {
				if !c.missing {
					store.manifests[oci.SHA256(e)] = e
				}
				entries = append(entries, strings.TrimSuffix(descriptorOf(oci.MediaTypeImageManifest, e), "}")+`,"artifactType":"a/b"}`)
			}
			body := []byte(`{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageIndex + `","manifests":[` + strings.Join(entries, ",") + `]}`)
			manifest, err := oci.ParseManifest(body, "")
			if err != nil {
				t.Fatal(err)
			}
			index := oci.Image{Bytes: body, Manifest: manifest}
			index.Reference.Digest = oci.SHA256(body)
			if got, err := policy.NewArtifacts(store).Exempt(t.Context(), index); got != c.want || err != nil {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
			if got, _ := (*policy.Artifacts)(nil).Exempt(t.Context(), index); got {
				t.Error("without a reader it is exempt unread")
			}
		})
	}
}
