package sigstore_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// row is one image under one document.
type row struct {
	// name is a sentence.
	name string
	// image is a name of [gallery.forms].
	image string
	spec  object
	// root is the trusted root; empty is that of the whole stack.
	root string
	// reason is why the image is refused; empty is Verified, and Unsigned is for
	// that what has no signature.
	reason string
	// signer and issuer are who is said to have signed what is Verified.
	signer, issuer string
	// after is the instant that has to pass first; zero is none.
	after time.Time
	// children demands the same of all that an index lists.
	children bool
}

const (
	// unsigned is the status of an image without signatures.
	unsigned = "Unsigned"
	// unasked is the reason where a log was to be asked and could not be.
	unasked = "TLOG_UNAVAILABLE"
)

// status is what the row's result must be.
func (r row) status() string {
	switch r.reason {
	case "":
		return "Verified"
	case unsigned:
		return unsigned
	case unasked:
		return "Unavailable"
	}
	return "Untrusted"
}

// pulled is what a pull must be answered with.
func (r row) pulled() (status int, verdict string) {
	switch r.reason {
	case "":
		return http.StatusOK, "Allow"
	case unasked:
		return http.StatusServiceUnavailable, "Unavailable"
	}
	return http.StatusForbidden, "Deny"
}

// exits is what "vouchsafe verify" must end with.
func (r row) exits() int {
	switch r.reason {
	case "":
		return 0
	case unasked:
		return 3
	}
	return 1
}

// wantReason is the reason of the row's result.
func (r row) wantReason() string {
	if r.reason == unsigned {
		return ""
	}
	return r.reason
}

// judge runs rows beside each other, each with a gateway of its own.
func (g *gallery) judge(t *testing.T, rows []row) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			image := g.image(t, row.image)
			root := row.root
			if root == "" {
				root = g.root
			}
			// The clock is that of programs in other processes.
			time.Sleep(time.Until(row.after))
			serving := g.serve(t, g.documents(t, row.spec, root))
			images := []origin.Image{image}
			if row.children {
				for child := range image.Children {
					images = append(images, g.at.Child(image, child))
				}
			}
			for _, one := range images {
				row.checkPull(t, serving, one)
				row.checkVerify(t, serving.ConfigDir, one)
			}
		})
	}
}

// serve starts a gateway, one at a time: between the choice of its port and the
// moment when it listens there, another could be given the same.
func (g *gallery) serve(t *testing.T, documents map[string]string) *gateway.Gateway {
	t.Helper()
	g.starting.Lock()
	defer g.starting.Unlock()
	return gateway.Start(t, documents)
}

// checkPull pulls by digest and reads the record of that.
func (r row) checkPull(t *testing.T, serving *gateway.Gateway, image origin.Image) {
	t.Helper()
	answer, err := serving.Manifest(http.DefaultClient, http.MethodGet, "docker.io/"+image.Repository, image.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if status, verdict := r.pulled(); answer.Status != status || answer.Verdict != verdict {
		t.Errorf("the pull got %d %s (%s), want %d %s", answer.Status, answer.Verdict, answer.Message, status, verdict)
	}
	pulls := serving.Pulls(t, image.Repository, image.Digest)
	if len(pulls) == 0 || len(pulls[len(pulls)-1].Results) != 1 {
		t.Fatalf("the pull has the records %+v, want one with one result as the last", pulls)
	}
	last := pulls[len(pulls)-1]
	got := last.Results[0]
	if got.Status != r.status() || got.Reason != r.wantReason() {
		t.Errorf("the record of the pull says %s %s (%s), want %s %s", got.Status, got.Reason, last.Message, r.status(), r.wantReason())
	}
	if r.reason == "" && got.Signer != r.signer {
		t.Errorf("the record of the pull names the signer %q, want %q", got.Signer, r.signer)
	}
}

// verification is what the tests read of "verify -o json".
type verification struct {
	Image, Digest string
	Signatures    []signature
	Results       []struct {
		Integration, Status, Reason, Message, Signer, Issuer string
		LogIndex                                             *int64
	}
}

// signature is what is shown of one signature.
type signature struct {
	Format, Status, Reason, Message string
	Key                             *struct{ Name, Fingerprint string }
	Certificate                     *struct {
		Identity, Issuer    string
		Extensions          map[string]string
		NotBefore, NotAfter time.Time
		SCTLogID            string
	}
	Timestamps []struct {
		Time      time.Time
		Authority string
	}
	RekorBundle *struct {
		LogID                    string
		LogIndex, IntegratedTime int64
		InclusionProof           *struct {
			RootHash, Checkpoint string
			TreeSize             int64
			Hashes               []string
		}
	}
}

// checkVerify asks "vouchsafe verify" with the documents of the gateway.
func (r row) checkVerify(t *testing.T, folder string, image origin.Image) verification {
	t.Helper()
	out := tool.Run(t, nil, tool.Path("vouchsafe"), "verify", "--config-dir", folder, "-o", "json", "docker.io/"+image.Repository+"@"+image.Digest)
	if out.Code != r.exits() {
		t.Errorf("verify ended with %d, want %d", out.Code, r.exits())
	}
	var said []verification
	if err := json.Unmarshal([]byte(out.Stdout), &said); err != nil || len(said) != 1 || len(said[0].Results) != 1 {
		t.Fatalf("verify printed no one image with one result (%v):\n%s", err, out.Stdout)
	}
	got := said[0].Results[0]
	if got.Status != r.status() || got.Reason != r.wantReason() {
		t.Errorf("verify says %s %s (%s), want %s %s", got.Status, got.Reason, got.Message, r.status(), r.wantReason())
	}
	if r.reason == "" && (got.Signer != r.signer || got.Issuer != r.issuer) {
		t.Errorf("verify names the signer %q of %q, want %q of %q", got.Signer, got.Issuer, r.signer, r.issuer)
	}
	return said[0]
}
