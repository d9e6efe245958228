package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// library is a registry with one image for each way of being signed or not.
type library struct {
	at                         *origin.Registry
	key, other                 *cosign.Key
	signed, foreign, unsigned  origin.Image
	enforced, inform, mistaken string // folders of documents
}

func newLibrary(t *testing.T, layout cosign.Layout) *library {
	t.Helper()
	at := origin.Distribution(t, nil)
	key, other := cosign.NewKey(t, layout), cosign.NewKey(t, layout)
	l := &library{
		at: at, key: key, other: other,
		signed:   at.Push(t, "acme/signed", "1"),
		foreign:  at.Push(t, "acme/foreign", "1"),
		unsigned: at.Push(t, "acme/unsigned", "1"),
	}
	key.Sign(t, at, l.signed, layout)
	other.Sign(t, at, l.foreign, layout)
	documents := enforced(t, gateway.Registry("docker.io", at.Host), key)
	documents["away.yaml"] = gateway.Registry("away.example.com", "127.0.0.1:9")
	l.enforced = gateway.Documents(t, documents)
	documents["policy.yaml"] = policy("Inform")
	l.inform = gateway.Documents(t, documents)
	documents["policy.yaml"] = strings.Replace(policy("Inform"), "signers:", "signer:", 1)
	l.mistaken = gateway.Documents(t, documents)
	return l
}

// command is one command line and how it has to end.
type command struct {
	name string
	args []string
	code int
	// shows are words that a person reads, on either stream.
	shows []string
}

func (l *library) verifications() []command {
	documents := []string{"verify", "--config-dir", l.enforced}
	oneOff := []string{"verify", "--plain-http", "--key", l.key.Public}
	return []command{
		{"verify with documents an image signed by the trusted key", append(documents, "docker.io/acme/signed:1"), 0, []string{"Verified", signerName}},
		{"verify it by its digest", append(documents, "docker.io/acme/signed@"+l.signed.Digest), 0, []string{"Verified"}},
		{"verify it by the integration's name", append(documents, "--integration", signerName, "docker.io/acme/signed:1"), 0, []string{"Verified"}},
		{"verify with documents an image signed by another key", append(documents, "docker.io/acme/foreign:1"), 1, []string{"Untrusted", "KEY_MISMATCH"}},
		{"verify with documents an image that nobody signed", append(documents, "docker.io/acme/unsigned:1"), 1, []string{"Unsigned"}},
		{"verify an image at a registry that does not answer", append(documents, "away.example.com/acme/signed:1"), 3, []string{"away.example.com"}},
		{"verify three images of which one cannot be reached", append(documents, "docker.io/acme/signed:1", "docker.io/acme/unsigned:1", "away.example.com/acme/signed:1"), 3, nil},
		{"verify two images of which one is not signed", append(documents, "docker.io/acme/signed:1", "docker.io/acme/unsigned:1"), 1, nil},
		{"verify with an integration that does not exist", append(documents, "--integration", "nobody", "docker.io/acme/signed:1"), 2, []string{"nobody"}},
		{"verify with documents that do not load", []string{"verify", "--config-dir", l.mistaken, "docker.io/acme/signed:1"}, 2, []string{"policy.yaml", "signer"}},
		{"verify with the key in a file", append(oneOff, l.signed.ByTag()), 0, []string{"Verified"}},
		{"verify with the key in a file what another signed", append(oneOff, l.foreign.ByTag()), 1, []string{"KEY_MISMATCH"}},
		{"verify with the other's key in a file", []string{"verify", "--plain-http", "--key", l.other.Public, l.foreign.ByTag()}, 0, []string{"Verified"}},
		{"the name that other tools give it", []string{"image", "scan", "--plain-http", "--key", l.key.Public, "--image", l.signed.ByTag()}, 0, []string{"Verified"}},
		{"verify a name that is none", append(documents, "docker.io/acme/Signed:1"), 2, nil},
	}
}

