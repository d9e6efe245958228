package report_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/internal/report"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// golden compares got with testdata/name; UPDATE_GOLDEN=1 writes it instead.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func reference(t *testing.T, s string) oci.Reference {
	t.Helper()
	ref, err := oci.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

var (
	digestAPI    = oci.SHA256([]byte("api"))
	digestStolen = oci.SHA256([]byte("stolen"))
	layerOne     = oci.SHA256([]byte("layer one"))
	layerTwo     = oci.SHA256([]byte("layer two"))
)

// hostile is what somebody who may push could write where a signer stands.
const hostile = "mallory\x1b[2K\r\u009b31m\u202e\tok"

func results(t *testing.T) []verify.Result {
	t.Helper()
	tag := reference(t, "acme.test/acme/api:sha256-"+digestAPI.Hex()+".sig")
	bundle := reference(t, "acme.test/acme/api@"+digestStolen.String())
	good := verify.Signature{
		Format: verify.FormatSimpleSigning, Digest: layerOne, Source: tag, Status: verify.Verified,
		Key: &verify.Key{Name: "release-2026", Fingerprint: "SHA256:" + layerOne.Hex()},
	}
	bad := verify.Signature{
		Format: verify.FormatBundle, Digest: layerTwo, Source: bundle, Status: verify.Untrusted,
		Reason: verify.KeyMismatch, Message: "by no key of the integration: " + hostile,
	}
	other := good
	other.Key, other.Status, other.Reason = nil, verify.Untrusted, verify.KeyMismatch
	return []verify.Result{
		{
			Integration: "other-team", Status: verify.Untrusted, Reason: verify.KeyMismatch,
			Message: "2 signatures, none by " + hostile, Signatures: []verify.Signature{other, bad},
		},
		{
			Integration: "release-team", Status: verify.Verified, Signer: "release-2026",
			Message: "signed by release-2026", Signatures: []verify.Signature{good, bad},
		},
	}
}

func verifications(t *testing.T) report.Verifications {
	t.Helper()
	api := reference(t, "acme.test/acme/api:1.4")
	return report.Verifications{
		report.NewVerification(api, digestAPI, results(t)),
		report.Unread("acme.test/acme/gone:1", []string{"release-team"},
			&oci.Error{Code: oci.CodeManifestUnknown, Message: "acme.test has no acme/gone:1"}),
	}
}

func checks(t *testing.T) report.Checks {
	t.Helper()
	api := reference(t, "acme.test/acme/api:1.4")
	return report.Checks{
		report.NewCheck(api, policy.Decision{
			ID: "01JDEMO", Verdict: policy.Deny, Image: api.WithDigest(digestAPI),
			Policies: []policy.Outcome{
				{Name: "prod-signed", Behavior: policy.InformAndEnforce},
				{Name: "watch", Behavior: policy.Inform, Satisfied: true},
			},
			Reasons: []string{"KEY_MISMATCH"}, Results: results(t),
			Message: "acme.test/acme/api: refused by policy prod-signed: signed by " + hostile,
		}),
		report.NewCheck(api, policy.Decision{Verdict: policy.Allow, Image: api.WithDigest(digestAPI), Message: "no policy matches"}),
		report.Undecided("unlisted.example/app:1",
			&oci.Error{Code: oci.CodeNotListed, Message: `no Registry document named "unlisted.example"`}),
	}
}

func TestGolden(t *testing.T) {
	for name, data := range map[string]report.Tabler{"verify": verifications(t), "check": checks(t)} {
		for _, form := range report.Formats {
			format, err := report.ParseFormat(form)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+"."+form+".golden", write(t, format, data))
		}
	}
}

func TestFoundWithoutTrust(t *testing.T) {
	source := reference(t, "acme.test/acme/api:sha256-"+digestAPI.Hex()+".sig")
	evidence := verify.Evidence{
		Repository: source.Repository, Digest: digestAPI, OverLimit: true,
		Items: []verify.Item{
			{Format: verify.FormatSimpleSigning, Source: source, Digest: layerOne},
			{Format: verify.FormatBundle, Source: source, Digest: layerTwo, Problem: &verify.Problem{
				Reason: verify.OverLimit, Message: "over 1 MiB",
			}},
		},
	}
	image := reference(t, "acme.test/acme/api:1.4")
	found := report.Verifications{
		report.Found(image, evidence),
		report.Found(image, verify.Evidence{Digest: digestAPI}),
	}
	golden(t, "found.table.golden", write(t, report.Table, found))
	golden(t, "found.json.golden", write(t, report.JSON, found))
}

func TestUnreadStatus(t *testing.T) {
	for name, tc := range map[string]struct {
		cause  error
		status verify.Status
		reason verify.Reason
	}{
		"an unlisted registry is untrusted":       {&oci.Error{Code: oci.CodeNotListed}, verify.Untrusted, verify.RegistryNotListed},
		"a missing right could not be found out":  {&oci.Error{Code: oci.CodeUnauthorized}, verify.Unavailable, verify.FetchUnauthorized},
		"a slow registry could not be found out":  {&oci.Error{Code: oci.CodeTimeout}, verify.Unavailable, verify.Timeout},
		"a missing image could not be found out":  {&oci.Error{Code: oci.CodeManifestUnknown}, verify.Unavailable, verify.FetchFailed},
		"an error of no class is no verification": {os.ErrClosed, verify.Unavailable, verify.FetchFailed},
	} {
		t.Run(name, func(t *testing.T) {
			got := report.Unread("x", []string{"a"}, tc.cause).Results[0]
			if got.Status != tc.status || got.Reason != tc.reason {
				t.Errorf("got %v %v, want %v %v", got.Status, got.Reason, tc.status, tc.reason)
			}
		})
	}
}
