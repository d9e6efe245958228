package proxy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

func descriptor(mediaType string) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":2}`, mediaType, oci.SHA256([]byte("{}")))
}

func TestABlobThatIsAManifestIsJudgedAsOne(t *testing.T) {
	config, layer := descriptor("application/vnd.oci.image.config.v1+json"), descriptor("application/vnd.oci.image.layer.v1.tar")
	manifest := `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageManifest + `","config":` + config + `,"layers":[` + layer + `]`
	padding := `,"annotations":{"a":"` + strings.Repeat("x", 300<<10) + `"}`
	imageConfig := `{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}`
	for name, test := range map[string]struct {
		content string
		asked   string
		judged  bool
		status  int
	}{
		"a manifest":                                   {content: manifest + "}", judged: true, status: 403},
		"a part of a manifest":                         {content: manifest + "}", asked: "bytes=0-9", judged: true, status: 403},
		"a manifest behind white space":                {content: " \n\t" + manifest + "}", judged: true, status: 403},
		"a manifest of 300 KiB":                        {content: manifest + padding + "}", judged: true, status: 403},
		"a manifest that only lenient readers accept":  {content: manifest + `,"layers":[]}`, status: 502},
		"a manifest in other letter case":              {content: strings.Replace(manifest, `"layers"`, `"Layers"`, 1) + "}", status: 502},
		"a manifest whose second list hides the first": {content: `{"schemaVersion":2,"config":` + config + `,"layers":[` + layer + `],"layers":[{}]}`, status: 502},
		"a manifest without layers":                    {content: `{"schemaVersion":2,"config":` + config + `}`, status: 502},
		"an index":                                     {content: `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageIndex + `","manifests":[]}`, judged: true, status: 403},
		"the config of an image":                       {content: imageConfig, status: 200},
		"a part of the config of an image":             {content: imageConfig, asked: "bytes=0-9", status: 206},
		"a layer":                                      {content: "\x1f\x8b" + strings.Repeat("z", 2000), status: 200},
		"JSON of 300 KiB":                              {content: `{"a":"` + strings.Repeat("x", 300<<10) + `"}`, status: 200},
		"JSON that is larger than a manifest may be":   {content: `{"layers":[],"a":"` + strings.Repeat("x", oci.MaxManifestBytes) + `"}`, status: 200},
		"a list of layers that have no digests":        {content: `{"layers":[{"name":"a"}]}`, status: 200},
		"nothing":                                      {content: "", status: 200},
		"white space and then something that is not {": {content: "  [1]", status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.upstream.open = func(_ context.Context, byteRange string) (*oci.Blob, error) {
				if byteRange != "" {
					return blobOf(test.content[:10], 10, fmt.Sprintf("bytes 0-9/%d", len(test.content))), nil
				}
				return blobOf(test.content, int64(len(test.content)), ""), nil
			}
			w.decider.on = func(_ context.Context, q policy.Request) (policy.Decision, error) {
				d := allow(blobDigest)
				w.decider.mu.Lock()
				defer w.decider.mu.Unlock()
				if strings.HasPrefix(w.decider.list[len(w.decider.list)-1], "decide ") {
					d.Verdict = policy.Deny
				}
				return d, nil
			}
			var headers []string
			if test.asked != "" {
				headers = []string{"Range", test.asked}
			}
			got := w.do(t, "GET", blobPath(), headers...)
			if got.status != test.status {
				t.Fatalf("got %d %.100q, want %d", got.status, got.body, test.status)
			}
			want := test.content
			if test.asked != "" {
				want = want[:10]
			}
			if test.status < 300 && (got.body != want || got.broken) {
				t.Errorf("got %d bytes (broken %t), want %d", len(got.body), got.broken, len(want))
			}
			judged := strings.Contains(w.calls(), "decide GET")
			if judged != test.judged {
				t.Errorf("judged as a manifest: %t, want %t", judged, test.judged)
			}
		})
	}
}
