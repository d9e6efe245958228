package upstream_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/oci"
)

var subject = oci.SHA256([]byte("subject"))

func referrersPath() string { return "/v2/acme/api/referrers/" + subject.String() }

// entry is a descriptor whose digest depends on seed.
func entry(seed string) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":7,"artifactType":"application/vnd.example"}`,
		oci.MediaTypeImageManifest, oci.SHA256([]byte(seed)))
}

func indexOf(entries ...string) string {
	return `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageIndex + `","manifests":[` + strings.Join(entries, ",") + `]}`
}

// page answers with an index, and a Link when link is not empty.
func page(w http.ResponseWriter, link string, entries ...string) {
	w.Header().Set("Content-Type", oci.MediaTypeImageIndex)
	if link != "" {
		w.Header().Set("Link", "<"+link+`>; rel="next"`)
	}
	writeString(w, indexOf(entries...))
}

func TestReferrers(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" {
			page(w, "?page=2", entry("a"),
				`{"mediaType":"x","digest":"sha256:short","size":1}`, `{"digest":"`+subject.String()+`"}`, `7`, `null`,
				`{"mediaType":"a/b","digest":"`+subject.String()+`","size":-1}`, entry("a"),
				`{"mediaType":"a/b","digest":"`+subject.String()+`","size":9223372036854775807,"annotations":{"k":"v"},"platform":{"os":"linux","architecture":"amd64"}}`)
			return
		}
		page(w, "", entry("b"))
	})
	got, err := open(t, s.host(), s.spec(), nil).Referrers(t.Context(), s.repository(), subject)
	if err != nil {
		t.Fatal(err)
	}
	described := func(seed string) oci.Descriptor {
		return oci.Descriptor{MediaType: oci.MediaTypeImageManifest, Digest: oci.SHA256([]byte(seed)), Size: 7, ArtifactType: "application/vnd.example"}
	}
	want := oci.Referrers{Supported: true, Manifests: []oci.Descriptor{
		described("a"),
		{
			MediaType: "a/b", Digest: subject, Size: 9223372036854775807, Annotations: map[string]string{"k": "v"},
			Platform: &oci.Platform{OS: "linux", Architecture: "amd64"},
		},
		described("b"),
	}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b oci.Digest) bool { return a == b })); diff != "" {
		t.Errorf("referrers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"GET " + referrersPath(), "GET " + referrersPath() + "?page=2"}, s.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestRegistriesWithoutReferrersAPI(t *testing.T) {
	people := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		writeString(w, "<html>")
	})
	for name, handle := range map[string]http.HandlerFunc{
		"404": status(404, ""), "400": status(400, ""), "405": status(405, ""), "501": status(501, ""),
		"303 to a page for people, as GHCR does": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusSeeOther)
		},
		"a redirect to HTML": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, people.URL, http.StatusFound) },
		"HTML with 200": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			writeString(w, indexOf(entry("a")))
		},
		"no type with 200": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			writeString(w, indexOf(entry("a")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, handle)
			spec := s.spec()
			spec.RedirectHosts = []string{people.host()}
			got, err := open(t, s.host(), spec, nil).Referrers(t.Context(), s.repository(), subject)
			if err != nil || got.Supported || len(got.Manifests) != 0 || got.Truncated {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestReferrerFaults(t *testing.T) {
	asJSON := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			writeString(w, body)
		}
	}
	for _, row := range []struct {
		name   string
		handle http.HandlerFunc
		code   oci.Code
		reason string
	}{
		{"401", status(401, ""), oci.CodeUnauthorized, ""},
		{"403", status(403, ""), oci.CodeUnauthorized, ""},
		{"429", status(429, ""), oci.CodeBusy, "paused"},
		{"500", status(500, ""), oci.CodeUpstream, "status"},
		{"204", status(204, ""), oci.CodeUpstream, "status"},
		{"JSON that breaks off", asJSON(`{"manifests":[`), oci.CodeUpstream, "bad_answer"},
		{"JSON without a list", asJSON(`{"errors":[]}`), oci.CodeUpstream, "bad_answer"},
		{"JSON that is no object", asJSON(`[]`), oci.CodeUpstream, "bad_answer"},
		{"nesting without end", asJSON(`{"manifests":[` + strings.Repeat("[", 20_000)), oci.CodeUpstream, "bad_answer"},
		{"a body that breaks off", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"manifests\":["), oci.CodeUpstream, "interrupted"},
		{"404 on the second page", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "" {
				page(w, "?p=2", entry("a"))
				return
			}
			w.WriteHeader(404)
		}, oci.CodeUpstream, "status"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.handle)
			_, err := open(t, s.host(), s.spec(), nil).Referrers(t.Context(), s.repository(), subject)
			wantCode(t, err, row.code, row.reason)
		})
	}
}

