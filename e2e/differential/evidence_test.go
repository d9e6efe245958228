package differential_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fixtures are the recordings of what cosign 2.6.5 and 3.1.3 signed.
const fixtures = "../../verify/testdata/fixtures"

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	payloadType  = "application/vnd.dev.cosign.simplesigning.v1+json"
	bundleType   = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// evidence is an image and the one signature of it.
type evidence struct {
	// name is that of the fixture and what was changed.
	name string
	// image is the manifest that is signed; imageType its media type.
	image     []byte
	imageType string
	// payload and annotations are those of a signature under a tag.
	payload     []byte
	annotations map[string]string
	// bundle is the JSON of one, where the signature is that.
	bundle []byte
}

// descriptor is what the fixtures' index and the manifests say of a content.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// manifest is an index or the manifest of a signature.
type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	ArtifactType  string       `json:"artifactType,omitempty"`
	Config        *descriptor  `json:"config,omitempty"`
	Manifests     []descriptor `json:"manifests,omitempty"`
	Layers        []descriptor `json:"layers,omitempty"`
	Subject       *descriptor  `json:"subject,omitempty"`
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func describe(mediaType string, content []byte, annotations map[string]string) descriptor {
	return descriptor{mediaType, digestOf(content), len(content), annotations}
}

// load reads one fixture.
func load(tb testing.TB, name string) evidence {
	tb.Helper()
	index := decode[manifest](tb, readFile(tb, filepath.Join(fixtures, "layout", "index.json")))
	e := evidence{name: name}
	for _, listed := range index.Manifests {
		if listed.Annotations["org.opencontainers.image.ref.name"] == name+":v1" {
			e.image, e.imageType = blob(tb, listed.Digest), listed.MediaType
		}
	}
	for _, listed := range index.Manifests {
		signature := decode[manifest](tb, blob(tb, listed.Digest))
		switch {
		case listed.Annotations["org.opencontainers.image.ref.name"] == name+":"+signatureTag(e.image):
			e.payload, e.annotations = blob(tb, signature.Layers[0].Digest), signature.Layers[0].Annotations
		case signature.Subject != nil && signature.Subject.Digest == digestOf(e.image):
			e.bundle = blob(tb, signature.Layers[0].Digest)
		}
	}
	if e.image == nil || (e.payload == nil) == (e.bundle == nil) {
		tb.Fatalf("the fixtures have no image %q with one signature", name)
	}
	return e
}

func signatureTag(image []byte) string {
	return strings.Replace(digestOf(image), ":", "-", 1) + ".sig"
}

// changed is the evidence under another name, its annotations free to change.
func (e evidence) changed(how string) evidence {
	e.name += ": " + how
	e.annotations = maps.Clone(e.annotations)
	return e
}

// push puts the image and its signature into a repository of the registry.
func (e evidence) push(tb testing.TB, host, repository string) {
	tb.Helper()
	at := fmt.Sprintf("http://%s/v2/%s/", host, repository)
	for _, child := range decode[manifest](tb, e.image).Manifests {
		send(tb, http.MethodPut, at+"manifests/"+child.Digest, child.MediaType, blob(tb, child.Digest))
	}
	send(tb, http.MethodPut, at+"manifests/"+digestOf(e.image), e.imageType, e.image)
	config := []byte("{}")
	signature := manifest{SchemaVersion: 2, MediaType: manifestType}
	content, name := e.payload, signatureTag(e.image)
	if e.bundle == nil {
		signature.Layers = []descriptor{describe(payloadType, content, e.annotations)}
		one := describe("application/vnd.oci.image.config.v1+json", config, nil)
		signature.Config = &one
	} else {
		content = e.bundle
		signature.Layers = []descriptor{describe(bundleType, content, nil)}
		one, subject := describe("application/vnd.oci.empty.v1+json", config, nil), describe(e.imageType, e.image, nil)
		signature.Config, signature.Subject, signature.ArtifactType = &one, &subject, bundleType
	}
	for _, one := range [][]byte{config, content} {
		send(tb, http.MethodPost, at+"blobs/uploads/?digest="+digestOf(one), "application/octet-stream", one)
	}
	text, err := json.Marshal(signature)
	check(tb, err)
	if e.bundle != nil {
		name = digestOf(text)
	}
	send(tb, http.MethodPut, at+"manifests/"+name, manifestType, text)
}

func send(tb testing.TB, method, url, contentType string, body []byte) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), method, url, bytes.NewReader(body))
	check(tb, err)
	request.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(request)
	check(tb, err)
	check(tb, response.Body.Close())
	if response.StatusCode != http.StatusCreated {
		tb.Fatalf("%s %s: %s", method, url, response.Status)
	}
}

func blob(tb testing.TB, digest string) []byte {
	tb.Helper()
	return readFile(tb, filepath.Join(fixtures, "layout", "blobs", "sha256", strings.TrimPrefix(digest, "sha256:")))
}

func readFile(tb testing.TB, path string) []byte {
	tb.Helper()
	content, err := os.ReadFile(path)
	check(tb, err)
	return content
}

func decode[T any](tb testing.TB, text []byte) (value T) {
	tb.Helper()
	check(tb, json.Unmarshal(text, &value))
	return value
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
