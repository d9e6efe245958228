package policy_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// blobs is what a registry holds, by digest; what is not there fails.
type blobs struct {
	content map[oci.Digest][]byte
	reads   int
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
		layerType    string
		layers       [][]byte
		missing      bool
		want         bool
		wantErr      bool
		wantReads    int
	}{
		"a cosign signature with an image config is read and exempt": {
			config: imageConfig, layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{payload}, want: true, wantReads: 1,
		},
		"a tar archive called a cosign signature is an image": {
			config: imageConfig, layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{tarball(t)}, wantReads: 1,
		},
		"a tar archive behind a true signature is an image": {
			config: imageConfig, layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{payload, tarball(t)}, wantReads: 2,
		},
		"compressed data called an SBOM is an image": {
			config: imageConfig, layerType: "text/spdx", layers: [][]byte{{0x1f, 0x8b, 8, 0}}, wantReads: 1,
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
			config: "application/octet-stream", layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{tarball(t)}, wantReads: 1,
		},
		"a Docker manifest is always read, since its config type is not looked at": {
			manifestType: oci.MediaTypeDockerManifest, config: emptyConfig, layerType: oci.MediaTypeSimpleSigning,
			layers: [][]byte{tarball(t)}, wantReads: 1,
		},
		"a Docker image config is read": {
			config: dockerConfig, layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{payload}, want: true, wantReads: 1,
		},
		"an empty layer is no signature": {
			config: imageConfig, layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{{}}, wantReads: 1,
		},
		"a layer that cannot be read leaves the question open": {
			config: imageConfig, layerType: oci.MediaTypeSimpleSigning, layers: [][]byte{payload}, missing: true, wantErr: true, wantReads: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := &blobs{content: map[oci.Digest][]byte{}}
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
				c.manifestType, descriptorOf(c.config, []byte("{}")), strings.Join(layers, ","))
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

func TestArtifactsWaitNoLongerThanTheirCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	store := &blocked{}
	body := []byte(`{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageManifest + `","config":` +
		descriptorOf("application/vnd.oci.image.config.v1+json", []byte("{}")) + `,"layers":[` + descriptorOf(oci.MediaTypeSimpleSigning, []byte("{}")) + `]}`)
	manifest, err := oci.ParseManifest(body, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := policy.NewArtifacts(store).Exempt(ctx, oci.Image{Bytes: body, Manifest: manifest})
	if got || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want context.Canceled", got, err)
	}
}

type blocked struct{}

func (*blocked) SmallBlob(ctx context.Context, _ oci.Repository, _ oci.Digest, _ int64) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func descriptorOf(mediaType string, content []byte) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, oci.SHA256(content), len(content))
}
