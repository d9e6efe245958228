package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"vouchsafe/oci"
)

// Ceilings of one subject's referrers.
const (
	maxReferrerPages     = 10
	maxReferrerPageBytes = 4 << 20
	maxReferrers         = 1000
)

// Referrers asks the referrers API alone (OCI distribution specification 1.1,
// "Listing Referrers"). A registry without it answers Supported false. No
// filter is sent and none applied: registries disagree about an entry's
// artifact type.
func (c *Client) Referrers(ctx context.Context, repository oci.Repository, subject oci.Digest) (oci.Referrers, error) {
	if subject.IsZero() {
		return oci.Referrers{}, &oci.Error{Code: oci.CodeDigestInvalid, Message: "referrers without digest"}
	}
	op := operation{
		repository: repository, what: fmt.Sprintf("referrers of %s@%s", repository, subject),
		method: http.MethodGet, path: "referrers/" + subject.String(),
		accept: oci.MediaTypeImageIndex, total: smallBodyTime, stopAt303: true,
	}
	list := referrerList{seen: map[oci.Digest]bool{}, asked: map[string]bool{}}
	defer list.release()
	for page := 1; ; page++ {
		next, err := c.referrersPage(ctx, op, &list)
		if err != nil {
			return oci.Referrers{}, err
		}
		if next == nil || list.Truncated {
			break
		}
		if page == maxReferrerPages || list.asked[next.String()] {
			list.Truncated = true
			break
		}
		list.asked[next.String()] = true
		op.next = next
	}
	if list.Truncated {
		c.log.WarnContext(ctx, "referrers cut short by a limit", "registry", repository.Registry, "digest", subject.String())
	}
	return list.Referrers, nil
}

// referrerList gathers the pages.
type referrerList struct {
	oci.Referrers
	// entries counts those left out too: a flood of bad ones is a flood.
	entries int
	seen    map[oci.Digest]bool
	asked   map[string]bool
	// claims are the pages', held until the last page: their entries are.
	claims []*claim
}

func (l *referrerList) release() {
	for _, c := range l.claims {
		c.release()
	}
}

// referrersPage asks for one page and adds it to list. next is nil at the end.
func (c *Client) referrersPage(ctx context.Context, op operation, list *referrerList) (next *url.URL, err error) {
	first := op.next == nil
	a, err := c.ask(ctx, op)
	if err != nil {
		return nil, err
	}
	if first && !hasReferrers(a) {
		a.drain()
		return nil, nil //nolint:nilnil // no next page is no error
	}
	if a.status != http.StatusOK {
		return nil, statusFailure(op.what, oci.CodeUpstream, a)
	}
	defer a.drain()
	list.Supported = true
	page := a.limited(maxReferrerPageBytes)
	list.claims, a.claim = append(list.claims, a.claim), nil
	err = eachElement(page, "manifests", list.add)
	if errors.Is(err, errOverLimit) {
		list.Truncated = true
		return nil, nil //nolint:nilnil // the limit is told by Truncated
	}
	if err != nil {
		return nil, listingTrouble(op.what, err)
	}
	// A page behind a redirect names a next one that is not ours to ask. What
	// stands there nobody knows, so it is not more than is read either.
	next, found, allowed := nextPage(a.url, a.header.Values("Link"))
	if found && (!allowed || !a.home) {
		return nil, trouble(reasonLink, op.what, "the registry names a next page elsewhere, which is not followed")
	}
	return next, nil
}

// hasReferrers reports whether a came from a referrers API. Registries without
// one answer in many ways: 404, 400, 405, 501; GHCR sends to a page for people
// with 303; others send such a page with 200.
func hasReferrers(a *answer) bool {
	switch a.status {
	case http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed,
		http.StatusNotImplemented, http.StatusSeeOther:
		return false
	case http.StatusOK:
		mediaType, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
		return err == nil && (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"))
	}
	return true
}

// add takes one entry and reports whether another may come.
func (l *referrerList) add(element json.RawMessage) bool {
	if l.entries == maxReferrers {
		l.Truncated = true
		return false
	}
	l.entries++
	if d, ok := parseDescriptor(element); ok && !l.seen[d.Digest] {
		l.seen[d.Digest] = true
		l.Manifests = append(l.Manifests, d)
	}
	return true
}
