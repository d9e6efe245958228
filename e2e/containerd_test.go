package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/node"
	"vouchsafe/e2e/internal/origin"
)

// hostsClosed is the hosts.toml that leaves no way round the gateway: whatever the
// host refuses is asked of the server, and both are the gateway.
const hostsClosed = `server = "http://%[1]s"

[host."http://%[1]s"]
  capabilities = ["pull", "resolve"]
`

// hostsOpen is the hosts.toml that people write first: what the gateway refuses, the
// node gets from the registry itself.
const hostsOpen = `server = "http://%[2]s"

[host."http://%[1]s"]
  capabilities = ["pull", "resolve"]
`

// cluster is a registry, a gateway in front of it and a node that pulls.
type cluster struct {
	at     *origin.Registry
	g      *gateway.Gateway
	node   *node.Containerd
	key    *cosign.Key
	layout cosign.Layout
}

func newCluster(t *testing.T, layout cosign.Layout) *cluster {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("containerd needs root")
	}
	at := origin.Distribution(t, origin.NewTokenService(t))
	key := cosign.NewKey(t, layout)
	pause := at.Push(t, "system/pause", "1", "pause")
	g := gateway.Start(t, enforced(t, tokenRegistry(t, at), key))
	n := node.Start(t, g.Host+"/docker.io/"+pause.Repository+":1")
	return &cluster{at: at, g: g, node: n, key: key, layout: layout}
}

// push pushes an index that prints hello, signed with all its images or not.
func (c *cluster) push(t *testing.T, repository string, signed bool) origin.Image {
	t.Helper()
	image := c.at.PushIndex(t, repository, "1", "hello")
	if signed {
		c.key.Sign(t, c.at, image, c.layout)
	}
	return image
}

// checkRuns demands that an image is pulled, and that a container of it runs.
func (c *cluster) checkRuns(t *testing.T, reference string, image origin.Image) {
	t.Helper()
	if err := c.node.Pull(t, reference); err != nil {
		t.Fatalf("pull %s: %v", reference, err)
	}
	output, code := c.node.Run(t, reference)
	if want := "hello from " + image.Salt; code != 0 || !strings.Contains(output, want) {
		t.Errorf("a container of %s: exit %d, printed %q, want exit 0 and %q", reference, code, output, want)
	}
}

// checkRefused demands that an image is refused, that the node shows shown, that
// the node does not have it, and that the audit file has the reason.
func (c *cluster) checkRefused(t *testing.T, reference string, image origin.Image, shown string) {
	t.Helper()
	err := c.node.Pull(t, reference)
	if err == nil {
		t.Fatalf("pull %s succeeds", reference)
	}
	t.Logf("the node shows: %v", err)
	checkShows(t, err.Error(), shown)
	if c.node.Has(t, reference) {
		t.Errorf("%s is on the node", reference)
	}
	pulls := c.g.Pulls(t, image.Repository, image.Digest)
	if len(pulls) == 0 {
		t.Fatalf("the audit file has no record of the refused %s", reference)
	}
	for _, pull := range pulls {
		if pull.Decision.Verdict != "Deny" || !strings.Contains(pull.Message, "refused by policy "+policyName) || !strings.HasPrefix(pull.Client.UserAgent, "containerd/") {
			t.Errorf("the audit record of %s: got %s by %q: %q", reference, pull.Decision.Verdict, pull.Client.UserAgent, pull.Message)
		}
	}
	checkNoContent(t, c.at, image)
}

func TestContainerdPullsThroughTheGateway(t *testing.T) {
	c := newCluster(t, cosign.Layouts()[3])
	forms := []struct {
		name      string
		hosts     bool
		reference func(image origin.Image) string
	}{
		{"path form", false, func(image origin.Image) string { return c.g.Host + "/docker.io/" + image.Repository }},
		{"mirror form", true, func(image origin.Image) string { return "docker.io/" + image.Repository }},
	}
	for i, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			if form.hosts {
				c.node.Hosts(t, "docker.io", fmt.Sprintf(hostsClosed, c.g.Host))
			}
			signed := c.push(t, fmt.Sprintf("library/signed-%d", i), true)
			unsigned := c.push(t, fmt.Sprintf("library/unsigned-%d", i), false)
			byDigest := c.push(t, fmt.Sprintf("acme/signed-%d", i), true)
			c.at.Reset()

			c.checkRuns(t, form.reference(signed)+":1", signed)
			c.checkRuns(t, form.reference(byDigest)+"@"+byDigest.Digest, byDigest)
			c.checkRefused(t, form.reference(unsigned)+":1", unsigned, "403 Forbidden")
			c.checkRefused(t, form.reference(unsigned)+"@"+unsigned.Digest, unsigned, "403 Forbidden")
			checkOnlyGateway(t, c.at)
		})
	}
}

func TestWhatTheNodeHoldsIsStillRefusedUnderAnotherName(t *testing.T) {
	c := newCluster(t, cosign.Layouts()[0])
	c.node.Hosts(t, "docker.io", fmt.Sprintf(hostsClosed, c.g.Host))
	// No policy matches the first name; the node then has all of the content.
	image := c.push(t, "elsewhere/app", false)
	c.checkRuns(t, "docker.io/elsewhere/app:1", image)
	again := c.at.Copy(t, image, "acme/app")
	c.at.Reset()
	c.checkRefused(t, "docker.io/acme/app:1", again, "403 Forbidden")
}

// TestARecordShowsANodeThatGoesRound is the proof that the other tests prove
// something: with the hosts.toml that they do not use, the refused image does
// reach the node, and the registry's record says how.
func TestARecordShowsANodeThatGoesRound(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("containerd needs root")
	}
	at := origin.Distribution(t, nil)
	key := cosign.NewKey(t, cosign.Layouts()[0])
	image := at.PushIndex(t, "acme/unsigned", "1", "hello")
	g := gateway.Start(t, enforced(t, gateway.Registry("docker.io", at.Host), key))
	n := node.Start(t, g.Host+"/docker.io/system/pause:1")
	n.Hosts(t, "docker.io", fmt.Sprintf(hostsOpen, g.Host, at.Host))
	at.Reset()
	if err := n.Pull(t, "docker.io/acme/unsigned:1"); err != nil {
		t.Fatalf("containerd no longer goes round a mirror that refuses: %v", err)
	}
	for _, blob := range image.Blobs {
		requests := at.Requests(blob)
		if len(requests) == 0 || !strings.HasPrefix(requests[0].UserAgent, "containerd/") {
			t.Errorf("the record shows %v for %s, want a request by containerd", requests, blob)
		}
	}
}
