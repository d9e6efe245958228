package corpus

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"vouchsafe/e2e/internal/gateway"
)

// leastDocuments is how many documents the corpus has to have.
const leastDocuments = 500

// registryName is what the gateway calls the origin.
const registryName = "corpus.test"

// pull is one document as it is asked for.
type pull struct {
	name, repository string
	// references are a tag and a digest.
	references [2]string
	check      func(t *testing.T, reference string, a answerOf)
}

// answerOf is what the gateway said.
type answerOf struct {
	status            int
	contentType       string
	body              []byte
	code, message     string
	admitted, refusal bool
}

// corpus is all that is pulled, and the registry behind it.
type corpus struct {
	signer       *signer
	repositories map[string]*repository
	pulls        []pull
	documents    int
	// Counters of the summary.
	asked, admitted, refused, readBoth atomic.Int64
}

// manifests are all rows that are a manifest or index.
func manifests() []row {
	return slices.Concat(typeConfusion(), shapeConfusion(), duplicates(), encodings(), depths(), sizes(),
		numbers(), digests(), descriptors(), oldFormats(), artifacts(), mutations(250))
}

func TestCorpus(t *testing.T) {
	c := &corpus{signer: newSigner(t), repositories: map[string]*repository{}}
	for _, r := range manifests() {
		c.addRow(r)
	}
	for _, rows := range [][]evidence{signatureManifests(), bundles(), referrerAnswers()} {
		for _, e := range rows {
			c.addEvidence(e)
		}
	}
	if c.documents < leastDocuments {
		t.Fatalf("the corpus has %d documents, want %d", c.documents, leastDocuments)
	}
	// Maps have no order, and a run should be like the one before.
	slices.SortFunc(c.pulls, func(a, b pull) int { return strings.Compare(a.name, b.name) })
	g := gateway.Start(t, map[string]string{
		"registry.yaml":    gateway.Registry(registryName, origin(t, c.repositories)),
		"integration.yaml": gateway.Integration("release-team", c.signer.pem),
		"policy.yaml":      gateway.Policy("all-signed", "InformAndEnforce", `"`+registryName+`/**"`, []string{"release-team"}),
	})
	c.pullAll(t, "rows", g)
	first := g.Memory(t)
	// What stays after all of it once must not grow by all of it again.
	c.pullAll(t, "rows again", g)
	second := g.Memory(t)
	checkAlive(t, g)
	checkMemory(t, first, second)
	t.Logf("corpus: %d documents, %d requests: %d admitted, of which %d were read by both parsers and none as two things; %d refused; %s once, %s twice",
		c.documents, c.asked.Load(), c.admitted.Load(), c.readBoth.Load(), c.refused.Load(), report(first), report(second))
}

// addRow puts a manifest into two repositories: in one it is signed.
func (c *corpus) addRow(r row) {
	c.documents++
	for _, signed := range []bool{true, false} {
		at := newRepository()
		for _, b := range r.blobs {
			at.blob([]byte(b))
		}
		digest := at.manifest("t", document{[]byte(r.body), r.contentType})
		name := "unsigned"
		if signed {
			name = "signed"
			c.signer.signTag(at, digest)
		}
		c.add(fmt.Sprintf("%s/%s, %s", r.family, plain(r.name), name), at, digest, func(t *testing.T, reference string, a answerOf) {
			switch {
			case a.admitted && !signed && !r.exempt:
				t.Errorf("%s: it is served, and it is not signed", reference)
			case !signed && !r.exempt:
			case a.admitted && r.want == refused:
				t.Errorf("%s: it is served, and must not be read: %s", reference, excerpt(r.body))
			case !a.admitted && r.want == served:
				t.Errorf("%s: got %d %s %q, want it served: %s", reference, a.status, a.code, a.message, excerpt(r.body))
			case r.want == refused && (a.status != http.StatusBadGateway || a.code != "MANIFEST_INVALID"):
				t.Errorf("%s: got %d %s %q, want 502 MANIFEST_INVALID: %s", reference, a.status, a.code, a.message, excerpt(r.body))
			}
		})
	}
}

