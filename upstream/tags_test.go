package upstream_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/oci"
)

func TestTags(t *testing.T) {
	for _, row := range []struct {
		name, body, link string
		n                int
		last, query      string
		want             []string
		more             bool
	}{
		{name: "all", body: `{"name":"acme/api","tags":["1","2"]}`, want: []string{"1", "2"}},
		{name: "none", body: `{"tags":null}`},
		{name: "a page", body: `{"tags":["b"]}`, link: `</v2/acme/api/tags/list?n=1&last=b>; rel="next"`, n: 1, last: "a", query: "?last=a&n=1", want: []string{"b"}, more: true},
		{name: "the link may lead anywhere, since it is not followed", body: `{"tags":["b"]}`, link: `<http://169.254.169.254/>; rel=next`, want: []string{"b"}, more: true},
		{name: "a registry that does not page", body: `{"tags":["a","b","c"]}`, n: 2, query: "?n=2", want: []string{"a", "b"}, more: true},
		{name: "names that are no tags are left out", body: `{"tags":["a","../x",7,"",null,"<b>",{},"b"]}`, want: []string{"a", "b"}},
		{name: "no page size", body: `{"tags":["a"]}`, n: -1, want: []string{"a"}},
		{name: "a size that is not allocated", body: `{"tags":["a"]}`, n: 1 << 62, query: "?n=4611686018427387904", want: []string{"a"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if row.link != "" {
					w.Header().Set("Link", row.link)
				}
				writeString(w, row.body)
			})
			tags, more, err := open(t, s.host(), s.spec(), nil).Tags(t.Context(), s.repository(), row.n, row.last)
			if err != nil || more != row.more {
				t.Errorf("got more %v, %v", more, err)
			}
			if diff := cmp.Diff(row.want, tags); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"GET /v2/acme/api/tags/list" + row.query}, s.lines()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTagFaults(t *testing.T) {
	for _, row := range []struct {
		name   string
		handle http.HandlerFunc
		code   oci.Code
		reason string
	}{
		{"404", status(404, ""), oci.CodeNameUnknown, ""},
		{"500", status(500, ""), oci.CodeUpstream, "status"},
		{"HTML", status(200, "<html>"), oci.CodeUpstream, "bad_answer"},
		{"no list", status(200, `{"name":"x"}`), oci.CodeUpstream, "bad_answer"},
		{"a list of another type", status(200, `{"tags":"x"}`), oci.CodeUpstream, "bad_answer"},
		{"an array", status(200, `["x"]`), oci.CodeUpstream, "bad_answer"},
		{"a list without end", status(200, `{"tags":["a",`), oci.CodeUpstream, "bad_answer"},
		{"more than 8 MiB", status(200, `{"tags":["`+strings.Repeat("a", 8<<20)+`"]}`), oci.CodeUpstream, "too_large"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.handle)
			_, _, err := open(t, s.host(), s.spec(), nil).Tags(t.Context(), s.repository(), 0, "")
			wantCode(t, err, row.code, row.reason)
		})
	}
	s := serve(t, good)
	_, _, err := open(t, s.host(), s.spec(), nil).Tags(t.Context(), s.repository(), 0, "../x")
	wantCode(t, err, oci.CodeTagInvalid, "")
}

func TestTagsAreBounded(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		writeString(w, `{"tags":["x"`)
		for i := range 150_000 {
			_, _ = fmt.Fprintf(w, `,"t%d"`, i)
		}
		writeString(w, `]}`)
	})
	tags, more, err := open(t, s.host(), s.spec(), nil).Tags(t.Context(), s.repository(), 0, "")
	if err != nil || len(tags) != 100_000 || !more {
		t.Errorf("got %d tags, more %v, %v", len(tags), more, err)
	}
}
