package upstream

import (
	"context"
	"io"
	"log/slog"
	"time"

	"vouchsafe/oci"
)

// Config configures a Client. The zero value is usable.
type Config struct {
	// UserAgent is sent with every request; empty means "vouchsafe".
	UserAgent string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Observe is called after each request at the upstream's door, token
	// requests included, with the status or 0; nil means not observed.
	Observe func(registry string, status int, took time.Duration)
	// Log receives what is not told to clients; nil means discarded.
	Log *slog.Logger
}

// Client reads from listed registries. All errors are [oci.Error] values or
// wrap the context's error. It is safe for concurrent use.
type Client struct{}

// New returns a Client for the registries that lookup knows at the time of each
// request.
func New(lookup func(registry string) (*Registry, bool), cfg Config) *Client { panic("not built yet") }

// GetManifest fetches the manifest that ref names, by its digest when it has
// one and then checked against it, else by its tag. One GET with the gateway's
// own Accept list.
func (c *Client) GetManifest(ctx context.Context, ref oci.Reference) (oci.RawManifest, error) {
	panic("not built yet")
}

// HeadManifest asks which digest a tag has now. The digest is the upstream's
// claim; it is zero when the upstream named none.
func (c *Client) HeadManifest(ctx context.Context, ref oci.Reference) (oci.Digest, error) {
	panic("not built yet")
}

// Blob is one blob, or the part of it that was asked for. Close must be called.
type Blob struct {
	// Body fails with an error instead of io.EOF when the content is shorter,
	// longer or other than announced; a whole blob is checked against its digest.
	Body io.ReadCloser
	// Size is how many bytes Body has, -1 when the upstream did not say.
	Size int64
	// ContentRange is set when Body is a part of the blob.
	ContentRange string
	// MediaType is the upstream's Content-Type, untrusted.
	MediaType string
}

// OpenBlob opens a blob, or the part that byteRange asks for (the value of a
// Range header with one range; empty means the whole). A range that the
// upstream ignores gives the whole blob.
func (c *Client) OpenBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, byteRange string) (*Blob, error) {
	panic("not built yet")
}

// HeadBlob returns the size of a blob, -1 when the upstream did not say.
func (c *Client) HeadBlob(ctx context.Context, repository oci.Repository, digest oci.Digest) (int64, error) {
	panic("not built yet")
}

// SmallBlob returns a whole blob of at most limit bytes, checked against digest.
func (c *Client) SmallBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, limit int64) ([]byte, error) {
	panic("not built yet")
}

// Tags returns one page of a repository's tags after last, at most n when n is
// positive, and whether there are more.
func (c *Client) Tags(ctx context.Context, repository oci.Repository, n int, last string) (tags []string, more bool, err error) {
	panic("not built yet")
}

// Referrers asks the referrers API alone (OCI distribution specification 1.1,
// "Listing Referrers"). A registry without it answers Supported false.
func (c *Client) Referrers(ctx context.Context, repository oci.Repository, subject oci.Digest) (oci.Referrers, error) {
	panic("not built yet")
}

// ReferrersIndex returns the referrers of subject as an image index, from the
// API or, where there is none, from the referrers tag; filtered by artifactType
// when it is not empty. No referrers is an empty index.
func (c *Client) ReferrersIndex(ctx context.Context, repository oci.Repository, subject oci.Digest, artifactType string) ([]byte, error) {
	panic("not built yet")
}
