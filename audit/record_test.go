package audit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"vouchsafe/audit"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// auditDoc is the page that explains the record.
const auditDoc = "../docs/audit.md"

// records writes one record of each kind.
func records(t *testing.T) []string {
	t.Helper()
	sink := &memory{}
	cluster := ""
	write := func(d policy.Decision, r policy.Request) {
		log := audit.New(decider{decision: d}, sink, audit.Config{Replica: "gateway-0", Cluster: cluster})
		if _, err := log.Decide(t.Context(), r, oci.Image{}); err != nil {
			t.Fatal(err)
		}
	}
	write(decision(policy.Allow, policy.InformAndEnforce), request())
	write(decision(policy.Deny, policy.InformAndEnforce), request())
	write(decision(policy.Warn, policy.Inform), request())
	write(decision(policy.Unavailable, policy.InformAndEnforce), request())

	index := int64(123)
	full := decision(policy.Allow, policy.Inform)
	full.Results = []verify.Result{{
		Integration: "release-team", Status: verify.Verified, Signer: "https://github.com/acme/api/.github/workflows/release.yml@refs/heads/main",
		Issuer: "https://token.actions.githubusercontent.com", LogIndex: &index, InheritedFrom: oci.SHA256([]byte("index")),
	}}
	traced := request()
	traced.Client.TraceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	write(full, traced)

	check := policy.Request{Kind: policy.KindCheck, Reference: oci.Reference{Repository: api}}
	none := decision(policy.Allow, policy.Inform)
	none.Policies, none.Results, none.Reasons = nil, nil, nil
	none.Image.Tag, none.Message = "", "no policy matches"
	write(none, check)

	review := policy.Request{
		Kind: policy.KindAdmission, Client: policy.Client{IP: "192.0.2.1", UserAgent: "kube-apiserver-admission", User: "jane", RequestID: "0b7f"},
		Namespace: "prod", Workload: policy.Workload{Kind: "Pod", Name: "api-", Pod: "api-", ServiceAccount: "default"},
	}
	cluster = "eu-1"
	write(decision(policy.Deny, policy.InformAndEnforce), review)
	unresolved := decision(policy.Unavailable, policy.InformAndEnforce)
	unresolved.Image.Digest, unresolved.MediaType, unresolved.Cached = oci.Digest{}, "", true
	write(unresolved, review)
	noName := decision(policy.Deny, policy.InformAndEnforce)
	noName.Image, noName.Name, noName.MediaType = oci.Reference{}, "Not A Name\n\u202e", ""
	write(noName, review)
	cluster = ""

	hostile := request()
	hostile.Client = policy.Client{
		IP: "2001:db8::1", User: "\"},{\"x\":\"", RequestID: "\x1b[2J\r\n{\"version\":1}\x00\x7f\u0085\u009b\u2028\u2029\u202e\U000e0001\xff",
		UserAgent: strings.Repeat("é", 300),
	}
	write(decision(policy.Deny, policy.InformAndEnforce), hostile)

	log := audit.New(decider{}, sink, audit.Config{
		Replica: "gateway-0", Now: func() time.Time { return testNow }, NewID: func(time.Time) string { return testID },
	})
	if err := log.Configuration(t.Context(), "r2", "configuration r2 is in force: 2 policies, 1 of them enforces"); err != nil {
		t.Fatal(err)
	}
	return sink.lines
}

func TestRecords(t *testing.T) {
	golden(t, "testdata/records.golden", strings.Join(records(t), ""))
}

func TestRecordIsOneLineOfPrintableText(t *testing.T) {
	for _, line := range records(t) {
		body, found := strings.CutSuffix(line, "\n")
		if !found || strings.Contains(body, "\n") {
			t.Errorf("is not one line: %q", line)
		}
		for _, r := range body {
			if !unicode.IsPrint(r) {
				t.Errorf("has the character %U: %s", r, body)
			}
		}
		if err := json.Unmarshal([]byte(body), &map[string]any{}); err != nil {
			t.Errorf("is no JSON: %v: %s", err, body)
		}
	}
}

func TestHostileTextSurvivesEscaping(t *testing.T) {
	var got struct {
		RequestID string `json:"requestID"`
		Client    struct {
			User, UserAgent string
		} `json:"client"`
	}
	if err := json.Unmarshal([]byte(records(t)[9]), &got); err != nil {
		t.Fatal(err)
	}
	// Bytes that are no UTF-8 cannot be said in JSON.
	if want := "\x1b[2J\r\n{\"version\":1}\x00\x7f\u0085\u009b\u2028\u2029\u202e\U000e0001\ufffd"; got.RequestID != want {
		t.Errorf("got request id %q, want %q", got.RequestID, want)
	}
	if want := "\"},{\"x\":\""; got.Client.User != want {
		t.Errorf("got user %q, want %q", got.Client.User, want)
	}
	if want := strings.Repeat("é", 256); got.Client.UserAgent != want {
		t.Errorf("got a user agent of %d characters", len([]rune(got.Client.UserAgent)))
	}
}

