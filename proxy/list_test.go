package proxy_test

import (
	"context"
	"testing"

	"vouchsafe/oci"
)

func TestTagsWithoutMoreHaveNoLink(t *testing.T) {
	w := newWorld(t, nil)
	w.upstream.tags = func(context.Context, int, string) ([]string, bool, error) { return []string{"1.0"}, false, nil }
	got := w.do(t, "GET", "/v2/nginx/tags/list?n=1")
	if got.status != 200 || got.body != `{"name":"nginx","tags":["1.0"]}` {
		t.Errorf("got %d %s", got.status, got.body)
	}
	wantHeader(t, got, "Link", "")
	w.upstream.tags = func(context.Context, int, string) ([]string, bool, error) { return nil, true, nil }
	got = w.do(t, "GET", "/v2/nginx/tags/list?n=1")
	if got.body != `{"name":"nginx","tags":[]}` {
		t.Errorf("got %s, want an empty list and no null", got.body)
	}
	wantHeader(t, got, "Link", "")
}

// A registry names its tags itself: what it makes up stays inside the value.
func TestLinkIsEncoded(t *testing.T) {
	w := newWorld(t, nil)
	w.upstream.tags = func(context.Context, int, string) ([]string, bool, error) {
		return []string{"a>; rel=\"x\"\r\nSet-Cookie: y&n=5"}, true, nil
	}
	got := w.do(t, "GET", "/v2/nginx/tags/list")
	wantHeader(t, got, "Link", `</v2/nginx/tags/list?last=a%3E%3B+rel%3D%22x%22%0D%0ASet-Cookie%3A+y%26n%3D5>; rel="next"`)
	wantHeader(t, got, "Set-Cookie", "")
}

func TestListingErrorsAreAnswers(t *testing.T) {
	w := newWorld(t, nil)
	w.upstream.tags = func(context.Context, int, string) ([]string, bool, error) {
		return nil, false, &oci.Error{Code: oci.CodeNameUnknown}
	}
	wantError(t, w.do(t, "GET", "/v2/nginx/tags/list"), 404, "NAME_UNKNOWN", "")
	w.upstream.refs = func(context.Context, string) ([]byte, error) { return nil, &oci.Error{Code: oci.CodeTimeout} }
	got := w.do(t, "GET", "/v2/nginx/referrers/"+manifestDigest.String()+"?artifactType=a/b")
	wantError(t, got, 504, "UNAVAILABLE", "")
	wantHeader(t, got, "OCI-Filters-Applied", "")
}
