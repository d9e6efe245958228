package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"vouchsafe/oci"
)

// get asks the gateway for a page of the repository and returns the status.
func (d *door) get(t *testing.T, page string, headers ...string) int {
	t.Helper()
	host := strings.Replace(d.registry.Host(), ":", "_", 1)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.gateway.URL+"/v2/"+host+"/acme/api/"+page, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// hidden is an unsigned image, and the ways to hide it that were found.
type hidden struct {
	*door
	t        *testing.T
	manifest []byte
	layer    []byte
}

func newHidden(t *testing.T) *hidden {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "bin/sh", Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h := &hidden{door: newDoor(t, false), t: t, layer: layer.Bytes()}
	config := `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["` + oci.SHA256(h.layer).String() + `"]}}`
	h.manifest = h.image("application/vnd.oci.image.config.v1+json", config, "application/vnd.oci.image.layer.v1.tar", string(h.layer))
	h.push(oci.MediaTypeImageManifest, h.manifest)
	return h
}

// image pushes a config and a layer and returns the manifest of both.
func (h *hidden) image(configType, config, layerType, layer string) []byte {
	h.t.Helper()
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]}`,
		oci.MediaTypeImageManifest, h.blob(configType, config), h.blob(layerType, layer))
}

func (h *hidden) blob(mediaType, content string) string {
	h.t.Helper()
	digest, err := h.registry.PushBlob("acme/api", []byte(content))
	if err != nil {
		h.t.Fatal(err)
	}
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, digest, len(content))
}

// push pushes a manifest by its digest and returns the page that names it.
func (h *hidden) push(mediaType string, body []byte) string {
	h.t.Helper()
	digest := oci.SHA256(body).String()
	if err := h.registry.PushManifest("acme/api", digest, mediaType, body); err != nil {
		h.t.Fatal(err)
	}
	return "manifests/" + digest
}

// index pushes an index with one entry, an artifact by its own word.
func (h *hidden) index(entry []byte, more string) string {
	h.t.Helper()
	return h.push(oci.MediaTypeImageIndex, fmt.Appendf(nil,
		`{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":%d,"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"%s}]}`,
		oci.MediaTypeImageIndex, oci.MediaTypeImageManifest, oci.SHA256(entry), len(entry), more))
}

func TestAnUnsignedImageIsRefusedHoweverItIsHidden(t *testing.T) {
	const (
		imageConfig = "application/vnd.oci.image.config.v1+json"
		emptyConfig = "application/vnd.oci.empty.v1+json"
		signature   = oci.MediaTypeSimpleSigning
		payload     = `{"critical":{}}`
	)
	for name, c := range map[string]struct {
		page func(*hidden) string
		want int
	}{
		"plainly": {func(h *hidden) string { return "manifests/" + oci.SHA256(h.manifest).String() }, 403},
		"as a blob": {func(h *hidden) string {
			h.blob("", string(h.manifest))
			return "blobs/" + oci.SHA256(h.manifest).String()
		}, 403},
		"as a blob that is larger than a manifest may be": {func(h *hidden) string {
			large := strings.TrimSuffix(string(h.manifest), "}") + `,"annotations":{"a":"` + strings.Repeat("x", oci.MaxManifestBytes) + `"}}`
			h.blob("", large)
			return "blobs/" + oci.SHA256([]byte(large)).String()
		}, 502},
		"behind an index that calls it an artifact": {func(h *hidden) string { return h.index(h.manifest, "") }, 403},
		"embedded in an index that calls it an artifact": {func(h *hidden) string {
			return h.index(h.manifest, `,"data":"`+base64.StdEncoding.EncodeToString(h.manifest)+`"`)
		}, 403},
		"as the layer of a signature": {func(h *hidden) string {
			return h.push(oci.MediaTypeImageManifest, h.image(imageConfig, "{}", signature, string(h.manifest)))
		}, 403},
		"as the layer of a bundle, which is served, and then as that blob": {func(h *hidden) string {
			bundle := h.push(oci.MediaTypeImageManifest, h.image(emptyConfig, "{}", oci.BundleMediaTypePrefix+".v0.3+json", string(h.manifest)))
			if got := h.get(h.t, bundle); got != 200 {
				h.t.Errorf("the bundle: got %d, want 200", got)
			}
			return "blobs/" + oci.SHA256(h.manifest).String()
		}, 403},
		"as an archive that is called a signature": {func(h *hidden) string {
			return h.push(oci.MediaTypeImageManifest, h.image(imageConfig, "{}", signature, string(h.layer)))
		}, 403},
		"as a config with an entry point and a signature for a layer": {func(h *hidden) string {
			return h.push(oci.MediaTypeImageManifest, h.image(imageConfig, `{"config":{"Entrypoint":["sh"]}}`, signature, payload))
		}, 403},
		"as a config with an entry point that is called an empty one": {func(h *hidden) string {
			return h.push(oci.MediaTypeImageManifest, h.image(emptyConfig, `{"config":{"Entrypoint":["sh"]}}`, signature, payload))
		}, 403},
		"as a config on layers that a node may have": {func(h *hidden) string {
			config := `{"rootfs":{"type":"layers","diff_ids":["` + oci.SHA256(h.layer).String() + `"]}}`
			return h.push(oci.MediaTypeImageManifest, h.image(imageConfig, config, signature, payload))
		}, 403},
		"under the digest of another algorithm": {func(h *hidden) string {
			sum := sha512.Sum512(h.manifest)
			digest := "sha512:" + hex.EncodeToString(sum[:])
			if err := h.registry.PushManifest("acme/api", digest, oci.MediaTypeImageManifest, h.manifest); err != nil {
				h.t.Fatal(err)
			}
			return "manifests/" + digest
		}, 403},
		"not at all: a true signature is served": {func(h *hidden) string {
			return h.push(oci.MediaTypeImageManifest, h.image(imageConfig, `{"architecture":"","os":"","config":{}}`, signature, payload))
		}, 200},
		"not at all: the signature of the signed image is served": {func(h *hidden) string {
			return "manifests/" + h.door.image.Digest.TagName() + ".sig"
		}, 200},
		"not at all: a list of signatures is served": {func(h *hidden) string {
			one := h.image(imageConfig, `{}`, signature, payload)
			h.push(oci.MediaTypeImageManifest, one)
			return h.index(one, "")
		}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHidden(t)
			page := c.page(h)
			if got := h.get(t, page); got != c.want {
				t.Errorf("%s: got %d, want %d", page, got, c.want)
			}
			if got := h.get(t, page, "Range", "bytes=0-3"); got != c.want && got != 206 || c.want == 403 && got != 403 {
				t.Errorf("a part of %s: got %d, want %d", page, got, c.want)
			}
			if c.want != 403 {
				return
			}
			// What is refused leaves nothing to start: its blobs are refused too.
			h.get(t, "manifests/"+oci.SHA256(h.manifest).String())
			if got := h.get(t, "blobs/"+oci.SHA256(h.layer).String()); got != 403 {
				t.Errorf("the layer: got %d, want 403", got)
			}
		})
	}
}

