package proxy

import (
	"strings"
	"testing"

	"vouchsafe/oci"
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func testNaming() naming {
	return naming{
		fallback: "docker.io", own: "gateway.test:5000",
		listed: func(registry string) bool {
			switch registry {
			case "docker.io", "registry.acme.com", "registry.acme.com:5000", "localhost", "localhost:5001", "127.0.0.1:5000":
				return true
			}
			return false
		},
	}
}

func TestPathsAndTheirOrigins(t *testing.T) {
	tests := map[string]struct {
		target string
		op     operation
		ref    string
	}{
		"the version check":                            {"/v2/", opPing, "/"},
		"the version check without its slash":          {"/v2", opPing, "/"},
		"path form":                                    {"/v2/docker.io/acme/api/manifests/1.4", opManifest, "docker.io/acme/api:1.4"},
		"path form of a short Docker Hub name":         {"/v2/docker.io/nginx/manifests/1.27", opManifest, "docker.io/library/nginx:1.27"},
		"path form of a Docker Hub alias":              {"/v2/index.docker.io/nginx/manifests/1.27", opManifest, "docker.io/library/nginx:1.27"},
		"path form with a port":                        {"/v2/registry.acme.com_5000/app/manifests/v1", opManifest, "registry.acme.com:5000/app:v1"},
		"path form with a default port":                {"/v2/registry.acme.com_443/app/manifests/v1", opManifest, "registry.acme.com/app:v1"},
		"path form with an address":                    {"/v2/127.0.0.1_5000/app/manifests/v1", opManifest, "127.0.0.1:5000/app:v1"},
		"path form of localhost":                       {"/v2/localhost/app/manifests/v1", opManifest, "localhost/app:v1"},
		"path form of localhost with a port":           {"/v2/localhost_5001/app/manifests/v1", opManifest, "localhost:5001/app:v1"},
		"mirror form":                                  {"/v2/library/nginx/manifests/1.27?ns=docker.io", opManifest, "docker.io/library/nginx:1.27"},
		"mirror form of a short Docker Hub name":       {"/v2/nginx/manifests/1.27?ns=docker.io", opManifest, "docker.io/library/nginx:1.27"},
		"mirror form in upper case":                    {"/v2/app/manifests/1?ns=Registry.Acme.com:5000", opManifest, "registry.acme.com:5000/app:1"},
		"ns wins and the path is the whole repository": {"/v2/docker.io/nginx/manifests/1?ns=registry.acme.com", opManifest, "registry.acme.com/docker.io/nginx:1"},
		"ns that names the gateway counts as absent":   {"/v2/docker.io/nginx/manifests/1?ns=gateway.test:5000", opManifest, "docker.io/library/nginx:1"},
		"ns that names the gateway in upper case":      {"/v2/nginx/manifests/1?ns=GATEWAY.test:5000", opManifest, "docker.io/library/nginx:1"},
		"the default registry":                         {"/v2/acme/api/manifests/1.4", opManifest, "docker.io/acme/api:1.4"},
		"the default registry with a short name":       {"/v2/nginx/manifests/1.27", opManifest, "docker.io/library/nginx:1.27"},
		"by digest":                                    {"/v2/nginx/manifests/" + someDigest, opManifest, "docker.io/library/nginx@" + someDigest},
		"a repository whose last element is manifests": {"/v2/acme/manifests/manifests/v1", opManifest, "docker.io/acme/manifests:v1"},
		"a repository called tags":                     {"/v2/acme/tags/tags/list", opTags, "docker.io/acme/tags"},
		"a tag called list":                            {"/v2/acme/tags/manifests/list", opManifest, "docker.io/acme/tags:list"},
		"a tag of 128 characters":                      {"/v2/nginx/manifests/" + strings.Repeat("a", 128), opManifest, "docker.io/library/nginx:" + strings.Repeat("a", 128)},
		"a tag that looks like a digest's":             {"/v2/nginx/manifests/sha256-abc.sig", opManifest, "docker.io/library/nginx:sha256-abc.sig"},
		"an underscore without digits is no port":      {"/v2/acme_co/api/manifests/1", opManifest, "docker.io/acme_co/api:1"},
		"a blob":                          {"/v2/nginx/blobs/" + someDigest, opBlob, "docker.io/library/nginx@" + someDigest},
		"tags":                            {"/v2/nginx/tags/list?n=5&last=1.0", opTags, "docker.io/library/nginx"},
		"referrers":                       {"/v2/nginx/referrers/" + someDigest + "?artifactType=a/b", opReferrers, "docker.io/library/nginx@" + someDigest},
		"an unknown parameter is ignored": {"/v2/nginx/manifests/1?x=y", opManifest, "docker.io/library/nginx:1"},
		"a repository of digits and dots behind the host": {"/v2/docker.io/a.b/c_d/manifests/1", opManifest, "docker.io/a.b/c_d:1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path, query, _ := strings.Cut(test.target, "?")
			got, err := testNaming().parse(path, query)
			if err != nil {
				t.Fatal(err)
			}
			if got.op != test.op || got.ref.String() != test.ref {
				t.Errorf("got %s %s, want %s %s", got.op, got.ref, test.op, test.ref)
			}
		})
	}
}