func TestReferrersAreBounded(t *testing.T) {
	many := make([]string, 1001)
	for i := range many {
		many[i] = entry(strconv.Itoa(i))
	}
	for _, row := range []struct {
		name     string
		handle   http.HandlerFunc
		found    int
		requests int
	}{
		{"pages without end", func(w http.ResponseWriter, r *http.Request) {
			n, _ := strconv.Atoi(r.URL.Query().Get("p"))
			page(w, "?p="+itoa(n+1), entry(itoa(n)))
		}, 10, 10},
		{"a page that names itself", func(w http.ResponseWriter, _ *http.Request) { page(w, "?p=1", entry("a")) }, 1, 2},
		{"two pages that name each other", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "p=1" {
				page(w, "?p=2", entry("b"))
				return
			}
			page(w, "?p=1", entry("a"))
		}, 2, 3},
		{"more than a thousand", func(w http.ResponseWriter, _ *http.Request) { page(w, "", many...) }, 1000, 1},
		{"a flood of bad ones", func(w http.ResponseWriter, _ *http.Request) {
			page(w, "", append(make([]string, 0), strings.Split(strings.Repeat("{},", 5000)+entry("a"), ",")...)...)
		}, 0, 1},
		{"a page over 4 MiB", func(w http.ResponseWriter, _ *http.Request) {
			page(w, "", entry("a"), `{"x":"`+strings.Repeat("x", 5<<20)+`"}`, entry("b"))
		}, 1, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.handle)
			got, err := open(t, s.host(), s.spec(), nil).Referrers(t.Context(), s.repository(), subject)
			if err != nil || !got.Supported || !got.Truncated || len(got.Manifests) != row.found {
				t.Errorf("got %d referrers, supported %v, truncated %v, %v", len(got.Manifests), got.Supported, got.Truncated, err)
			}
			if n := len(s.take()); n != row.requests {
				t.Errorf("got %d requests, want %d", n, row.requests)
			}
		})
	}
}

func TestReferrersIndex(t *testing.T) {
	api := func(w http.ResponseWriter, _ *http.Request) { page(w, "", entry("a"), entry("b")) }
	tag := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/acme/api/manifests/"+subject.TagName() || body == "" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.Header().Set("Content-Type", oci.MediaTypeImageIndex)
			writeString(w, body)
		}
	}
	for _, row := range []struct {
		name         string
		handle       http.HandlerFunc
		artifactType string
		want         []string
	}{
		{"from the API", api, "", []string{"a", "b"}},
		{"from the API, filtered", api, "application/vnd.other", nil},
		{"from the tag", tag(indexOf(entry("a"))), "", []string{"a"}},
		{"from the tag, filtered", tag(indexOf(entry("a"))), "application/vnd.other", nil},
		{"from the tag, filtered to what is there", tag(indexOf(entry("a"))), "application/vnd.example", []string{"a"}},
		{"from nowhere", tag(""), "", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.handle)
			b, err := open(t, s.host(), s.spec(), nil).ReferrersIndex(t.Context(), s.repository(), subject, row.artifactType)
			if err != nil {
				t.Fatal(err)
			}
			want := make([]string, len(row.want))
			for i, seed := range row.want {
				want[i] = entry(seed)
			}
			var got, wanted any
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatalf("not JSON: %s", b)
			}
			_ = json.Unmarshal([]byte(indexOf(want...)), &wanted)
			if diff := cmp.Diff(wanted, got); diff != "" {
				t.Errorf("index (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("from the tag of a sha512 digest, which is cut to what a tag may hold", func(t *testing.T) {
		long, err := oci.ParseDigest("sha512:" + strings.Repeat("ab", 64))
		if err != nil {
			t.Fatal(err)
		}
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/acme/api/manifests/sha512-"+strings.Repeat("ab", 32) {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			page(w, "", entry("a"))
		})
		b, err := open(t, s.host(), s.spec(), nil).ReferrersIndex(t.Context(), s.repository(), long, "")
		if err != nil || !strings.Contains(string(b), oci.SHA256([]byte("a")).String()) {
			t.Errorf("got %s, %v", b, err)
		}
	})
	image := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[]}`, oci.MediaTypeImageManifest, entry("a"))
	for name, handle := range map[string]http.HandlerFunc{
		"an image under the tag": func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/referrers/") {
				w.WriteHeader(404)
				return
			}
			w.Header().Set("Content-Type", oci.MediaTypeImageManifest)
			writeString(w, image)
		},
		"HTML under the tag": tag("<html>"),
	} {
		s := serve(t, handle)
		_, err := open(t, s.host(), s.spec(), nil).ReferrersIndex(t.Context(), s.repository(), subject, "")
		if oci.CodeOf(err) != oci.CodeManifestInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