// A blob that nothing vouches for is answered only after a look at it, whatever
// way it is asked for; one that the signed image lists is answered as always.
func TestABlobIsAnsweredAfterALook(t *testing.T) {
	h := newHidden(t)
	h.blob("", string(h.manifest))
	padded := strings.Repeat(" ", oci.MaxManifestBytes) + string(h.manifest)
	h.blob("", padded)
	manifest, late := oci.SHA256(h.manifest).String(), oci.SHA256([]byte(padded)).String()
	nothing := oci.SHA256([]byte("nothing")).String()
	h.pull(t, http.MethodGet, "1.4")
	listed := h.layerOf(t, h.door.image.Digest.String())
	for name, c := range map[string]struct {
		method, digest string
		headers        []string
		want           int
		broken         bool
	}{
		"HEAD of an unsigned manifest":               {"HEAD", manifest, nil, 403, false},
		"an unsigned manifest that the client has":   {"GET", manifest, []string{"If-None-Match", "*"}, 403, false},
		"a part of an unsigned manifest":             {"GET", manifest, []string{"Range", "bytes=0-"}, 403, false},
		"nothing, which the client has":              {"GET", nothing, []string{"If-None-Match", "*"}, 404, false},
		"HEAD of nothing, which the client has":      {"HEAD", nothing, []string{"If-None-Match", "*"}, 404, false},
		"an unsigned manifest behind 4 MiB of space": {"GET", late, nil, 200, true},
		"a part of it":                {"GET", late, []string{"Range", "bytes=4194304-"}, 200, true},
		"a layer of the signed image": {"GET", listed, nil, 200, false},
		"a layer that the client has": {"GET", listed, []string{"If-None-Match", "*"}, 304, false},
		"HEAD of a layer":             {"HEAD", listed, nil, 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), c.method, h.gateway.URL+strings.Replace(h.path(c.digest), "/manifests/", "/blobs/", 1), nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i+1 < len(c.headers); i += 2 {
				request.Header.Set(c.headers[i], c.headers[i+1])
			}
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if answer.StatusCode != c.want || (err != nil) != c.broken || bytes.Contains(body, []byte(`"layers"`)) {
				t.Errorf("got %d with %d bytes (%v), want %d, broken %t", answer.StatusCode, len(body), err, c.want, c.broken)
			}
		})
	}
}

// layerOf returns the digest of the first layer of an image at the gateway.
func (h *hidden) layerOf(t *testing.T, digest string) string {
	t.Helper()
	answer, err := http.Get(h.gateway.URL + h.path(digest))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := oci.ParseManifest(body, answer.Header.Get("Content-Type"))
	if err != nil || len(manifest.Layers) == 0 {
		t.Fatalf("%v in %s", err, body)
	}
	return manifest.Layers[0].Digest.String()
}