func TestPathsThatAreRefused(t *testing.T) {
	tests := map[string]struct {
		target string
		code   oci.Code
		text   string
	}{
		"an unlisted registry in path form":      {"/v2/evil.example/app/manifests/1", oci.CodeNotListed, "no Registry document named evil.example"},
		"an unlisted port":                       {"/v2/registry.acme.com_5001/app/manifests/1", oci.CodeNotListed, "registry.acme.com:5001"},
		"an unlisted registry that is all":       {"/v2/my.app/manifests/1", oci.CodeNotListed, "named my.app"},
		"a host with a port but no dot":          {"/v2/acme_2024/api/manifests/1", oci.CodeNotListed, "named acme:2024"},
		"a listed registry without a repository": {"/v2/docker.io/manifests/1", oci.CodeNameInvalid, "no repository follows"},
		"an unlisted ns":                         {"/v2/app/manifests/1?ns=evil.example", oci.CodeNotListed, "named evil.example"},
		"a malformed ns":                         {"/v2/app/manifests/1?ns=http://docker.io", oci.CodeNameInvalid, "ns:"},
		"a path in ns":                           {"/v2/app/manifests/1?ns=docker.io/acme", oci.CodeNameInvalid, "ns:"},
		"an empty ns":                            {"/v2/app/manifests/1?ns=", oci.CodeNameInvalid, "ns:"},
		"two ns":                                 {"/v2/app/manifests/1?ns=docker.io&ns=docker.io", oci.CodeNameInvalid, "more than once"},
		"a malformed query":                      {"/v2/app/manifests/1?ns=%zz", oci.CodeNameInvalid, "query"},
		"a semicolon in the query":               {"/v2/app/manifests/1?ns=a;ns=b", oci.CodeNameInvalid, "query"},
		"an encoded slash":                       {"/v2/docker.io%2fnginx/manifests/1", oci.CodeNameInvalid, "character"},
		"an encoded letter":                      {"/v2/%61pp/manifests/1", oci.CodeNameInvalid, "character"},
		"an encoded colon":                       {"/v2/app/manifests/sha256%3Ae3b0", oci.CodeNameInvalid, "character"},
		"an encoded zero byte":                   {"/v2/app%00/manifests/1", oci.CodeNameInvalid, "character"},
		"a back slash":                           {`/v2/a\b/manifests/1`, oci.CodeNameInvalid, "character"},
		"a double slash":                         {"/v2/docker.io//nginx/manifests/1", oci.CodeNameInvalid, "empty element"},
		"a double slash at the start":            {"/v2//nginx/manifests/1", oci.CodeNameInvalid, "empty element"},
		"a dot segment":                          {"/v2/docker.io/./nginx/manifests/1", oci.CodeNameInvalid, "dot segment"},
		"a segment of two dots":                  {"/v2/docker.io/acme/../nginx/manifests/1", oci.CodeNameInvalid, "dot segment"},
		"two dots as a tag":                      {"/v2/app/manifests/..", oci.CodeNameInvalid, "dot segment"},
		"upper case in the repository":           {"/v2/docker.io/Acme/api/manifests/1", oci.CodeNameInvalid, "not a repository name"},
		"upper case in the registry":             {"/v2/Docker.io/nginx/manifests/1", oci.CodeNameInvalid, "lower case"},
		"a colon in the registry":                {"/v2/registry.acme.com:5000/app/manifests/1", oci.CodeNameInvalid, "colon is written"},
		"a registry that is none":                {"/v2/a..b/app/manifests/1", oci.CodeNameInvalid, "not a registry host"},
		"a port that is none":                    {"/v2/registry.acme.com_0/app/manifests/1", oci.CodeNameInvalid, "port"},
		"a port of six digits":                   {"/v2/registry.acme.com_123456/app/manifests/1", oci.CodeNameInvalid, "not a registry host"},
		"a repository with a leading dash":       {"/v2/docker.io/-a/manifests/1", oci.CodeNameInvalid, "not a repository name"},
		"a name of 300 characters":               {"/v2/docker.io/" + strings.Repeat("a", 300) + "/manifests/1", oci.CodeNameInvalid, "longer than 255"},
		"a path of 2000 characters":              {"/v2/" + strings.Repeat("a/", 1000) + "manifests/1", oci.CodeNameInvalid, "longer than 1024"},
		"no repository at all":                   {"/v2/manifests/1", oci.CodeNameInvalid, "no repository"},
		"a tag of 129 characters":                {"/v2/app/manifests/" + strings.Repeat("a", 129), oci.CodeTagInvalid, "not a tag"},
		"a tag with a leading dot":               {"/v2/app/manifests/.x", oci.CodeTagInvalid, "not a tag"},
		"a digest of 63 digits":                  {"/v2/app/manifests/" + someDigest[:70], oci.CodeDigestInvalid, "63 digits"},
		"a digest in upper case":                 {"/v2/app/manifests/" + strings.Replace(someDigest, "e", "E", 1), oci.CodeDigestInvalid, "lower-case"},
		"a digest of another algorithm":          {"/v2/app/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", oci.CodeDigestInvalid, "algorithm"},
		"a blob by tag":                          {"/v2/app/blobs/v1", oci.CodeDigestInvalid, "algorithm"},
		"referrers of a tag":                     {"/v2/app/referrers/v1", oci.CodeDigestInvalid, "algorithm"},
		"two artifact types":                     {"/v2/app/referrers/" + someDigest + "?artifactType=a&artifactType=b", oci.CodeNameInvalid, "artifactType"},
		"a negative page":                        {"/v2/app/tags/list?n=-1", oci.CodePageInvalid, "not negative"},
		"a page that is no number":               {"/v2/app/tags/list?n=abc", oci.CodePageInvalid, "whole number"},
		"an empty page size":                     {"/v2/app/tags/list?n=", oci.CodePageInvalid, "whole number"},
		"two page sizes":                         {"/v2/app/tags/list?n=1&n=2", oci.CodePageInvalid, "once"},
		"a last that is no tag":                  {"/v2/app/tags/list?last=../x", oci.CodeTagInvalid, "last"},
		"the catalog":                            {"/v2/_catalog", oci.CodeNameUnknown, "no such page"},
		"an upload":                              {"/v2/app/blobs/uploads/", oci.CodeNameUnknown, "no such page"},
		"an upload without its slash":            {"/v2/app/blobs/uploads", oci.CodeNameUnknown, "no such page"},
		"a repository alone":                     {"/v2/docker.io/nginx", oci.CodeNameUnknown, "no such page"},
		"manifests without a reference":          {"/v2/app/manifests/", oci.CodeNameUnknown, "no such page"},
		"tags that are not listed":               {"/v2/app/tags/other", oci.CodeNameUnknown, "no such page"},
		"a route behind a route":                 {"/v2/app/manifests/1/x", oci.CodeNameUnknown, "no such page"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path, query, _ := strings.Cut(test.target, "?")
			got, err := testNaming().parse(path, query)
			if err == nil {
				t.Fatalf("got %s %s, want an error", got.op, got.ref)
			}
			if oci.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %s: %v, want %s: …%s…", oci.CodeOf(err), err, test.code, test.text)
			}
		})
	}
}

