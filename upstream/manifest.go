package upstream

import (
	"context"
	"net/http"
	"strings"

	"vouchsafe/oci"
)

var acceptManifests = strings.Join(oci.ManifestMediaTypes, ", ")

// GetManifest fetches the manifest that ref names, by its digest when it has
// one and then checked against it, else by its tag. One GET with the gateway's
// own Accept list. The bytes are as the registry sent them, not yet parsed.
func (c *Client) GetManifest(ctx context.Context, ref oci.Reference) (oci.RawManifest, error) {
	op, err := manifestOperation(http.MethodGet, ref)
	if err != nil {
		return oci.RawManifest{}, err
	}
	a, err := c.ask(ctx, op)
	if err != nil {
		return oci.RawManifest{}, err
	}
	if a.status != http.StatusOK {
		return oci.RawManifest{}, statusFailure(op.what, oci.CodeManifestUnknown, a)
	}
	defer func() { _ = a.Close() }()
	b, err := a.whole(oci.MaxManifestBytes, &oci.Error{
		Code: oci.CodeManifestInvalid, Reason: reasonTooLarge,
		Message: op.what + ": more than 4 MiB",
	})
	if err != nil {
		return oci.RawManifest{}, err
	}
	if !ref.Digest.IsZero() && !ref.Digest.Matches(b) {
		return oci.RawManifest{}, a.mismatch(op.what, "the registry sent other bytes")
	}
	return oci.RawManifest{ContentType: a.header.Get("Content-Type"), Bytes: b}, nil
}

// HeadManifest asks which digest a tag has now. The digest is the upstream's
// claim; it is zero when the upstream named none, also because it has no HEAD.
func (c *Client) HeadManifest(ctx context.Context, ref oci.Reference) (oci.Digest, error) {
	op, err := manifestOperation(http.MethodHead, ref)
	if err != nil {
		return oci.Digest{}, err
	}
	a, err := c.ask(ctx, op)
	if err != nil {
		return oci.Digest{}, err
	}
	switch a.status {
	case http.StatusOK:
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		a.drain()
		return oci.Digest{}, nil
	default:
		return oci.Digest{}, statusFailure(op.what, oci.CodeManifestUnknown, a)
	}
	defer a.drain()
	claimed, err := oci.ParseDigest(a.header.Get("Docker-Content-Digest"))
	if err != nil {
		// A claim that is no digest names nothing.
		return oci.Digest{}, nil
	}
	return claimed, nil
}

// manifestOperation is the request for ref. A tag is checked, since it becomes
// part of a URL.
func manifestOperation(method string, ref oci.Reference) (operation, error) {
	name := ref.Digest.String()
	if name == "" {
		if err := oci.CheckTag(ref.Tag); err != nil {
			return operation{}, &oci.Error{Code: oci.CodeTagInvalid, Message: err.Error()}
		}
		name = ref.Tag
	}
	return operation{
		repository: ref.Repository, what: "manifest " + ref.String(),
		method: method, path: "manifests/" + name,
		accept: acceptManifests, total: smallBodyTime,
	}, nil
}
