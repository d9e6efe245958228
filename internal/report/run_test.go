package report_test

import (
	"encoding/json"
	"encoding/xml"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"vouchsafe/internal/report"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

func run(t *testing.T, format report.Format, data report.Judged, command string, warnFails bool) string {
	t.Helper()
	var b strings.Builder
	err := report.WriteRun(&b, format, data, report.Run{Command: command, Version: "v0.0.0-test", WarnFails: warnFails})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// judged is every kind of finding: verified by one of two integrations, refused,
// unread, allowed, with a warning, unlisted, and a child of an index.
func judged(t *testing.T) (report.Verifications, report.Checks) {
	t.Helper()
	child := report.NewVerification(reference(t, "acme.test/acme/api@"+digestStolen.String()), digestStolen, []verify.Result{
		{Integration: "release-team", Status: verify.Unsigned, Message: "no signature found"},
	})
	child.Platform, child.Index = "linux/arm64", digestAPI
	all := append(verifications(t), child)
	checked := append(checks(t), report.NewCheck(reference(t, "acme.test:5000/acme/web:2"), policy.Decision{
		ID: "01JWARN", Verdict: policy.Warn, Image: reference(t, "acme.test:5000/acme/web@"+digestAPI.String()),
		Policies: []policy.Outcome{{Name: "watch", Behavior: policy.Inform}},
		Reasons:  []string{policy.ReasonInformOnly, policy.ReasonUnsigned}, Message: "acme.test:5000/acme/web: policy watch would refuse",
	}))
	return all, checked
}

func TestRunGolden(t *testing.T) {
	all, checked := judged(t)
	for _, format := range []report.Format{report.SARIF, report.JUnit} {
		golden(t, "verify."+format.String()+".golden", run(t, format, all, "verify", false))
		golden(t, "check."+format.String()+".golden", run(t, format, checked, "check", false))
	}
	golden(t, "platforms.table.golden", write(t, report.Table, all))
}

// sarif is what a code host reads.
type sarif struct {
	Schema  string `json:"$schema"`
	Version string
	Runs    []struct {
		Tool struct {
			Driver struct {
				Name, Version string
				Rules         []struct {
					ID               string
					ShortDescription struct{ Text string }
					Help             struct{ Text string }
				}
			}
		}
		Invocations []struct{ ExecutionSuccessful bool }
		Results     []struct {
			RuleID, Level string
			RuleIndex     int
			Message       struct{ Text string }
			Locations     []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI string }
					Region           struct{ StartLine int }
				}
			}
			PartialFingerprints map[string]string
		}
	}
}

