package report_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"vouchsafe/internal/report"
	"vouchsafe/verify"
)

// proven is a signature by a certificate, in a log, with a timestamp.
func proven(t *testing.T) verify.Signature {
	t.Helper()
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	return verify.Signature{
		Format: verify.FormatBundle, Digest: layerOne, Source: reference(t, "acme.test/acme/api@"+digestStolen.String()),
		Certificate: &verify.Certificate{
			Identity: "https://forge.test/acme/api/release.yml@refs/heads/main", Issuer: "https://issuer.test",
			Extensions: map[string]string{
				"sourceRepositoryURI": "https://forge.test/acme/api", "sourceRepositoryRef": "refs/heads/main",
				"buildConfigURI": "https://forge.test/acme/api/release.yml@refs/heads/main", "buildTrigger": "push" + hostile,
			},
			NotBefore: at, NotAfter: at.Add(10 * time.Minute), SCTLogID: "aa",
		},
		Timestamps: []verify.Timestamp{{Time: at.Add(2 * time.Second), Authority: "tsa.test"}},
		RekorBundle: &verify.RekorBundle{
			LogID: "bb", LogIndex: 7, IntegratedTime: at.Add(time.Second).Unix(),
			InclusionProof: &verify.InclusionProof{RootHash: "cc", TreeSize: 9, Hashes: []string{"dd"}, Checkpoint: "log\n9\n"},
		},
		Status: verify.Verified, Message: "signed by https://forge.test/acme/api/release.yml@refs/heads/main",
	}
}

// missed is the same under an integration that wants another identity.
func missed(t *testing.T) verify.Signature {
	t.Helper()
	s := proven(t)
	s.Status, s.Reason = verify.Untrusted, verify.IdentityMismatch
	s.Message = "issuer equal; identity differs from character 56: found …main, wanted …v1"
	return s
}

func TestWhatIsProvenGolden(t *testing.T) {
	good, bad := proven(t), missed(t)
	index := int64(7)
	all := report.Verifications{
		report.NewVerification(reference(t, "acme.test/acme/api:1"), digestAPI, []verify.Result{{
			Integration: "release-team", Status: verify.Verified, Message: good.Message, Signer: good.Certificate.Identity,
			Issuer: good.Certificate.Issuer, LogIndex: &index, Signatures: []verify.Signature{good},
		}}),
		report.NewVerification(reference(t, "acme.test/acme/web:1"), digestAPI, []verify.Result{{
			Integration: "release-team", Status: verify.Untrusted, Reason: bad.Reason, Message: bad.Message, Signatures: []verify.Signature{bad},
		}}),
	}
	for _, form := range report.RunFormats {
		format, err := report.ParseRunFormat(form)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "proven."+form+".golden", run(t, format, all, "verify", false))
	}
}

func TestASignatureIsReportedWithAllThatThoseProveWhichVerifyIt(t *testing.T) {
	logged, stamped, stranger := proven(t), proven(t), missed(t)
	logged.Timestamps, stamped.RekorBundle = nil, nil
	stranger.RekorBundle = &verify.RekorBundle{LogID: "ee", LogIndex: 666}
	image := reference(t, "acme.test/acme/api:1")
	results := func(all ...verify.Signature) []verify.Result {
		var out []verify.Result
		for _, s := range all {
			out = append(out, verify.Result{Status: s.Status, Signatures: []verify.Signature{s}})
		}
		return out
	}
	for name, c := range map[string]struct {
		results            []verify.Result
		status             string
		stamps, logIndices int64
	}{
		"one saw the log, the next the timestamp":       {results(logged, stamped), "Verified", 1, 7},
		"in the other order":                            {results(stamped, logged), "Verified", 1, 7},
		"what a miss proved does not stay beside a yes": {results(stranger, stamped), "Verified", 1, 0},
		"nor does it come to one":                       {results(stamped, stranger), "Verified", 1, 0},
		"of misses the first":                           {results(stranger, missed(t)), "Untrusted", 1, 666},
	} {
		t.Run(name, func(t *testing.T) {
			got := report.NewVerification(image, digestAPI, c.results).Signatures
			if len(got) != 1 || got[0].Status != c.status || int64(len(got[0].Timestamps)) != c.stamps {
				t.Fatalf("got %+v", got)
			}
			index := int64(0)
			if got[0].RekorBundle != nil {
				index = got[0].RekorBundle.LogIndex
			}
			if index != c.logIndices {
				t.Errorf("got log index %d, want %d", index, c.logIndices)
			}
		})
	}
}

func TestAMissNamesWhatItFoundAndNoSigner(t *testing.T) {
	bad := missed(t)
	all := report.Verifications{report.NewVerification(reference(t, "acme.test/acme/api:1"), digestAPI, []verify.Result{{
		Integration: "team", Status: verify.Untrusted, Reason: bad.Reason, Message: bad.Message + " (the nearest of 2)",
		Signatures: []verify.Signature{{Status: verify.Untrusted, Reason: verify.KeyMismatch, Message: "signed by another key"}, bad},
	}})}
	var log struct {
		Runs []struct {
			Results []struct{ Properties map[string]string }
		}
	}
	if err := json.Unmarshal([]byte(run(t, report.SARIF, all, "verify", false)), &log); err != nil {
		t.Fatal(err)
	}
	got := log.Runs[0].Results[0].Properties
	if got["foundIdentity"] != bad.Certificate.Identity || got["sourceRef"] != "refs/heads/main" || got["logIndex"] != "7" || got["signer"] != "" {
		t.Errorf("got %v", got)
	}
	wide := write(t, report.Wide, all)
	if !strings.Contains(wide, bad.Message) || strings.Contains(wide, bad.Certificate.Identity+"  IDENTITY_MISMATCH") {
		t.Errorf("got %s", wide)
	}
}
