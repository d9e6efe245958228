package report_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/goccy/go-yaml"

	"vouchsafe/internal/report"
)

func write(t *testing.T, format report.Format, data report.Tabler) string {
	t.Helper()
	var b strings.Builder
	if err := report.Write(&b, format, data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestParseFormatRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, s := range []string{"", "sarif", "JSON", "table "} {
		if f, err := report.ParseFormat(s); err == nil || f.String() != "invalid" {
			t.Errorf("%q: got %v, %v", s, f, err)
		}
	}
	if err := report.Write(&strings.Builder{}, 0, report.Checks{}); err == nil {
		t.Error("the zero form was written")
	}
}

// text is a Tabler of any text, in each place where text can stand.
type text struct {
	Value string            `json:"value"`
	List  []string          `json:"list"`
	Map   map[string]string `json:"map"`
}

func (x text) Tables(bool) []report.Grid {
	return []report.Grid{{Title: x.Value, Head: []string{"A", "B"}, Rows: [][]string{{x.Value, ""}}}}
}

// FuzzWrite: whatever a signer is called, no form of output prints a character
// that a terminal obeys, and JSON and YAML say the same.
func FuzzWrite(f *testing.F) {
	for _, s := range []string{
		hostile, "", "true", "1.0", "- x", "# c", "a: b", "a\nb", "a\n\x1b[31m", "~", "|", "\x7f", "é", "\xff",
		"\U000e0001", "'", `"`, "\\u001b", " x ", "a\r\nb", "{", "[", "*a", "&a", "!t", "%", "@", "`", "0x1f", "=", "\ufeff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		data := text{Value: s, List: []string{s, s}, Map: map[string]string{"k": s}}
		for _, form := range report.Formats {
			format, err := report.ParseFormat(form)
			if err != nil {
				t.Fatal(err)
			}
			got := write(t, format, data)
			if at := strings.IndexFunc(got, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); at >= 0 {
				t.Errorf("%s prints %q", form, got[at:])
			}
		}
		var fromJSON text
		if err := json.Unmarshal([]byte(write(t, report.JSON, data)), &fromJSON); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); strings.ToValidUTF8(s, "") == s && fromJSON.Value != want {
			t.Errorf("JSON says %q, want %q", fromJSON.Value, want)
		}
		var fromYAML text
		out := write(t, report.YAML, data)
		if err := yaml.Unmarshal([]byte(out), &fromYAML); err != nil {
			t.Fatalf("YAML does not read: %v\n%s", err, out)
		}
		if !strings.ContainsFunc(s, unicode.IsControl) && !reflect.DeepEqual(fromYAML, fromJSON) {
			t.Errorf("YAML says %q, JSON %q:\n%s", fromYAML, fromJSON, out)
		}
	})
}