func readSARIF(t *testing.T, text string) sarif {
	t.Helper()
	var log sarif
	if err := json.Unmarshal([]byte(text), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || log.Runs[0].Tool.Driver.Name != "vouchsafe" {
		t.Fatalf("got %+v", log)
	}
	return log
}

func TestSARIFHoldsWhatCodeHostsDemand(t *testing.T) {
	all, checked := judged(t)
	for _, text := range []string{run(t, report.SARIF, all, "verify", false), run(t, report.SARIF, checked, "check", false)} {
		r := readSARIF(t, text).Runs[0]
		seen := map[string]bool{}
		for i, result := range r.Results {
			if result.RuleIndex < 0 || result.RuleIndex >= len(r.Tool.Driver.Rules) || r.Tool.Driver.Rules[result.RuleIndex].ID != result.RuleID {
				t.Errorf("result %d: rule %s is not at %d", i, result.RuleID, result.RuleIndex)
			}
			if !slices.Contains([]string{"error", "warning", "note"}, result.Level) || result.Message.Text == "" || len(result.Locations) != 1 {
				t.Errorf("result %d: got %+v", i, result)
			}
			at := result.Locations[0].PhysicalLocation
			if u, err := url.Parse(at.ArtifactLocation.URI); err != nil || u.IsAbs() || u.Host != "" || strings.Contains(at.ArtifactLocation.URI, ":") || at.Region.StartLine != 1 {
				t.Errorf("result %d: the location %+v is no relative reference", i, at)
			}
			hash := result.PartialFingerprints["primaryLocationLineHash"]
			if hash == "" || seen[hash] {
				t.Errorf("result %d: the fingerprint %q is empty or another's", i, hash)
			}
			seen[hash] = true
		}
		for _, rule := range r.Tool.Driver.Rules {
			if rule.ShortDescription.Text == "" || rule.Help.Text == "" {
				t.Errorf("rule %s is not described", rule.ID)
			}
		}
	}
}

func TestSARIFLevels(t *testing.T) {
	all, checked := judged(t)
	levels := func(text string) string {
		var got []string
		for _, r := range readSARIF(t, text).Runs[0].Results {
			got = append(got, r.RuleID+" "+r.Level)
		}
		return strings.Join(got, ", ")
	}
	want := "KEY_MISMATCH note, FETCH_FAILED warning, UNSIGNED error"
	if got := levels(run(t, report.SARIF, all, "verify", false)); got != want {
		t.Errorf("verify: got %s, want %s", got, want)
	}
	want = "KEY_MISMATCH error, REGISTRY_NOT_LISTED error, UNSIGNED warning"
	if got := levels(run(t, report.SARIF, checked, "check", false)); got != want {
		t.Errorf("check: got %s, want %s", got, want)
	}
	if got := levels(run(t, report.SARIF, checked, "check", true)); !strings.HasSuffix(got, "UNSIGNED error") {
		t.Errorf("check --fail-on warn: got %s", got)
	}
}

func TestAFingerprintDoesNotChangeWithTheDigestBehindATag(t *testing.T) {
	result := []verify.Result{{Integration: "team", Status: verify.Unsigned, Message: "none"}}
	prints := map[string]bool{}
	for _, digest := range []oci.Digest{digestAPI, digestStolen} {
		one := report.Verifications{report.NewVerification(reference(t, "acme.test/acme/api:1"), digest, result)}
		prints[readSARIF(t, run(t, report.SARIF, one, "verify", false)).Runs[0].Results[0].PartialFingerprints["primaryLocationLineHash"]] = true
	}
	if len(prints) != 1 {
		t.Errorf("got %d fingerprints of one finding", len(prints))
	}
}

func TestASignersNameMakesNoLink(t *testing.T) {
	one := report.Verifications{report.NewVerification(reference(t, "acme.test/acme/api:1"), digestAPI, []verify.Result{
		{Integration: "team", Status: verify.Untrusted, Reason: verify.IdentityMismatch, Message: "signed by [fine](https://evil.test)"},
	})}
	got := readSARIF(t, run(t, report.SARIF, one, "verify", false)).Runs[0].Results[0].Message.Text
	if want := `acme.test/acme/api:1: signed by \[fine\](https://evil.test)`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// counts are what build servers read of JUnit XML.
type counts struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Suites   []struct {
		Skipped int `xml:"skipped,attr"`
		Cases   []struct {
			Name    string    `xml:"name,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func TestJUnitAgreesWithTheExitCode(t *testing.T) {
	all, checked := judged(t)
	for name, c := range map[string]struct {
		text                              string
		tests, failures, errors, skippeds int
	}{
		"verify":                {run(t, report.JUnit, all, "verify", false), 4, 1, 1, 1},
		"check":                 {run(t, report.JUnit, checked, "check", false), 4, 2, 0, 0},
		"check --fail-on warn":  {run(t, report.JUnit, checked, "check", true), 4, 3, 0, 0},
		"nothing":               {run(t, report.JUnit, report.Checks{}, "check", false), 0, 0, 0, 0},
		"nobody was trusted":    {run(t, report.JUnit, report.Verifications{report.Found(reference(t, "a.test/b:1"), verify.Evidence{Digest: digestAPI})}, "verify", false), 1, 0, 1, 0},
		"nothing could be read": {run(t, report.JUnit, report.Verifications{report.Unread("a.test/b:1", nil, io.ErrUnexpectedEOF)}, "verify", false), 1, 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var got counts
			if err := xml.Unmarshal([]byte(c.text), &got); err != nil {
				t.Fatal(err)
			}
			if len(got.Suites) != 1 || got.Tests != c.tests || got.Failures != c.failures || got.Errors != c.errors || got.Suites[0].Skipped != c.skippeds {
				t.Errorf("got %+v, want %+v", got, c)
			}
			var failures, errors, skippeds int
			for _, one := range got.Suites[0].Cases {
				if one.Failure != nil {
					failures++
				}
				if one.Error != nil {
					errors++
				}
				if one.Skipped != nil {
					skippeds++
				}
			}
			if len(got.Suites[0].Cases) != c.tests || failures != c.failures || errors != c.errors || skippeds != c.skippeds {
				t.Errorf("the cases do not add up: %+v", got)
			}
		})
	}
}

func TestAVerdictThatIsNoneIsAFailure(t *testing.T) {
	zero := report.Checks{{Verification: report.Verification{Image: "a.test/b:1"}}}
	if got := run(t, report.JUnit, zero, "check", false); !strings.Contains(got, `failures="1"`) {
		t.Errorf("got %s", got)
	}
	if got := run(t, report.SARIF, zero, "check", false); !strings.Contains(got, `"level": "error"`) {
		t.Errorf("got %s", got)
	}
}

// FuzzWriteRun: whatever a signer is called, both forms stay whole and print no
// character that a terminal obeys or XML has no way to write.
func FuzzWriteRun(f *testing.F) {
	for _, s := range []string{hostile, "", "]]>", "<failure/>", "\x00", "\ufffe", "\xff", "&amp;", `"`, "'", "\n", "-->", "{0}", "[a](b)", "\U000e0001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all := report.Verifications{
			{Image: s, Platform: s, Digest: digestAPI, Results: []verify.Result{
				{Integration: s, Status: verify.Untrusted, Reason: verify.Reason(s), Message: s, Signer: s, Issuer: s},
			}},
			{Image: s, Results: []verify.Result{{Integration: s, Status: verify.Verified, Message: s, Signer: s}, {Integration: "b", Message: s}}},
			{Image: s, Message: s},
		}
		for _, format := range []report.Format{report.SARIF, report.JUnit} {
			got := run(t, format, all, "verify", false)
			if at := strings.IndexFunc(got, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); at >= 0 {
				t.Errorf("%s prints %q", format, got[at:])
			}
			if format == report.SARIF {
				if n := len(readSARIF(t, got).Runs[0].Results); n != 3 {
					t.Errorf("got %d results, want 3", n)
				}
				continue
			}
			var read counts
			if err := xml.Unmarshal([]byte(got), &read); err != nil || len(read.Suites) != 1 || len(read.Suites[0].Cases) != 4 {
				t.Errorf("JUnit does not read: %v\n%s", err, got)
			}
		}
	})
}

// TestEachReasonWordIsExplained reads the words from the code, so that a new one
// cannot be forgotten.
func TestEachReasonWordIsExplained(t *testing.T) {
	words := append(constants(t, "../../verify/status.go", ""), constants(t, "../../policy/reason.go", "Reason")...)
	if len(words) < 30 {
		t.Fatalf("found %d words: the files moved?", len(words))
	}
	for _, word := range words {
		one := report.Checks{{Verification: report.Verification{Image: "a.test/b:1"}, Verdict: policy.Deny, Reasons: []string{word}, Message: "no"}}
		rule := readSARIF(t, run(t, report.SARIF, one, "check", false)).Runs[0].Tool.Driver.Rules[0]
		if rule.ID != word || rule.ShortDescription.Text == "The image is not verified." {
			t.Errorf("%s is not explained", word)
		}
	}
}

// constants returns the values of a file's string constants whose names begin so.
func constants(t *testing.T, file, prefix string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return true
		}
		for _, value := range spec.Values {
			if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				word, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				words = append(words, word)
			}
		}
		return true
	})
	return words
}
