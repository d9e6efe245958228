package proxy

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"vouchsafe/oci"
)

const (
	// servedBytes bounds the large manifests that requests hold, from their
	// arrival until the client has taken them: signatures may take long to come,
	// and clients to read. Twice a manifest's size is counted, for its reading.
	servedBytes = 256 << 20
	// largeBytes is what counts as large. Smaller ones are bounded by the number
	// of connections.
	largeBytes = 64 << 10
	// busyRetryAfter is when a client may come again.
	busyRetryAfter = 5 * time.Second
)

// hold counts an image until release is called.
func (h *Handler) hold(image oci.Image) (release func(), err error) {
	size := 2 * int64(len(image.Bytes))
	if size <= 2*largeBytes {
		return func() {}, nil
	}
	if !h.serving.TryAcquire(size) {
		return nil, &oci.Error{
			Code: oci.CodeBusy, Reason: "memory", RetryAfter: busyRetryAfter,
			Message: "too many large manifests are being served",
		}
	}
	return func() { h.serving.Release(size) }, nil
}

// serveManifest answers GET and HEAD alike (OCI distribution specification 1.1,
// "Pulling manifests"): a runtime that holds the content starts an image after
// a good HEAD alone.
func (h *Handler) serveManifest(ctx context.Context, x *exchange) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	image, err := h.resolver.Resolve(ctx, x.ask.ref)
	if err != nil {
		return err
	}
	release, err := h.hold(image)
	if err != nil {
		return err
	}
	defer release()
	header := x.Header()
	digest := image.Reference.Digest.String()
	etag := `"` + digest + `"`
	header.Set("Docker-Content-Digest", digest)
	header.Set("Etag", etag)
	header.Set("Content-Type", image.MediaType)
	if image.Age > 0 {
		header.Set("Age", strconv.FormatInt(int64(image.Age/time.Second), 10))
	}
	// The decision is the last thing before the first byte.
	if err := h.judgeImage(x, image).hold(ctx); err != nil {
		return err
	}
	if notModified(x.r, etag) {
		x.WriteHeader(http.StatusNotModified)
		return nil
	}
	return x.send(http.StatusOK, image.Bytes)
}
