package sigstore_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// testOffline watches from outside, by its system calls, to whom the program
// connects: with "offline: true" to the registry alone, whatever signs. The log is
// up and would answer.
func (g *gallery) testOffline(t *testing.T) {
	registry := []string{g.at.Host}
	t.Run("all forms", func(t *testing.T) {
		rows := g.rightRows(t)
		rows = append(rows, row{
			name: "an entry that is not attached", image: "key stripped", reason: "TLOG_MISSING",
			spec: with(keys(g.one.Public), rooted(), logged()),
		})
		g.checkConnects(t, rows, registry)
	})
	t.Run("a log that is asked is seen", func(t *testing.T) {
		asked := object{"transparencyLog": object{"enabled": true, "offline": false, "url": g.RekorURL, "publicKey": g.RekorKey(t)}}
		g.checkConnects(t, []row{{image: "key stripped", spec: with(keys(g.one.Public), asked), signer: "key-1"}},
			append(registry, strings.TrimPrefix(g.RekorURL, "http://")))
	})
}

// checkConnects has one gateway serve the rows' images, each under its own rule,
// and "verify" judge them, and demands that both connect to want and nobody else.
func (g *gallery) checkConnects(t *testing.T, rows []row, want []string) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is needed to see whom the program connects to; make packages installs it")
	}
	documents, images := g.together(t, rows)
	serving := g.serve(t, documents)
	var names []string
	got := connects(t, serving, strace, func() {
		for _, image := range images {
			answer, err := serving.Manifest(http.DefaultClient, http.MethodGet, "docker.io/"+image.Repository, image.Digest)
			if err != nil || answer.Status != image.status {
				t.Errorf("the pull of %s got %d (%s), want %d: %v", image.Repository, answer.Status, answer.Message, image.status, err)
			}
			names = append(names, "docker.io/"+image.Repository+"@"+image.Digest)
		}
	})
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the gateway connected to %q, want %q", got, want)
	}
	traced := filepath.Join(t.TempDir(), "trace")
	out := tool.Run(t, nil, strace, append([]string{
		"-f", "-q", "-e", "trace=connect", "-e", "signal=none", "-o", traced,
		tool.Path("vouchsafe"), "verify", "--config-dir", serving.ConfigDir,
	}, names...)...)
	if out.Code != 0 && out.Code != 1 {
		t.Errorf("verify ended with %d", out.Code)
	}
	text, err := os.ReadFile(traced)
	if err != nil {
		t.Fatal(err)
	}
	if got := addresses(string(text)); !slices.Equal(got, want) {
		t.Errorf("verify connected to %q, want %q", got, want)
	}
}

// together are documents that hold each row's rule for its image, and what a pull
// of each image is answered with: all rules of one image have to be satisfied.
func (g *gallery) together(t *testing.T, rows []row) (map[string]string, []*wanted) {
	t.Helper()
	documents := map[string]string{"registry.yaml": gateway.Registry("docker.io", g.at.Host), rootFile: g.root}
	images := map[string]*wanted{}
	for i, one := range rows {
		name := fmt.Sprintf("signers-%d", i)
		text, err := json.Marshal(object{
			"apiVersion": "vouchsafe.dev/v1alpha1", "kind": "SignatureIntegration", "metadata": object{"name": name}, "spec": one.spec,
		})
		if err != nil {
			t.Fatal(err)
		}
		image := g.image(t, one.image)
		documents[name+".yaml"] = string(text)
		documents["of-"+name+".yaml"] = gateway.Policy("of-"+name, "InformAndEnforce", strconv.Quote("docker.io/"+image.Repository), []string{name})
		status, _ := one.pulled()
		if images[one.image] == nil {
			images[one.image] = &wanted{Image: image}
		}
		images[one.image].status = max(status, images[one.image].status)
	}
	return documents, slices.Collect(maps.Values(images))
}

// wanted is an image, and what its pull is answered with.
type wanted struct {
	origin.Image
	status int
}

// connects attaches strace to a gateway while it does what do asks of it, and
// returns the addresses that it connected to, sorted.
func connects(t *testing.T, serving *gateway.Gateway, strace string, do func()) []string {
	t.Helper()
	traced := filepath.Join(t.TempDir(), "trace")
	said := filepath.Join(t.TempDir(), "said")
	stderr, err := os.Create(said)
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	watch := exec.Command(strace, "-f", "-e", "trace=connect", "-e", "signal=none", "-o", traced, "-p", strconv.Itoa(serving.PID()))
	watch.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	watch.Stderr = stderr
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	serving.Await(t, "strace is attached", func() bool {
		text, err := os.ReadFile(said)
		return err == nil && strings.Contains(string(text), "attached")
	})
	do()
	if err := watch.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = watch.Wait()
	text, err := os.ReadFile(traced)
	if err != nil {
		t.Fatal(err)
	}
	return addresses(string(text))
}

// connected is how strace writes an address; what is not IPv4 is taken as it
// stands.
var connected = regexp.MustCompile(`connect\(\d+, (?:\{sa_family=AF_INET, sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)\}|(\{[^}]*\}))`)

// addresses returns what a trace says was connected to, sorted.
func addresses(trace string) []string {
	found := map[string]bool{}
	for _, call := range connected.FindAllStringSubmatch(trace, -1) {
		if call[3] != "" {
			found[call[3]] = true
			continue
		}
		found[call[2]+":"+call[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}