func (l *library) checks() []command {
	return []command{
		{"check what is allowed", []string{"check", "--config-dir", l.enforced, "docker.io/acme/signed:1"}, 0, []string{"Allow"}},
		{"check what is refused", []string{"check", "--config-dir", l.enforced, "docker.io/acme/unsigned:1"}, 1, []string{"Deny", policyName}},
		{"check what another signed", []string{"check", "--config-dir", l.enforced, "docker.io/acme/foreign:1"}, 1, []string{"Deny", policyName}},
		{"check what no policy matches", []string{"check", "--config-dir", l.enforced, "docker.io/elsewhere/app:1"}, 3, nil},
		{"check what a policy only informs about", []string{"check", "--config-dir", l.inform, "docker.io/acme/unsigned:1"}, 0, []string{"Warn", policyName}},
		{"check that, warnings counted", []string{"check", "--config-dir", l.inform, "--fail-on", "warn", "docker.io/acme/unsigned:1"}, 1, []string{"Warn"}},
		{"check at a registry that does not answer", []string{"check", "--config-dir", l.enforced, "away.example.com/acme/app:1"}, 3, nil},
		{"check with documents that do not load", []string{"check", "--config-dir", l.mistaken, "docker.io/acme/signed:1"}, 2, []string{"policy.yaml"}},
		{"validate documents that load", []string{"config", "validate", "--config-dir", l.enforced}, 0, nil},
		{"validate documents that do not", []string{"config", "validate", "--config-dir", l.mistaken}, 2, []string{"policy.yaml", "signer", "^"}},
		{"serve with documents that do not load", []string{"serve", "--config-dir", l.mistaken}, 2, []string{"policy.yaml", "signer"}},
	}
}

func TestCommandsOnWhatCosignSigned(t *testing.T) {
	for _, layout := range cosign.Layouts() {
		t.Run(layout.Name, func(t *testing.T) {
			l := newLibrary(t, layout)
			for _, command := range append(l.verifications(), l.checks()...) {
				t.Run(command.name, func(t *testing.T) {
					out := vouchsafe(t, command.args...)
					if out.Code != command.code {
						t.Errorf("exit code: got %d, want %d", out.Code, command.code)
					}
					for _, want := range command.shows {
						checkShows(t, out.All(), want)
					}
				})
			}
		})
	}
}

func TestVerifyPrintsWhatProgramsRead(t *testing.T) {
	layout := cosign.Layouts()[1]
	l := newLibrary(t, layout)
	out := vouchsafe(t, "verify", "--config-dir", l.enforced, "-o", "json", "docker.io/acme/signed:1", "docker.io/acme/foreign:1")
	var images []struct {
		Image, Digest string
		Signatures    []struct{ Format, Digest, Status, Reason string }
		Results       []struct{ Integration, Status, Reason, Signer string }
	}
	if err := json.Unmarshal([]byte(out.Stdout), &images); err != nil {
		t.Fatalf("standard output is no JSON: %v", err)
	}
	if len(images) != 2 {
		t.Fatalf("got %d images, want 2", len(images))
	}
	for i, want := range []struct{ digest, status, reason string }{
		{l.signed.Digest, "Verified", ""},
		{l.foreign.Digest, "Untrusted", "KEY_MISMATCH"},
	} {
		got := images[i]
		if got.Digest != want.digest || len(got.Signatures) != 1 || len(got.Results) != 1 {
			t.Errorf("image %d: got %+v, want one signature and one result of %s", i, got, want.digest)
			continue
		}
		result := got.Results[0]
		if result.Integration != signerName || result.Status != want.status || result.Reason != want.reason {
			t.Errorf("image %d: got the result %+v, want %s %s %s", i, result, signerName, want.status, want.reason)
		}
	}
}

func TestOneOffVerificationUsesTheUsersLogin(t *testing.T) {
	layout := cosign.Layouts()[0]
	at := origin.Distribution(t, origin.OwnTokens(t))
	key := cosign.NewKey(t, layout)
	image := at.Push(t, "acme/private", "1")
	key.Sign(t, at, image, layout)
	args := []string{"verify", "--plain-http", "--key", key.Public, image.ByTag()}
	if out := tool.Run(t, at.PusherEnv(t), tool.Path("vouchsafe"), args...); out.Code != 0 {
		t.Errorf("with a login: exit %d, want 0", out.Code)
	}
	if out := vouchsafe(t, args...); out.Code != 3 {
		t.Errorf("without a login: exit %d, want 3", out.Code)
	}
}

func TestTheDemoEndsByItself(t *testing.T) {
	out := vouchsafe(t, "demo", "--script")
	if out.Code != 0 {
		t.Errorf("exit code: got %d, want 0", out.Code)
	}
	for _, want := range []string{"Allow", "Deny", "refused by policy"} {
		checkShows(t, out.All(), want)
	}
}

// vouchsafe runs the product in an empty folder, where no documents lie about.
func vouchsafe(t *testing.T, args ...string) tool.Output {
	t.Helper()
	t.Chdir(t.TempDir())
	return tool.Run(t, nil, tool.Path("vouchsafe"), args...)
}