// addEvidence puts a well-formed image of its own into a repository that holds
// hostile signatures of it.
func (c *corpus) addEvidence(e evidence) {
	c.documents++
	at := newRepository()
	digest := at.manifest("t", document{[]byte(image("annotations", object("row", quote(e.family+e.name)))), ociManifest})
	e.fill(c.signer, at, digest)
	c.add(e.family+"/"+plain(e.name), at, digest, func(t *testing.T, reference string, a answerOf) {
		if a.admitted != e.allowed {
			t.Errorf("%s: got %d %s %q, want it served: %t", reference, a.status, a.code, a.message, e.allowed)
		}
	})
}

func (c *corpus) add(name string, at *repository, digest string, check func(*testing.T, string, answerOf)) {
	repository := fmt.Sprintf("r%05d", len(c.repositories))
	c.repositories[repository] = at
	c.pulls = append(c.pulls, pull{name, repository, [2]string{"t", digest}, check})
}

// plain is a name that a path of tests can hold.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, name)
}

func excerpt(s string) string {
	if len(s) > 400 {
		return s[:400] + "…"
	}
	return s
}

func (c *corpus) pullAll(t *testing.T, group string, g *gateway.Gateway) {
	t.Run(group, func(t *testing.T) {
		for _, p := range c.pulls {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				c.pullOne(t, g, p)
			})
		}
	})
}

// pullOne asks by tag and by digest, and checks what goes for every answer.
func (c *corpus) pullOne(t *testing.T, g *gateway.Gateway, p pull) {
	for _, reference := range p.references {
		a := get(t, "http://"+g.Host+"/v2/"+registryName+"/"+p.repository+"/manifests/"+reference)
		c.asked.Add(1)
		p.check(t, reference, a)
		switch {
		case a.admitted:
			c.admitted.Add(1)
			c.checkReadings(t, reference, a)
		case a.refusal:
			c.refused.Add(1)
		default:
			t.Errorf("%s: got %d without a reason: %s", reference, a.status, excerpt(string(a.body)))
		}
	}
	if t.Failed() {
		t.Logf("replay: go test -count=1 ./corpus -run '^TestCorpus$/^rows$/%s'", pattern(t.Name()))
	}
}

// pattern is the part of a test's name behind the group, for -run.
func pattern(name string) string {
	parts := strings.Split(name, "/")[2:]
	for i := range parts {
		parts[i] = "^" + strings.ReplaceAll(regexp.QuoteMeta(parts[i]), "'", ".") + "$"
	}
	return strings.Join(parts, "/")
}

// checkReadings demands that all who can read what was served read the same.
func (c *corpus) checkReadings(t *testing.T, reference string, a answerOf) {
	t.Helper()
	all := readings(t.Context(), a.body, a.contentType)
	if one, other, two := differ(all); two {
		t.Errorf("%s: served as %s, and read as two things:\n%s\n%s\n%s", reference, a.contentType, one, other, excerpt(string(a.body)))
	}
	kind := "image"
	if a.contentType == ociIndex || a.contentType == dockerList {
		kind = "index"
	}
	if len(all) > 0 && all[0].kind != kind {
		t.Errorf("%s: served as %s, and read as an %s: %s", reference, a.contentType, all[0].kind, excerpt(string(a.body)))
	}
	by := map[string]bool{}
	for _, r := range all {
		parser, _, _ := strings.Cut(r.by, " ")
		by[parser] = true
	}
	if len(by) == 2 {
		c.readBoth.Add(1)
	}
}

// get asks the gateway as runtimes do.
func get(t *testing.T, url string) answerOf {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", strings.Join([]string{ociIndex, ociManifest, dockerList, dockerManifest, "*/*"}, ", "))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("the gateway did not answer: %v", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 2*maxManifest))
	if err != nil {
		t.Fatalf("the answer broke: %v", err)
	}
	a := answerOf{status: response.StatusCode, contentType: response.Header.Get("Content-Type"), body: body, admitted: response.StatusCode == http.StatusOK}
	if a.admitted {
		return a
	}
	var said struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(body, &said) == nil && len(said.Errors) == 1 {
		a.code, a.message = said.Errors[0].Code, said.Errors[0].Message
	}
	switch a.status {
	case http.StatusForbidden, http.StatusBadGateway, http.StatusServiceUnavailable:
		a.refusal = a.code != "" && a.message != ""
	}
	return a
}
