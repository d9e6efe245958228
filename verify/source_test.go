package verify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"vouchsafe/oci"
)

// httpSource is a Source over plain HTTP on loopback, as small as the contract
// of [verify.Source] allows.
type httpSource struct {
	client *http.Client
	mu     sync.Mutex
	// requests counts what was asked, by "manifests", "referrers" and "blobs", and
	// by those with the repository before them.
	requests map[string]int
	inflight atomic.Int64
}

func newSource() *httpSource {
	return &httpSource{
		client:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}},
		requests: map[string]int{},
	}
}

func (s *httpSource) close() { s.client.CloseIdleConnections() }

func (s *httpSource) count(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[kind]
}

func (s *httpSource) GetManifest(ctx context.Context, ref oci.Reference) (oci.RawManifest, error) {
	name := ref.Tag
	if err := oci.CheckTag(name); name != "" && err != nil {
		return oci.RawManifest{}, &oci.Error{Code: oci.CodeTagInvalid, Message: err.Error()}
	}
	if !ref.Digest.IsZero() {
		name = ref.Digest.String()
	}
	body, header, err := s.get(ctx, ref.Repository, "manifests", name, oci.MaxManifestBytes)
	if err != nil {
		return oci.RawManifest{}, err
	}
	if !ref.Digest.IsZero() && !ref.Digest.Matches(body) {
		return oci.RawManifest{}, &oci.Error{Code: oci.CodeUpstream, Reason: "digest_mismatch", Message: "other bytes than asked for"}
	}
	return oci.RawManifest{ContentType: header.Get("Content-Type"), Bytes: body}, nil
}

func (s *httpSource) Referrers(ctx context.Context, repository oci.Repository, subject oci.Digest) (oci.Referrers, error) {
	answer := oci.Referrers{Supported: true}
	for page := subject.String(); page != ""; {
		body, header, err := s.get(ctx, repository, "referrers", page, oci.MaxManifestBytes)
		if code := oci.CodeOf(err); code == oci.CodeManifestUnknown || code == oci.CodeUnsupported {
			return oci.Referrers{}, nil
		}
		if err != nil {
			return oci.Referrers{}, err
		}
		var index struct {
			Manifests []struct {
				MediaType    string `json:"mediaType"`
				Digest       string `json:"digest"`
				Size         int64  `json:"size"`
				ArtifactType string `json:"artifactType"`
			} `json:"manifests"`
		}
		if err := json.Unmarshal(body, &index); err != nil {
			return oci.Referrers{}, &oci.Error{Code: oci.CodeUpstream, Message: "referrers are not JSON"}
		}
		for _, m := range index.Manifests {
			if len(answer.Manifests) == oci.MaxIndexManifests {
				answer.Truncated = true
				return answer, nil
			}
			if digest, err := oci.ParseDigest(m.Digest); err == nil {
				answer.Manifests = append(answer.Manifests, oci.Descriptor{
					MediaType: m.MediaType, Digest: digest, Size: m.Size, ArtifactType: m.ArtifactType,
				})
			}
		}
		page = ""
		if next := header.Get("Link"); next != "" {
			page = subject.String() + "?" + next
		}
	}
	return answer, nil
}

func (s *httpSource) SmallBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, limit int64) ([]byte, error) {
	body, _, err := s.get(ctx, repository, "blobs", digest.String(), limit)
	if err == nil && !digest.Matches(body) {
		return nil, &oci.Error{Code: oci.CodeUpstream, Reason: "digest_mismatch", Message: "other bytes than asked for"}
	}
	return body, err
}

func (s *httpSource) get(ctx context.Context, repository oci.Repository, kind, name string, limit int64) ([]byte, http.Header, error) {
	s.mu.Lock()
	s.requests[kind]++
	s.requests[repository.String()+" "+kind]++
	s.mu.Unlock()
	s.inflight.Add(1)
	defer s.inflight.Add(-1)
	url := fmt.Sprintf("http://%s/v2/%s/%s/%s", repository.Registry, repository.Path, kind, name)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Accept", strings.Join(oci.ManifestMediaTypes, ", "))
	answer, err := s.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("get: %w", ctx.Err())
		}
		return nil, nil, &oci.Error{Code: oci.CodeUpstream, Message: "no answer", Err: err}
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		code := oci.CodeManifestUnknown
		if kind == "blobs" {
			code = oci.CodeBlobUnknown
		}
		return nil, nil, &oci.Error{Code: code}
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, nil, &oci.Error{Code: oci.CodeUnauthorized}
	case http.StatusMethodNotAllowed, http.StatusBadRequest:
		return nil, nil, &oci.Error{Code: oci.CodeUnsupported}
	default:
		return nil, nil, &oci.Error{Code: oci.CodeUpstream, Message: fmt.Sprintf("status %d", answer.StatusCode)}
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("get: %w", ctx.Err())
		}
		return nil, nil, &oci.Error{Code: oci.CodeUpstream, Message: "broken answer", Err: err}
	}
	if int64(len(body)) > limit {
		return nil, nil, &oci.Error{Code: oci.CodeUpstream, Reason: "too_large", Message: "too large"}
	}
	return body, answer.Header, nil
}
