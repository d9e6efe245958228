package upstream

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"vouchsafe/oci"
)

const (
	maxTagsBytes = 8 << 20
	// maxTags bounds one page; behind it there are more.
	maxTags = 100_000
)

// Tags returns one page of a repository's tags after last, at most n when n is
// positive, and whether there are more (OCI distribution specification 1.1,
// "Listing Tags"). Names that are no tags are left out.
func (c *Client) Tags(ctx context.Context, repository oci.Repository, n int, last string) (tags []string, more bool, err error) {
	op := operation{
		repository: repository, what: "tags of " + repository.String(),
		method: http.MethodGet, path: "tags/list", query: url.Values{},
		accept: "application/json", total: smallBodyTime,
	}
	limit := maxTags
	if n > 0 {
		op.query.Set("n", strconv.Itoa(n))
		limit = min(limit, n)
	}
	if last != "" {
		if err := oci.CheckTag(last); err != nil {
			return nil, false, &oci.Error{Code: oci.CodeTagInvalid, Message: err.Error()}
		}
		op.query.Set("last", last)
	}
	a, err := c.ask(ctx, op)
	if err != nil {
		return nil, false, err
	}
	if a.status != http.StatusOK {
		return nil, false, statusFailure(op.what, oci.CodeNameUnknown, a)
	}
	defer a.drain()
	more = nextLink(a.header.Values("Link")) != ""
	err = eachElement(a.limited(maxTagsBytes), "tags", func(element json.RawMessage) bool {
		var tag string
		if json.Unmarshal(element, &tag) != nil || oci.CheckTag(tag) != nil {
			return true
		}
		if len(tags) == limit {
			// A registry that does not page sends them all.
			more = true
			return false
		}
		tags = append(tags, tag)
		return true
	})
	if err != nil {
		return nil, false, listingTrouble(op.what, err)
	}
	return tags, more, nil
}
