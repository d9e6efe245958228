package proxy

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"vouchsafe/oci"
)

// Limits of what a client may write.
const (
	maxPathBytes     = 1024
	maxPageSize      = 1000
	maxArtifactBytes = 255
)

// operation is what a request wants. The zero value is nothing that exists.
type operation uint8

const (
	opOther operation = iota
	opPing
	opManifest
	opBlob
	opTags
	opReferrers
)

// String returns the operation as metrics and logs spell it.
func (o operation) String() string {
	switch o {
	case opOther:
	case opPing:
		return "ping"
	case opManifest:
		return "manifest"
	case opBlob:
		return "blob"
	case opTags:
		return "tags"
	case opReferrers:
		return "referrers"
	}
	return "other"
}

// request is a GET or HEAD under /v2/, parsed once (OCI distribution
// specification 1.1, "Endpoints").
type request struct {
	op operation
	// name and ns are the repository as the client named it, for answers that
	// repeat it; ns is empty when there was none.
	name, ns string
	// ref is the origin: always a repository; a tag or digest for a manifest, a
	// digest for a blob and for referrers.
	ref oci.Reference
	// page is the size that tags were asked for in, -1 when not said.
	page int
	// last is the tag behind which a page begins; may be empty.
	last string
	// artifactType filters referrers; may be empty.
	artifactType string
}

// parse reads a path under /v2/ as it was sent, undecoded, and a raw query. No
// name in the grammar of the specification needs percent-encoding, so none is
// accepted: nobody behind us can decode what we did not see.
func (n naming) parse(path, rawQuery string) (request, error) {
	if len(path) > maxPathBytes {
		return request{}, nameInvalid("the path is longer than %d bytes", maxPathBytes)
	}
	if path == "/v2" || path == "/v2/" {
		return request{op: opPing}, nil
	}
	if err := checkPlain(path); err != nil {
		return request{}, err
	}
	rest, found := strings.CutPrefix(path, "/v2/")
	if !found {
		return request{}, errNoRoute()
	}
	q, name, last := split(rest)
	if q.op == opOther {
		return q, errNoRoute()
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return q, nameInvalid("the query is malformed")
	}
	if q.ref.Repository, q.ns, err = n.repository(name, query["ns"]); err != nil {
		return q, err
	}
	q.name = name
	return q, q.details(last, query)
}

// checkPlain refuses every path that two programs could read in two ways.
func checkPlain(path string) error {
	if strings.ContainsAny(path, `%\;`) {
		return nameInvalid("the path has a character that no image name has")
	}
	for element := range strings.SplitSeq(strings.TrimPrefix(path, "/v2/"), "/") {
		if element == "." || element == ".." {
			return nameInvalid("the path has a dot segment")
		}
	}
	if strings.Contains(path, "//") {
		return nameInvalid("the path has an empty element")
	}
	return nil
}

// split finds the operation by the two last elements, so that a repository may
// have an element called "manifests" or "tags".
func split(path string) (q request, name, last string) {
	rest, last, _ := cutLast(path)
	name, verb, named := cutLast(rest)
	if !named {
		name, verb = "", rest
	}
	switch {
	case last == "":
	case verb == "manifests":
		q.op = opManifest
	case verb == "blobs" && last != "uploads":
		q.op = opBlob
	case verb == "referrers":
		q.op = opReferrers
	case verb == "tags" && last == "list":
		q.op = opTags
	}
	return q, name, last
}

// cutLast cuts s before and behind its last slash; without one, all of s is
// behind.
func cutLast(s string) (before, behind string, found bool) {
	at := strings.LastIndexByte(s, '/')
	if at < 0 {
		return "", s, false
	}
	return s[:at], s[at+1:], true
}

// details reads what the operation needs beyond the repository.
func (q *request) details(last string, query url.Values) error {
	switch q.op {
	case opManifest:
		if !strings.Contains(last, ":") {
			q.ref.Tag = last
			if err := oci.CheckTag(last); err != nil {
				q.ref.Tag = ""
				return &oci.Error{Code: oci.CodeTagInvalid, Message: err.Error()}
			}
			return nil
		}
		return q.digest(last)
	case opBlob:
		return q.digest(last)
	case opReferrers:
		if err := q.filter(query["artifactType"]); err != nil {
			return err
		}
		return q.digest(last)
	case opTags:
		return q.paging(query)
	case opOther, opPing:
	}
	return nil
}

func (q *request) digest(s string) error {
	digest, err := oci.ParseDigest(s)
	if err != nil {
		return &oci.Error{Code: oci.CodeDigestInvalid, Message: err.Error()}
	}
	q.ref.Digest = digest
	return nil
}

func (q *request) filter(values []string) error {
	if len(values) > 1 || len(values) == 1 && len(values[0]) > maxArtifactBytes {
		return nameInvalid("artifactType is given once, with at most %d characters", maxArtifactBytes)
	}
	if len(values) == 1 {
		q.artifactType = values[0]
	}
	return nil
}

// paging reads n and last. A page larger than the largest is the largest one,
// never an allocation.
func (q *request) paging(query url.Values) error {
	q.page = -1
	if values, given := query["n"]; given {
		n, err := strconv.ParseUint(values[0], 10, 31)
		if err != nil && !errors.Is(err, strconv.ErrRange) || len(values) > 1 {
			return &oci.Error{Code: oci.CodePageInvalid, Message: "n is given once, as a whole number that is not negative"}
		}
		q.page = maxPageSize
		if err == nil {
			q.page = int(min(n, maxPageSize))
		}
	}
	q.last = query.Get("last")
	if q.last == "" {
		return nil
	}
	if err := oci.CheckTag(q.last); err != nil {
		q.last = ""
		return &oci.Error{Code: oci.CodeTagInvalid, Message: "last: " + err.Error()}
	}
	return nil
}

func nameInvalid(format string, args ...any) error {
	return &oci.Error{Code: oci.CodeNameInvalid, Message: fmt.Sprintf(format, args...)}
}

func errNoRoute() error {
	return &oci.Error{Code: oci.CodeNameUnknown, Message: "no such page: a gateway has manifests, blobs, tags and referrers of a repository"}
}
