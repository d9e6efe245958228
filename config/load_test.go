package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/config"
	"vouchsafe/policy"
)

func TestLoadReadsAFolderWithSubFolders(t *testing.T) {
	dir, key := t.TempDir(), newKey(t)
	write(t, filepath.Join(dir, "keys.yaml"), "# a comment first\n---\n"+integration("team-a", key)+"---\n"+integration("team-b", newKey(t)))
	write(t, filepath.Join(dir, "sub/deeper/policies.yml"), imagePolicy("b", "team-a", "Inform")+"---\n"+imagePolicy("a", "team-b", "InformAndEnforce"))
	write(t, filepath.Join(dir, "README.md"), "not: [a document")
	write(t, filepath.Join(dir, ".hidden.yaml"), "not: [a document")
	write(t, filepath.Join(dir, ".git/x.yaml"), "not: [a document")
	outside := t.TempDir()
	write(t, filepath.Join(outside, "x.yaml"), "not: [a document")
	link(t, outside, filepath.Join(dir, "linked"))
	link(t, outside, filepath.Join(dir, "linked.yaml"))

	s := mustLoad(t, dir, config.LoadOptions{Settings: defaults(t)})

	var got []string
	for _, d := range s.Documents {
		got = append(got, d.Kind+" "+d.Name+" "+d.File)
	}
	want := []string{
		"ImagePolicy a sub/deeper/policies.yml",
		"ImagePolicy b sub/deeper/policies.yml",
		"Registry docker.io ",
		"Registry ghcr.io ",
		"Registry quay.io ",
		"Registry registry.k8s.io ",
		"SignatureIntegration team-a keys.yaml",
		"SignatureIntegration team-b keys.yaml",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if s.Documents[6].Line != 3 {
		t.Errorf("got line %d of team-a, want 3", s.Documents[6].Line)
	}
	if !s.Enforces() || s.Rules.Policies[0].Name() != "a" || s.Rules.Integrations[1].Name() != "team-b" {
		t.Error("the rules are not those of the documents, in the order of their names")
	}
	if s.Rules.WhenNoPolicy != policy.Allow || s.Rules.Revision != s.Revision || s.Revision == "" {
		t.Errorf("got %v under revision %q", s.Rules.WhenNoPolicy, s.Revision)
	}
	if _, ok := s.Registry("ghcr.io"); !ok {
		t.Error("ghcr.io is not listed")
	}
}

func TestLoadSaysWhatIsWrongWithTheFolder(t *testing.T) {
	if _, err := config.Load(filepath.Join(t.TempDir(), "none"), config.LoadOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	file := filepath.Join(t.TempDir(), "file.yaml")
	write(t, file, "")
	if _, err := config.Load(file, config.LoadOptions{}); err == nil || !strings.Contains(err.Error(), "wanted a folder") {
		t.Errorf("got %v", err)
	}
}

func TestEmptyEnforcesNothingAndSaysSo(t *testing.T) {
	s, err := config.Empty(config.LoadOptions{Settings: defaults(t)})
	if err != nil {
		t.Fatal(err)
	}
	if s.Enforces() || len(s.Registries) != 4 || len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0].Message, "nothing is enforced") {
		t.Errorf("got %d registries, warnings %v", len(s.Registries), s.Warnings)
	}
}

func TestTheZeroSettingsDenyWhatNoPolicyMatches(t *testing.T) {
	s, err := config.Empty(config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Rules.WhenNoPolicy != policy.Deny {
		t.Errorf("got %v, want Deny", s.Rules.WhenNoPolicy)
	}
}

func TestADocumentReplacesABuiltInRegistry(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "r.yaml"), document(config.KindRegistry, "docker.io", "  endpoint: https://mirror.example.com\n"))
	settings := defaults(t)
	s := mustLoad(t, dir, config.LoadOptions{Settings: settings})
	if len(s.Registries) != 4 {
		t.Errorf("got %d registries, want 4", len(s.Registries))
	}
	settings.KnownRegistries = config.KnownNone
	s = mustLoad(t, dir, config.LoadOptions{Settings: settings})
	if len(s.Registries) != 1 {
		t.Errorf("got %d registries with None, want 1", len(s.Registries))
	}
}

func TestADisabledPolicyIsNoRule(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), integration("team", newKey(t))+"---\n"+imagePolicy("off", "team", "InformAndEnforce")+"  disabled: true\n")
	s := mustLoad(t, dir, config.LoadOptions{Settings: defaults(t)})
	if s.Enforces() || len(s.Rules.Policies) != 0 {
		t.Error("the disabled policy enforces")
	}
	var got []string
	for _, w := range s.Warnings {
		if !w.Warning {
			t.Errorf("%v is no warning", w)
		}
		got = append(got, w.Path)
	}
	if diff := cmp.Diff([]string{"", "metadata.name", "spec.disabled"}, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestNamespaceRemarksArePassedOn(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), integration("team", newKey(t))+"---\n"+
		imagePolicy("in", "team", "Inform")+"  namespaces: {include: [prod], exclude: []}\n---\n"+
		imagePolicy("ex", "team", "Inform")+"  namespaces: {include: [], exclude: [kube-system]}\n")
	s := mustLoad(t, dir, config.LoadOptions{Settings: defaults(t)})
	if len(s.Warnings) != 2 || s.Warnings[0].Line == 0 || s.Warnings[0].Path != "spec.namespaces.include" || s.Warnings[1].Path != "spec.namespaces.exclude" {
		t.Errorf("got %v", s.Warnings)
	}
}

