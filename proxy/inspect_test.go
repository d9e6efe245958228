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
		// unknown is the status when nothing vouches for the blob, if it is another.
		unknown int
	}{
		"a manifest":                                    {content: manifest + "}", judged: true, status: 403},
		"a part of a manifest":                          {content: manifest + "}", asked: "bytes=0-9", judged: true, status: 403},
		"a manifest behind white space":                 {content: " \n\t" + manifest + "}", judged: true, status: 403},
		"a manifest of 300 KiB":                         {content: manifest + padding + "}", judged: true, status: 403},
		"a manifest that only lenient readers accept":   {content: manifest + `,"layers":[]}`, status: 502},
		"a manifest in other letter case":               {content: strings.Replace(manifest, `"layers"`, `"Layers"`, 1) + "}", status: 502},
		"a manifest whose second list hides the first":  {content: `{"schemaVersion":2,"config":` + config + `,"layers":[` + layer + `],"layers":[{}]}`, status: 502},
		"a manifest without layers":                     {content: `{"schemaVersion":2,"config":` + config + `}`, status: 502},
		"an index":                                      {content: `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageIndex + `","manifests":[]}`, judged: true, status: 403},
		"the config of an image":                        {content: imageConfig, status: 200},
		"a part of the config of an image":              {content: imageConfig, asked: "bytes=0-9", status: 206, unknown: 200},
		"a layer":                                       {content: "\x1f\x8b" + strings.Repeat("z", 2000), status: 200},
		"JSON of 300 KiB":                               {content: `{"a":"` + strings.Repeat("x", 300<<10) + `"}`, status: 200},
		"JSON that is larger than a manifest may be":    {content: `{"layers":[],"a":"` + strings.Repeat("x", oci.MaxManifestBytes) + `"}`, status: 200, unknown: 502},
		"an SBOM that is larger than a manifest may be": {content: `{"bomFormat":"CycloneDX","a":"` + strings.Repeat("x", oci.MaxManifestBytes) + `"}`, status: 200},
		"a large file that begins with zeros":           {content: strings.Repeat("\x00", oci.MaxManifestBytes) + `x{"layers":[]}`, status: 200},
		"a manifest behind 4 MiB of white space":        {content: strings.Repeat(" ", oci.MaxManifestBytes-len(manifest)-1) + manifest + "}", judged: true, status: 403},
		"a manifest behind a byte order mark":           {content: "\xef\xbb\xbf" + manifest + "}", status: 502},
		"a manifest in 16 bits":                         {content: "\xff\xfe" + strings.Join(strings.Split(manifest+"}", ""), "\x00") + "\x00", status: 502},
		"a list of layers that have no digests":         {content: `{"layers":[{"name":"a"}]}`, status: 200},
		"nothing":                                       {content: "", status: 200},
		"white space and then something that is not {":  {content: "  [1]", status: 200},
	} {
		for _, vouched := range []bool{true, false} {
			for _, sized := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/vouched %t/sized %t", name, vouched, sized), func(t *testing.T) {
					w := newWorld(t, nil)
					w.upstream.open = func(_ context.Context, byteRange string) (*oci.Blob, error) {
						switch {
						case byteRange != "":
							return blobOf(test.content[:10], 10, fmt.Sprintf("bytes 0-9/%d", len(test.content))), nil
						case sized:
							return blobOf(test.content, int64(len(test.content)), ""), nil
						}
						return blobOf(test.content, -1, ""), nil
					}
					judged := false
					w.decider.on = func(_ context.Context, q policy.Request) (policy.Decision, error) {
						d := allow(blobDigest)
						d.Vouched = vouched
						w.decider.mu.Lock()
						defer w.decider.mu.Unlock()
						if strings.HasPrefix(w.decider.list[len(w.decider.list)-1], "decide ") {
							d.Verdict, judged = policy.Deny, true
						}
						return d, nil
					}
					var headers []string
					if test.asked != "" {
						headers = []string{"Range", test.asked}
					}
					status, want := test.status, test.content
					if !vouched && test.unknown != 0 {
						status = test.unknown
					}
					if status == 206 {
						want = want[:10]
					}
					got := w.do(t, "GET", blobPath(), headers...)
					if got.status != status {
						t.Fatalf("got %d %.100q, want %d", got.status, got.body, status)
					}
					if status < 300 && (got.body != want || got.broken) {
						t.Errorf("got %d bytes (broken %t), want %d", len(got.body), got.broken, len(want))
					}
					if judged != test.judged {
						t.Errorf("judged as a manifest: %t, want %t", judged, test.judged)
					}
					if vouched {
						return
					}
					// A HEAD says what a GET would have said.
					if got := w.do(t, "HEAD", blobPath(), headers...); got.status != status {
						t.Errorf("HEAD: got %d, want %d", got.status, status)
					}
				})
			}
		}
	}
}
