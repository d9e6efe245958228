package proxy

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
)

// large is a manifest of 4 MiB that name makes another one.
func large(registry string, name int) oci.Image {
	ref := oci.Reference{Repository: oci.Repository{Registry: registry, Path: "app"}, Digest: oci.SHA256(fmt.Append(nil, name))}
	return oci.Image{Reference: ref, Bytes: make([]byte, oci.MaxManifestBytes)}
}

func TestLargeManifestsOfOneRegistryLeaveRoomForOthers(t *testing.T) {
	var h holding
	var releases []func()
	for i := range 1000 {
		release, err := h.manifest(large("a.test", i))
		if err != nil {
			if oci.CodeOf(err) != oci.CodeBusy {
				t.Fatalf("got %v, want CodeBusy", err)
			}
			break
		}
		releases = append(releases, release)
	}
	if got, want := len(releases), servedBytes/2/(2*oci.MaxManifestBytes); got != want {
		t.Errorf("got %d manifests of one registry, want %d", got, want)
	}
	release, err := h.manifest(large("b.test", 0))
	if err != nil {
		t.Fatalf("another registry: %v", err)
	}
	for _, r := range append(releases, release) {
		r()
	}
	if h.total != 0 || len(h.users) != 0 || len(h.of) != 0 {
		t.Errorf("left behind: %d bytes, %d manifests, %d registries", h.total, len(h.users), len(h.of))
	}
}

func TestAManifestCountsOnceHoweverManyHoldIt(t *testing.T) {
	var h holding
	var releases []func()
	for range 1000 {
		release, err := h.manifest(large("a.test", 1))
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	if h.total != 2*oci.MaxManifestBytes {
		t.Errorf("got %d bytes, want %d", h.total, 2*oci.MaxManifestBytes)
	}
	for _, release := range releases {
		release()
	}
	if h.total != 0 {
		t.Errorf("left behind: %d bytes", h.total)
	}
	if release, err := h.manifest(oci.Image{Bytes: make([]byte, largeBytes)}); err != nil || h.total != 0 {
		t.Errorf("a small manifest counts: %v", err)
	} else {
		release()
	}
}

func TestBlobsOfOneRegistryWaitForNoOther(t *testing.T) {
	var h holding
	release, err := h.blob(t.Context(), "a.test", inspectedBytes)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := h.blob(ctx, "a.test", 1); oci.CodeOf(err) != oci.CodeBusy {
		t.Errorf("got %v, want CodeBusy", err)
	}
	other, err := h.blob(t.Context(), "b.test", inspectedBytes)
	if err != nil {
		t.Fatalf("another registry: %v", err)
	}
	other()
	release()
	again, err := h.blob(t.Context(), "a.test", inspectedBytes)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

// What requests hold of blobs counts for each of them, together with manifests,
// and is given back once.
func TestWhatRequestsHoldOfBlobsCountsForEach(t *testing.T) {
	var h holding
	var bodies []*front
	for {
		release, err := h.alone("a.test", oci.MaxManifestBytes)
		if err != nil {
			if oci.CodeOf(err) != oci.CodeBusy {
				t.Fatalf("got %v, want CodeBusy", err)
			}
			break
		}
		bodies = append(bodies, &front{content: make([]byte, 10), release: release, rest: io.NopCloser(strings.NewReader("rest"))})
	}
	if got, want := len(bodies), servedBytes/2/oci.MaxManifestBytes; got != want {
		t.Errorf("got %d beginnings of one registry's blobs, want %d", got, want)
	}
	if _, err := h.manifest(large("a.test", 1)); oci.CodeOf(err) != oci.CodeBusy {
		t.Errorf("got %v for a manifest, want CodeBusy", err)
	}
	for _, body := range bodies {
		if n, err := body.Read(make([]byte, 10)); n != 10 || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
		body.release() // as the end of the request does
	}
	if h.total != 0 || len(h.of) != 0 {
		t.Errorf("left behind: %d bytes of %d registries", h.total, len(h.of))
	}
}
