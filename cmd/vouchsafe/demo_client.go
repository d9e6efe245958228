package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// puller pulls through the demo's gateway as a container runtime does: HEAD and
// GET of the manifest, then each blob that it lists. It talks to a listener of
// this process alone and follows no redirect.
type puller struct {
	client  *http.Client
	gateway string
}

func newPuller(gateway string) *puller {
	return &puller{gateway: gateway, client: &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// outcome is what came of a pull.
type outcome struct {
	// status is the HTTP status of the manifest.
	status int
	// verdict as the answer's header says; empty when there is none.
	verdict string
	// decision is the id of the decision; empty when there is none.
	decision string
	// reason is the first reason of a refusal, or its error code.
	reason string
	// message is what a refused client is told.
	message string
}

// pull asks for an image. An error means that the gateway broke its word: other
// bytes than the digest says, or HEAD and GET that differ.
func (c *puller) pull(ctx context.Context, p pull) (outcome, error) {
	path := "/v2/" + p.repository + "/manifests/" + p.reference
	head, err := c.do(ctx, http.MethodHead, path)
	if err != nil {
		return outcome{}, err
	}
	answer, err := c.do(ctx, http.MethodGet, path)
	if err != nil {
		return outcome{}, err
	}
	got := outcome{status: answer.status}
	got.decision, got.verdict, _ = strings.Cut(answer.header.Get("Vouchsafe-Decision"), " ")
	if head.status != answer.status {
		return got, fmt.Errorf("HEAD is answered with %d, GET with %d", head.status, answer.status)
	}
	if answer.status != http.StatusOK {
		got.refused(answer.body)
		return got, nil
	}
	if claimed := answer.header.Get("Docker-Content-Digest"); claimed != oci.SHA256(answer.body).String() {
		return got, fmt.Errorf("the bytes are not those of %s", claimed)
	}
	manifest, err := oci.ParseManifest(answer.body, answer.header.Get("Content-Type"))
	if err != nil {
		return got, err
	}
	return got, c.blobs(ctx, p.repository, manifest)
}

// blobs pulls what an image manifest lists; an index lists no blobs.
func (c *puller) blobs(ctx context.Context, repository string, manifest oci.Manifest) error {
	if manifest.Kind != oci.KindImage {
		return nil
	}
	for _, blob := range append([]oci.Descriptor{manifest.Config}, manifest.Layers...) {
		answer, err := c.do(ctx, http.MethodGet, "/v2/"+repository+"/blobs/"+blob.Digest.String())
		if err != nil {
			return err
		}
		if answer.status != http.StatusOK || !blob.Digest.Matches(answer.body) {
			return fmt.Errorf("blob %s is answered with %d and %d bytes", blob.Digest, answer.status, len(answer.body))
		}
	}
	return nil
}

// refused reads the error body of the distribution specification.
func (o *outcome) refused(body []byte) {
	var wire struct {
		Errors []struct {
			Code    string
			Message string
			Detail  struct {
				Decision string
				Reasons  []string
			}
		}
	}
	if json.Unmarshal(body, &wire) != nil || len(wire.Errors) == 0 {
		return
	}
	first := wire.Errors[0]
	o.reason, o.message = first.Code, first.Message
	if len(first.Detail.Reasons) > 0 {
		o.reason = first.Detail.Reasons[0]
	}
	if o.decision == "" {
		o.decision = first.Detail.Decision
	}
	if o.verdict == "" && first.Code == "DENIED" {
		o.verdict = policy.Deny.String()
	}
}

// reply is one whole answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// do sends one request and reads the whole answer.
func (c *puller) do(ctx context.Context, method, path string) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.gateway+path, nil)
	if err != nil {
		return reply{}, err
	}
	request.Header["Accept"] = oci.ManifestMediaTypes
	request.Header.Set("User-Agent", "vouchsafe-demo")
	answer, err := c.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, oci.MaxManifestBytes+1))
	return reply{status: answer.StatusCode, header: answer.Header, body: body}, err
}
