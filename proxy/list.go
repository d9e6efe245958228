package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"vouchsafe/oci"
)

// tagList is the answer to a listing (OCI distribution specification 1.1,
// "Listing Tags").
type tagList struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

// serveTags lists a page of tags. Tags are names alone: nothing is judged.
func (h *Handler) serveTags(ctx context.Context, x *exchange) error {
	list := tagList{Name: x.ask.name, Tags: []string{}}
	header := x.Header()
	header.Set("Content-Type", "application/json")
	if x.ask.page != 0 { // a page of none is empty by the specification
		ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
		defer cancel()
		tags, more, err := h.lists.Tags(ctx, x.ask.ref.Repository, max(x.ask.page, 0), x.ask.last)
		if err != nil {
			return err
		}
		if len(tags) > 0 {
			list.Tags = tags
			if more {
				header.Set("Link", x.ask.nextPage(tags[len(tags)-1]))
			}
		}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("encode tags: %w", err)
	}
	return x.send(http.StatusOK, body)
}

// nextPage is the Link to the page behind last, in the form in which the client
// named the repository.
func (q request) nextPage(last string) string {
	query := url.Values{"last": {last}}
	if q.page > 0 {
		query.Set("n", strconv.Itoa(q.page))
	}
	if q.ns != "" {
		query.Set("ns", q.ns)
	}
	return "</v2/" + q.name + "/tags/list?" + query.Encode() + `>; rel="next"`
}

// serveReferrers lists what refers to a digest (OCI distribution specification
// 1.1, "Listing Referrers"). The list is not judged; what it names is, when it
// is pulled.
func (h *Handler) serveReferrers(ctx context.Context, x *exchange) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	body, err := h.lists.ReferrersIndex(ctx, x.ask.ref.Repository, x.ask.ref.Digest, x.ask.artifactType)
	if err != nil {
		return err
	}
	header := x.Header()
	header.Set("Content-Type", oci.MediaTypeImageIndex)
	if x.ask.artifactType != "" {
		header.Set("OCI-Filters-Applied", "artifactType")
	}
	return x.send(http.StatusOK, body)
}