func TestLimits(t *testing.T) {
	big := strings.Repeat("# "+strings.Repeat("x", 98)+"\n", 10_000)
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a file over 1 MiB", map[string]string{"a.yaml": big + big}, "larger than 1 MiB"},
		{"files over 16 MiB together", many(20, big), "more than 16 MiB together"},
		{"more than 10,000 documents", map[string]string{"a.yaml": strings.Repeat("---\na: b\n", 10_001)}, "more than 10000 documents"},
		{"flow lists nested without end", map[string]string{"a.yaml": "a: " + strings.Repeat("[", 1<<19)}, "nest more than 16 deep"},
		{"block lists nested on a line", map[string]string{"a.yaml": strings.Repeat("- ", 1<<18)}, "nest more than 16 deep"},
		{"keys nested by indentation", map[string]string{"a.yaml": stairs(100)}, "nest more than 16 deep"},
		{"more keys than a document has", map[string]string{"a.yaml": strings.Repeat("a: b\n", 5000)}, "more than 4096 keys"},
		{"a bomb of aliases", map[string]string{"a.yaml": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"}, "anchors, aliases and merge keys"},
		{"a merge key", map[string]string{"a.yaml": "<<: {kind: Registry}\n"}, "anchors, aliases and merge keys"},
		{"a tag", map[string]string{"a.yaml": "kind: !!binary aGVsbG8=\n"}, "tags are not read"},
		{"a directive", map[string]string{"a.yaml": "%YAML 1.1\n---\nkind: Registry\n"}, "directives are not read"},
		{"a complex key", map[string]string{"a.yaml": "? [a, b]\n: c\n"}, "not read"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range test.files {
				write(t, filepath.Join(dir, name), text)
			}
			_, err := config.Load(dir, config.LoadOptions{Settings: defaults(t)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %.300v, want %q", err, test.want)
			}
		})
	}
}

func many(n int, text string) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[string(rune('a'+i))+".yaml"] = text
	}
	return files
}

func stairs(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func TestAPipeIsNotRead(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(dir, config.LoadOptions{Settings: defaults(t)})
	if err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v", err)
	}
}

func TestCRLFAndByteOrderMarkDoNotMovePlaces(t *testing.T) {
	dir := t.TempDir()
	text := strings.ReplaceAll("---\n"+imagePolicy("a", "\"nobody\"", "Inform"), "\n", "\r\n")
	write(t, filepath.Join(dir, "a.yaml"), "\xef\xbb\xbf"+text)
	_, err := config.Load(dir, config.LoadOptions{Settings: defaults(t)})
	if err == nil || !strings.HasPrefix(err.Error(), "a.yaml:7:13: spec.signers[0]: ") {
		t.Errorf("got %v", err)
	}
}

func TestPreviousPartsAreTakenOver(t *testing.T) {
	dir := t.TempDir()
	opts := config.LoadOptions{Settings: defaults(t)}
	write(t, filepath.Join(dir, "k.yaml"), integration("same", newKey(t)))
	write(t, filepath.Join(dir, "l.yaml"), integration("other", newKey(t)))
	write(t, filepath.Join(dir, "r.yaml"), document(config.KindRegistry, "registry.acme.com", "  credentials: {usernameFile: user, passwordFile: password}\n  access: Shared\n"))
	write(t, filepath.Join(dir, "user"), "robot")
	write(t, filepath.Join(dir, "password"), "one")
	before := mustLoad(t, dir, opts)

	write(t, filepath.Join(dir, "l.yaml"), integration("other", newKey(t)))
	write(t, filepath.Join(dir, "password"), "two")
	opts.Previous = before
	after := mustLoad(t, dir, opts)

	if before.Integrations["same"] != after.Integrations["same"] || before.Registries["ghcr.io"] != after.Registries["ghcr.io"] {
		t.Error("what did not change was made again")
	}
	if before.Integrations["other"] == after.Integrations["other"] || before.Registries["registry.acme.com"] == after.Registries["registry.acme.com"] {
		t.Error("what changed was kept")
	}
	if before.Revision == after.Revision {
		t.Error("the revision did not change")
	}
}

func TestProblemsOfSettingsAndDocumentsComeTogether(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b.yaml"), imagePolicy("B", "nobody", "Perhaps"))
	write(t, filepath.Join(dir, "a.yaml"), "kind: What\n")
	settings := defaults(t)
	settings.DefaultRegistry = "registry.acme.com"
	_, err := config.Load(dir, config.LoadOptions{Settings: settings})
	problems, ok := errors.AsType[config.Problems](err)
	if !ok || problems.Mistakes() != len(problems) {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.File+" "+p.Path)
	}
	want := []string{
		" VOUCHSAFE_DEFAULT_REGISTRY",
		"a.yaml apiVersion", "a.yaml metadata", "a.yaml spec", "a.yaml kind",
		"b.yaml metadata.name", "b.yaml spec.signers[0]", "b.yaml spec.behavior",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestAnUnreadableFileIsAProblem(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.yaml")
	write(t, name, "kind: Registry\n")
	if err := os.Chmod(name, 0); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(dir, config.LoadOptions{Settings: defaults(t)})
	// Root may read it all the same, and then finds the document incomplete.
	if _, ok := errors.AsType[config.Problems](err); !ok {
		t.Errorf("got %v, want config.Problems", err)
	}
}
