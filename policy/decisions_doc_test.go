package policy_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"vouchsafe/policy"
)

// decisionsDoc is the page whose table is written from what the engine does.
const decisionsDoc = "../docs/decisions.md"

const (
	tableBegin = "<!-- table: begin, written by go test ./policy -update -->\n"
	tableEnd   = "<!-- table: end -->\n"
)

// TestDecisionsPageIsWhatTheEngineDoes runs each cell of the page's tables.
func TestDecisionsPageIsWhatTheEngineDoes(t *testing.T) {
	var want strings.Builder
	want.WriteString("\n| situation | `Inform` | `InformAndEnforce`, `onUnavailable: Deny` | `onUnavailable: Allow` | `onUnavailable: UseLastVerified` | reason |\n")
	want.WriteString("| --- | --- | --- | --- | --- | --- |\n")
	for _, row := range table {
		fmt.Fprintf(&want, "| %s |", row.name)
		for _, spec := range tableColumns {
			w := newWorld(t)
			w.policy("p", spec)
			img := image(t, acmeAPI, "a")
			w.says(acmeAPI, img.Reference.Digest, "release-team", row.result)
			want.WriteString(" " + cell(w.decide(img).Verdict) + " |")
		}
		fmt.Fprintf(&want, " %s |\n", code(row.reason))
	}
	for _, when := range []policy.Verdict{allow, deny} {
		w := newWorld(t)
		w.rules.WhenNoPolicy = when
		d := w.decide(image(t, acmeAPI, "a"))
		name := fmt.Sprintf("no policy matches, `WHEN_NO_POLICY=%s`", when)
		fmt.Fprintf(&want, "| %s | %s | %[2]s | %[2]s | %[2]s | %s |\n", name, cell(d.Verdict), code(strings.Join(d.Reasons, " ")))
	}
	want.WriteString("\n")

	page, err := os.ReadFile(decisionsDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), tableBegin)
	got, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		t.Fatalf("%s has no table", decisionsDoc)
	}
	if *update {
		if err := os.WriteFile(decisionsDoc, []byte(before+tableBegin+want.String()+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want.String() {
		t.Errorf("%s is stale, run go test ./policy -update; got:\n%s\nwant:\n%s", decisionsDoc, got, want.String())
	}
}

// TestDecisionsPageNamesEveryReason keeps the page's words complete.
func TestDecisionsPageNamesEveryReason(t *testing.T) {
	page, err := os.ReadFile(decisionsDoc)
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{
		policy.ReasonUnsigned, policy.ReasonUntrusted, policy.ReasonUnavailable, policy.ReasonNoPolicy,
		policy.ReasonLineageUnavailable, policy.ReasonAuditFailed, policy.ReasonInternal,
		policy.ReasonNotKnown, policy.ReasonNameInvalid, policy.ReasonImageUnknown, policy.ReasonManifestInvalid,
	} {
		if !strings.Contains(string(page), "`"+reason+"`") {
			t.Errorf("%s does not explain %s", decisionsDoc, reason)
		}
	}
}

func cell(v policy.Verdict) string {
	answer := map[policy.Verdict]string{allow: "200", warn: "200", unavailable: "503", deny: "403"}[v]
	return answer + " `" + v.String() + "`"
}

func code(word string) string {
	if word == "" {
		return ""
	}
	return "`" + word + "`"
}
