package kubernetes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vouchsafe/e2e/internal/tool"
)

// Answer is what the API server said to one request.
type Answer struct {
	Status int
	Body   []byte
	// Warnings are the texts of the headers Warning, which kubectl prints.
	Warnings []string
	// Took is the time from the request to the end of its answer.
	Took time.Duration
}

// Message is that of the API's Status, of an answer that is one.
func (a Answer) Message() string {
	var status struct{ Message string }
	_ = json.Unmarshal(a.Body, &status) // else there is no message
	return status.Message
}

// Object decodes the answer into a value.
func (a Answer) Object(tb testing.TB, into any) {
	tb.Helper()
	if err := json.Unmarshal(a.Body, into); err != nil {
		tb.Fatalf("the API server's answer is no object: %v\n%s", err, a.Body)
	}
}

// Do sends a request with an object (nil for none) to a path of the API, as an
// administrator. With the method "PATCH" the object is a JSON merge patch, or,
// as a []map[string]any, a JSON patch.
func (c *Cluster) Do(tb testing.TB, method, path string, object any) Answer {
	tb.Helper()
	var body []byte
	if object != nil {
		var err error
		if body, err = json.Marshal(object); err != nil {
			tb.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(tb.Context(), method, apiURL+path, bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
		if _, listed := object.([]map[string]any); listed {
			request.Header.Set("Content-Type", "application/json-patch+json")
		}
	}
	begun := time.Now()
	response, err := c.client.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	answer := Answer{Status: response.StatusCode}
	if answer.Body, err = io.ReadAll(io.LimitReader(response.Body, 16<<20)); err != nil {
		tb.Fatal(err)
	}
	answer.Took = time.Since(begun)
	for _, warning := range response.Header.Values("Warning") {
		answer.Warnings = append(answer.Warnings, warningText(warning))
	}
	return answer
}

// MustDo is [Cluster.Do] for a request that has to succeed.
func (c *Cluster) MustDo(tb testing.TB, method, path string, object any) Answer {
	tb.Helper()
	answer := c.Do(tb, method, path, object)
	if answer.Status >= 300 {
		tb.Fatalf("%s %s: %d %s", method, path, answer.Status, answer.Body)
	}
	return answer
}

// Account returns the configuration of a client that has the rights of a service
// account, as its pods have them.
func (c *Cluster) Account(tb testing.TB, namespace, name string) string {
	tb.Helper()
	var answer struct{ Status struct{ Token string } }
	c.MustDo(tb, http.MethodPost, "/api/v1/namespaces/"+namespace+"/serviceaccounts/"+name+"/token", map[string]any{"spec": map[string]any{}}).
		Object(tb, &answer)
	return File(tb, "kubeconfig", fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: e2e, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: e2e, user: {token: %q}}]
contexts: [{name: e2e, context: {cluster: e2e, user: e2e}}]
current-context: e2e
`, apiURL, c.ca.ca(), answer.Status.Token))
}

// warningText returns the text of a header Warning: 299 - "text", with
// backslashes before quotes and backslashes.
func warningText(header string) string {
	_, text, _ := strings.Cut(header, `"`)
	var b strings.Builder
	escaped := false
	for _, r := range strings.TrimSuffix(text, `"`) {
		if escaped = r == '\\' && !escaped; !escaped {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Namespace makes a namespace with the labels, ready for pods; the end of the
// test deletes it, without waiting for that.
func (c *Cluster) Namespace(tb testing.TB, name string, labels map[string]string) {
	tb.Helper()
	c.MustDo(tb, http.MethodPost, "/api/v1/namespaces", map[string]any{"metadata": map[string]any{"name": name, "labels": labels}})
	// Controllers make it too, some time later.
	account := c.Do(tb, http.MethodPost, "/api/v1/namespaces/"+name+"/serviceaccounts", map[string]any{"metadata": map[string]any{"name": "default"}})
	if account.Status != http.StatusCreated && account.Status != http.StatusConflict {
		tb.Fatalf("make a service account: %d %s", account.Status, account.Body)
	}
	tb.Cleanup(func() { c.Delete("/api/v1/namespaces/" + name) })
}

// Delete deletes what is at a path, if it is there, without waiting for what
// follows from that. It works in cleanups, too.
func (c *Cluster) Delete(path string) {
	request, err := http.NewRequest(http.MethodDelete, apiURL+path+"?gracePeriodSeconds=0", nil) //nolint:noctx // the client has a limit
	if err != nil {
		return
	}
	if response, err := c.client.Do(request); err == nil {
		_ = response.Body.Close()
	}
}

// Kubectl runs kubectl as an administrator and returns what it said.
func (c *Cluster) Kubectl(tb testing.TB, args ...string) tool.Output {
	tb.Helper()
	// A home that stays, since what kubectl learns of the API is kept there.
	return tool.Run(tb, []string{"HOME=" + c.folder, "KUBECONFIG=" + c.Kubeconfig}, program("kubectl"), args...)
}

// MustKubectl is [Cluster.Kubectl] for a command that has to succeed.
func (c *Cluster) MustKubectl(tb testing.TB, args ...string) tool.Output {
	tb.Helper()
	out := c.Kubectl(tb, args...)
	if out.Code != 0 {
		tb.Fatalf("kubectl %s: exit %d\n%s", strings.Join(args, " "), out.Code, out.All())
	}
	return out
}

// Show runs kubectl and returns all that it said, for messages.
func (c *Cluster) Show(args ...string) string {
	cmd := exec.Command(program("kubectl"), args...) //nolint:gosec,noctx // the tests choose the arguments; what is shown ends
	cmd.Env = append(tool.Environment(c.folder), "KUBECONFIG="+c.Kubeconfig)
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = fmt.Append(out, err)
	}
	return string(out)
}

// File writes text into a file of the test and returns its path.
func File(tb testing.TB, name, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Await waits until condition holds, and fails the test with what it waited for
// and with what describe says, when it does not in time.
func Await(tb testing.TB, what string, condition func() bool, describe func() string) {
	tb.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-limit:
			tb.Fatalf("gave up waiting for %s\n%s", what, describe())
		case <-tick.C:
		}
	}
}
