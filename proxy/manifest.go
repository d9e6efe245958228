package proxy

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

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
	release, err := h.holding.manifest(image)
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