func TestPageSizeIsClamped(t *testing.T) {
	for query, want := range map[string]int{
		"": -1, "n=0": 0, "n=1": 1, "n=1000": 1000, "n=1001": 1000,
		"n=9223372036854775807": 1000, "n=99999999999999999999999": 1000,
	} {
		got, err := testNaming().parse("/v2/app/tags/list", query)
		if err != nil || got.page != want {
			t.Errorf("%q: got %d, %v, want %d", query, got.page, err, want)
		}
	}
}

// FuzzRequestPath holds that whatever parses names a listed registry and obeys
// the grammar, so that it can be written into a request without a look at it.
func FuzzRequestPath(f *testing.F) {
	for _, target := range []string{
		"/v2/", "/v2/docker.io/library/nginx/manifests/1.27", "/v2/nginx/manifests/latest?ns=docker.io",
		"/v2/registry.acme.com_5000/app/blobs/" + someDigest, "/v2/app/tags/list?n=5&last=x",
		"/v2/app/referrers/" + someDigest + "?artifactType=x", "/v2/a/../b/manifests/1", "/v2/a%2fb/manifests/1",
		"/v2/localhost_5001/a/manifests/b?ns=gateway.test:5000", "/v2//manifests/1", "/v2/_5000/a/manifests/1",
	} {
		path, query, _ := strings.Cut(target, "?")
		f.Add(path, query)
	}
	names := testNaming()
	f.Fuzz(func(t *testing.T, path, query string) {
		got, err := names.parse(path, query)
		if err != nil {
			if code := oci.CodeOf(err); code.Status() != 400 && code.Status() != 404 {
				t.Fatalf("got %v", err)
			}
			return
		}
		if got.op == opPing {
			return
		}
		if !names.listed(got.ref.Repository.Registry) {
			t.Fatalf("registry %q is not listed", got.ref.Repository.Registry)
		}
		if err := oci.CheckPath(got.ref.Repository.Path); err != nil {
			t.Fatal(err)
		}
		if (got.op == opManifest) != (got.ref.Tag != "") && got.ref.Digest.IsZero() && got.op != opTags {
			t.Fatalf("%s names nothing: %s", got.op, got.ref)
		}
		if got.page > maxPageSize || !strings.HasPrefix(path, "/v2/"+got.name+"/") {
			t.Fatalf("got page %d, name %q", got.page, got.name)
		}
		if parsed, err := oci.ParseReference(got.ref.String()); err != nil {
			t.Fatalf("%s does not read back: %v (%v)", got.ref, err, parsed)
		}
	})
}