// TestNothingBreaksALine puts what breaks lines, terminals and parsers into every
// field that comes from outside.
func TestNothingBreaksALine(t *testing.T) {
	for name, hostile := range map[string]string{
		"a newline and a record of its own": "x\n{\"version\":1,\"decision\":{\"verdict\":\"Allow\"}}\r\n",
		"controls":                          "\x00\x01\x07\b\t\v\f\x1b]0;title\x07\x1b[2J\x7f\u0080\u009b",
		"separators of lines":               "\u0085\u2028\u2029",
		"marks of direction":                "\u200e\u202e\u2066",
		"no UTF-8":                          "\xff\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80",
		"quotes and slashes":                `\",\\"}],<!--`,
		"1 MiB":                             strings.Repeat("\u2028x", 1<<18),
	} {
		t.Run(name, func(t *testing.T) {
			sink := &memory{}
			r, d := request(), decision(policy.Deny, policy.InformAndEnforce)
			r.Client = policy.Client{IP: hostile, UserAgent: hostile, User: hostile, RequestID: hostile, TraceID: hostile}
			r.Namespace, r.Workload = hostile, policy.Workload{Kind: hostile, Name: hostile, Pod: hostile, ServiceAccount: hostile}
			d.Name = hostile
			r.Verb, d.Image.Tag, d.MediaType, d.Message, d.Revision = hostile, hostile, hostile, hostile, hostile
			d.Results[0].Signer, d.Results[0].Issuer = hostile, hostile
			d.Reasons = []string{hostile}
			if err := audit.New(nil, sink, audit.Config{Replica: hostile}).Record(t.Context(), r, d); err != nil {
				t.Fatal(err)
			}
			body, found := strings.CutSuffix(sink.text(), "\n")
			if !found || strings.ContainsFunc(body, func(c rune) bool { return c < ' ' || c == 0x7f || !unicode.IsPrint(c) }) {
				t.Errorf("a line is broken: %.500q", body)
			}
			var got struct {
				ID, RequestID string
				Decision      struct{ Verdict string }
				Client        struct{ UserAgent string }
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("no JSON: %v", err)
			}
			if got.ID != testID || got.Decision.Verdict != "Deny" || len([]rune(got.Client.UserAgent)) > 256 || len([]rune(got.RequestID)) > 128 {
				t.Errorf("got %.500v", got)
			}
		})
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("curl/8", "id", "user")
	f.Add("\x1b[31m", "\u2028\u202e", "\xff\xfe\U0010ffff")
	f.Fuzz(func(t *testing.T, agent, id, user string) {
		sink := &memory{}
		r := request()
		r.Client.UserAgent, r.Client.RequestID, r.Client.User = agent, id, user
		if _, err := audit.New(decider{decision: decision(policy.Deny, policy.InformAndEnforce)}, sink, audit.Config{}).Decide(t.Context(), r, oci.Image{}); err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSuffix(sink.text(), "\n")
		if !json.Valid([]byte(line)) {
			t.Fatalf("no JSON: %q", line)
		}
		for _, c := range line {
			if !unicode.IsPrint(c) {
				t.Fatalf("has the character %U: %q", c, line)
			}
		}
	})
}

// TestAuditPageIsFresh holds the page against the golden records and the types.
func TestAuditPageIsFresh(t *testing.T) {
	page, err := os.ReadFile(auditDoc)
	if err != nil {
		t.Fatal(err)
	}
	example := "```json\n" + records(t)[1] + "```\n"
	if !strings.Contains(string(page), example) {
		t.Errorf("%s does not hold the golden record of a refusal:\n%s", auditDoc, example)
	}
	var documented []string
	for line := range strings.Lines(string(page)) {
		if name, found := strings.CutPrefix(line, "| `"); found {
			name, _, _ = strings.Cut(name, "`")
			documented = append(documented, name)
		}
	}
	want := fields(reflect.TypeFor[audit.Record](), "")
	slices.Sort(want)
	slices.Sort(documented)
	if !slices.Equal(documented, want) {
		t.Errorf("%s explains\n%v\nthe record has\n%v", auditDoc, documented, want)
	}
}

// fields returns the paths of all JSON fields of a type.
func fields(in reflect.Type, prefix string) []string {
	var paths []string
	for i := range in.NumField() {
		field := in.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		path := prefix + name
		of := field.Type
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			if of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Struct {
				path += "[]"
			}
			of = of.Elem()
		}
		paths = append(paths, path)
		if of.Kind() == reflect.Struct && of != reflect.TypeFor[time.Time]() && of != reflect.TypeFor[oci.Digest]() {
			paths = append(paths, fields(of, path+".")...)
		}
	}
	return paths
}

func TestStatusFollowsTheVerdict(t *testing.T) {
	for verdict, want := range map[policy.Verdict]int{
		policy.Allow: 200, policy.Warn: 200, policy.Deny: 403, policy.Unavailable: 503, 0: 403, 77: 403,
	} {
		sink := &memory{}
		if _, err := decide(t, decider{decision: decision(verdict, policy.Inform)}, sink, audit.Config{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(sink.text(), fmt.Sprintf(`"status":%d`, want)) {
			t.Errorf("%v: want status %d in %s", verdict, want, sink.text())
		}
	}
}
