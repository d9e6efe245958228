package differential_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// pair is an image under a trust, and what was said of it.
type pair struct {
	trust      trust
	evidence   evidence
	repository string

	status, reason, message      string
	cosign2, cosign3, sigstoreGo bool
	said2, said3, saidGo         string
}

// pairs are each fixture under its trust and under each that is wrong in one
// thing, and all that its changes make of it under its own.
func pairs(tb testing.TB) (all []*pair, trusts []trust) {
	tb.Helper()
	var bases []evidence
	for _, f := range families {
		for _, image := range f.images {
			bases = append(bases, load(tb, image))
		}
	}
	add := func(t trust, e evidence) {
		all = append(all, &pair{trust: t, evidence: e, repository: fmt.Sprintf("%s/%04d", t.name, len(all))})
	}
	at := 0
	for _, f := range families {
		right := f.trust(tb, f.name, f.right(tb))
		trusts = append(trusts, right)
		for i := range f.images {
			base := bases[at]
			at++
			add(right, base)
			if i >= f.changed {
				continue
			}
			for _, changed := range changes(tb, base) {
				add(right, changed)
			}
			for _, other := range bases {
				if other.name == "key-log" || other.name == "keyless" || other.name == "b-key" || other.name == "b-keyless" {
					for _, changed := range swaps(tb, base, other) {
						if other.name != base.name {
							add(right, changed)
						}
					}
				}
			}
		}
		for _, part := range f.has {
			wrong := f.trust(tb, f.name+"-wrong-"+part, f.wrong(tb, part))
			trusts = append(trusts, wrong)
			for _, image := range f.images {
				add(wrong, load(tb, image))
			}
		}
	}
	return all, trusts
}

// TestDifferential shows all pairs to the product and to both cosigns.
func TestDifferential(t *testing.T) {
	registry := origin.Referrers(t)
	all, trusts := pairs(t)
	for _, p := range all {
		p.evidence.push(t, registry.Host, p.repository)
	}
	askProduct(t, documents(t, registry.Host, trusts), all)
	askSigstoreGo(t, all)
	askCosign(t, registry.Host, all)

	var golden strings.Builder
	verified, agreed := 0, 0
	for _, p := range all {
		ours := p.status == "Verified"
		name := p.trust.name + " | " + p.evidence.name
		if ours {
			verified++
		}
		if ours == p.cosign2 && ours == p.cosign3 && ours == p.sigstoreGo {
			agreed++
			continue
		}
		why := p.why()
		switch {
		case ours && !p.cosign2 && !p.cosign3 && !p.sigstoreGo:
			t.Errorf("%s: Verified (%s), and all say no:\n%s\n%s\n%s", name, p.message, p.said2, p.said3, p.saidGo)
		case why == "":
			t.Errorf("%s: %s %s (%s), of which no reason is known:\n%s\n%s\n%s", name, p.status, p.reason, p.message, p.said2, p.said3, p.saidGo)
		}
		fmt.Fprintf(&golden, "%s | %s %s | cosign 2 %s, cosign 3 %s, sigstore-go %s | %s\n",
			name, p.status, p.reason, word(p.cosign2), word(p.cosign3), word(p.sigstoreGo), why)
	}
	t.Logf("%d pairs, %d of them Verified, on %d all four agree", len(all), verified, agreed)
	if len(all) < 300 || verified < 50 || len(all)-verified < 200 {
		t.Errorf("%d pairs with %d Verified compare too little", len(all), verified)
	}
	compare(t, filepath.Join("testdata", "disagreements.golden"), golden.String())
}

// reasons are why the product and a cosign may differ: the status of the product,
// what the name of the pair ends with or contains, and the reason.
var reasons = []struct{ status, part, why string }{
	{"Unsigned", "b-att", "an attestation is no signature, whoever signed it; cosign takes any statement about the digest"},
	{"Untrusted", "kindVersion.", "an entry has to be of the kind that it says; cosign reads its body alone"},
	{"Verified", ": certificate of keyless", "the rule's key made the signature; cosign wants a certificate beside it to be of that key too, and sigstore-go knows no such pair"},
	{"Verified", ": chain, byte ", "the chain comes from the rule; cosign reads an annotation that nothing depends on, and sigstore-go has none"},
}

func (p *pair) why() string {
	for _, r := range reasons {
		if r.status == p.status && strings.Contains(p.evidence.name, r.part) {
			return r.why
		}
	}
	return ""
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		check(t, os.WriteFile(path, []byte(got), 0o600))
	}
	if want := string(readFile(t, path)); want != got {
		t.Errorf("%s does not hold these disagreements (UPDATE_GOLDEN=1 writes it):\n%s", path, got)
	}
}

func word(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// askProduct asks `vouchsafe verify` about all pairs at once.
func askProduct(t *testing.T, folder string, all []*pair) {
	t.Helper()
	args := []string{"verify", "--config-dir", folder, "-o", "json"}
	for _, p := range all {
		args = append(args, "docker.io/"+p.repository+"@"+digestOf(p.evidence.image))
	}
	out := command(t, "vouchsafe", args...)
	var complaint strings.Builder
	out.Stderr = &complaint
	said, err := out.Output()
	if _, ended := err.(*exec.ExitError); err != nil && !ended { //nolint:errorlint // Output returns it bare
		t.Fatal(err)
	}
	var answers []struct {
		Image   string
		Results []struct{ Integration, Status, Reason, Message string }
	}
	if err := json.Unmarshal(said, &answers); err != nil || len(answers) != len(all) {
		t.Fatalf("verify printed %d answers to %d questions (%v): %.2000s", len(answers), len(all), err, complaint.String())
	}
	for i, p := range all {
		for _, one := range answers[i].Results {
			if strings.Contains(answers[i].Image, p.repository) && one.Integration == p.trust.name {
				p.status, p.reason, p.message = one.Status, one.Reason, strings.ReplaceAll(one.Message, p.repository, "REPOSITORY")
			}
		}
		if p.status == "" {
			t.Fatalf("answer %d is not about %s: %+v", i, p.repository, answers[i])
		}
	}
}

// askCosign asks both cosigns about each pair, some at a time.
func askCosign(t *testing.T, host string, all []*pair) {
	t.Helper()
	var group sync.WaitGroup
	next := make(chan *pair)
	for range 4 {
		group.Go(func() {
			for p := range next {
				p.cosign2, p.said2 = p.ask(t, host, "cosign2", p.trust.flags...)
				p.cosign3, p.said3 = p.ask(t, host, "cosign3", p.trust.flags...)
				// Cosign takes one kind of time at a time, the product any that proves it.
				if p.trust.anyTime && !p.cosign2 && !p.cosign3 {
					stamps := append(slices.Clone(p.trust.flags), useStamps)
					p.cosign2, p.said2 = p.ask(t, host, "cosign2", stamps...)
					p.cosign3, p.said3 = p.ask(t, host, "cosign3", stamps...)
				}
			}
		})
	}
	for _, p := range all {
		next <- p
	}
	close(next)
	group.Wait()
}

func (p *pair) ask(t *testing.T, host, program string, flags ...string) (yes bool, said string) {
	t.Helper()
	args := append([]string{"verify", "--allow-http-registry", "--offline"}, flags...)
	if program == "cosign2" && p.evidence.bundle != nil {
		args = append(args, "--new-bundle-format")
	}
	out, err := command(t, program, append(args, host+"/"+p.repository+"@"+digestOf(p.evidence.image))...).CombinedOutput()
	return err == nil, string(out)
}

func command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool.Path(program), args...)
	cmd.Env = tool.Environment(os.TempDir())
	return cmd
}
