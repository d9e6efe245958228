package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/origin"
)

const (
	// effective is how soon a change on disk has to be in force.
	effective = 2 * time.Second
	// enough is how many answers are wanted of the time when a change has to be
	// in force.
	enough = 1000
	// clients is how many ask at once.
	clients = 16
)

// pulled is an answer and the image that it was about.
type pulled struct {
	gateway.Answer
	image int
}

// load asks for images, again and again, from many clients at once.
type load struct {
	g      *gateway.Gateway
	images []origin.Image
	end    chan struct{}
	done   sync.WaitGroup

	mu      sync.Mutex // guards answers and errors
	answers []pulled
	errors  []error
}

func startLoad(t *testing.T, g *gateway.Gateway, images []origin.Image) *load {
	t.Helper()
	l := &load{g: g, images: images, end: make(chan struct{})}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	for n := range clients {
		l.done.Go(func() { l.pull(client, n) })
	}
	t.Cleanup(func() {
		l.stop()
		client.CloseIdleConnections()
	})
	return l
}

// pull asks by tag and by digest, with GET and with HEAD, until the load ends.
func (l *load) pull(client *http.Client, n int) {
	methods := []string{http.MethodGet, http.MethodHead}
	for ; ; n++ {
		select {
		case <-l.end:
			return
		default:
		}
		image := n % len(l.images)
		of := l.images[image]
		reference := []string{of.Tag, of.Digest}[n/2%2]
		answer, err := l.g.Manifest(client, methods[n%2], "docker.io/"+of.Repository, reference)
		l.mu.Lock()
		if err != nil {
			l.errors = append(l.errors, err)
		} else {
			l.answers = append(l.answers, pulled{answer, image})
		}
		l.mu.Unlock()
	}
}

// since returns the answers that were asked for after a moment.
func (l *load) since(moment time.Time) []pulled {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.answers), func(a pulled) bool { return !a.Asked.After(moment) })
}

func (l *load) stop() {
	select {
	case <-l.end:
	default:
		close(l.end)
	}
	l.done.Wait()
}

// phase is a time between two changes of the documents.
type phase struct {
	name string
	// file and text are the change that begins it.
	file, text string
	// statuses are what each image has to be answered with once it is in force.
	statuses []int
	// changed is when the change was on disk, over when the next one was begun.
	changed, over time.Time
	// revision is what answers of that time carry.
	revision string
}

func TestAChangeUnderLoadIsInForceWithinTwoSeconds(t *testing.T) {
	at := origin.Distribution(t, nil)
	layouts := cosign.Layouts()
	first, second := cosign.NewKey(t, layouts[0]), cosign.NewKey(t, layouts[3])
	images := []origin.Image{
		at.Push(t, "acme/by-first", "1"),
		at.Push(t, "acme/by-second", "1"),
		at.Push(t, "acme/unsigned", "1"),
	}
	first.Sign(t, at, images[0], layouts[0])
	second.Sign(t, at, images[1], layouts[3])
	phases := []*phase{
		{name: "inform", file: "policy.yaml", text: policy("Inform"), statuses: []int{200, 200, 200}},
		{name: "enforce", file: "policy.yaml", text: policy("InformAndEnforce"), statuses: []int{200, 403, 403}},
		{name: "another key", file: "integration.yaml", text: gateway.Integration(signerName, second.PEM(t)), statuses: []int{403, 200, 403}},
		{name: "both keys", file: "integration.yaml", text: gateway.Integration(signerName, first.PEM(t), second.PEM(t)), statuses: []int{200, 200, 403}},
		{name: "inform again", file: "policy.yaml", text: policy("Inform"), statuses: []int{200, 200, 200}},
	}
	documents := enforced(t, gateway.Registry("docker.io", at.Host), first)
	documents[phases[0].file] = phases[0].text
	g := gateway.Start(t, documents)
	phases[0].changed = time.Now().Add(-effective)

	l := startLoad(t, g, images)
	for i, p := range phases {
		if i > 0 {
			phases[i-1].over = time.Now()
			g.Write(t, p.file, p.text)
			p.changed = time.Now()
		}
		g.Await(t, "answers after the change to "+p.name, func() bool {
			return len(l.since(p.changed.Add(effective))) >= enough
		})
	}
	l.stop()
	phases[len(phases)-1].over = time.Now()
	for _, err := range l.errors {
		t.Errorf("a request failed: %v", err)
	}
	checkPhases(t, g, l.answers, phases)
}

// checkPhases demands of every answer that the audit file says the same, that
// its status is that of the revision it was decided under, and that its revision
// is the one that has to be in force.
func checkPhases(t *testing.T, g *gateway.Gateway, answers []pulled, phases []*phase) {
	t.Helper()
	records := map[string][]gateway.Record{}
	for _, record := range g.Audit(t) {
		records[record.ID] = append(records[record.ID], record)
	}
	revision := func(a pulled) string {
		if found := records[a.Decision]; len(found) == 1 && found[0].Status == a.Status && found[0].Decision.Verdict == a.Verdict {
			return found[0].Revision
		}
		t.Fatalf("decision %q of an answer %d %s has the audit records %+v, want one that says the same", a.Decision, a.Status, a.Verdict, records[a.Decision])
		return ""
	}
	byRevision := map[string]*phase{}
	for _, p := range phases {
		p.revision = revisionInForce(t, p, answers, revision)
		if known := byRevision[p.revision]; known != nil && known.text != p.text {
			t.Errorf("%q and %q have the same revision %s", known.name, p.name, p.revision)
		}
		byRevision[p.revision] = p
	}
	for _, a := range answers {
		p := byRevision[revision(a)]
		if p == nil {
			t.Errorf("an answer carries the revision %s, which no phase has", revision(a))
		} else if a.Status != p.statuses[a.image] {
			t.Errorf("image %d was answered with %d under the revision of %q, want %d", a.image, a.Status, p.name, p.statuses[a.image])
		}
	}
	for i := 1; i < len(phases); i++ {
		checkNoWayBack(t, phases[i-1], phases[i], answers, revision)
	}
}

// revisionInForce returns the one revision that all answers of the time have,
// from the moment that the change has to be in force to the next change.
func revisionInForce(t *testing.T, p *phase, answers []pulled, revision func(pulled) string) string {
	t.Helper()
	counts := map[string]int{}
	for _, a := range answers {
		if a.Asked.After(p.changed.Add(effective)) && a.Done.Before(p.over) {
			counts[revision(a)]++
		}
	}
	if len(counts) != 1 {
		t.Fatalf("%s after the change to %q the answers carry the revisions %v, want one", effective, p.name, counts)
	}
	for found, n := range counts {
		t.Logf("%q: %d answers, all under %s", p.name, n, found)
		return found
	}
	return ""
}

// checkNoWayBack demands that once an answer carried the new revision, no
// request that was made after it is answered under the old one.
func checkNoWayBack(t *testing.T, before, after *phase, answers []pulled, revision func(pulled) string) {
	t.Helper()
	var first time.Time
	for _, a := range answers {
		if a.Asked.After(before.over) && revision(a) == after.revision && (first.IsZero() || a.Done.Before(first)) {
			first = a.Done
		}
	}
	t.Logf("%q: in force %s after the change", after.name, first.Sub(after.changed).Round(time.Millisecond))
	for _, a := range answers {
		if a.Asked.After(first) && a.Done.Before(after.over) && revision(a) == before.revision {
			t.Errorf("an answer carries the revision of %q %s after one of %q was there", before.name, a.Asked.Sub(first), after.name)
		}
	}
}

func TestABrokenChangeLeavesTheLastGoodDocumentsInForce(t *testing.T) {
	at, document := upstreams[0].open(t)
	image := at.Push(t, "acme/unsigned", "1")
	g := gateway.Start(t, enforced(t, document, cosign.NewKey(t, cosign.Layouts()[0])))
	before := ask(t, g, "docker.io/acme/unsigned", "1")
	if before.Status != http.StatusForbidden {
		t.Fatalf("an unsigned image: got %d, want 403", before.Status)
	}

	g.Write(t, "policy.yaml", strings.Replace(policy("Inform"), "behavior: Inform", "behavior: Infrom", 1))
	g.Await(t, "the bad reload to be counted", func() bool { return lastReload(t, g) == "0" })
	if answer := ask(t, g, "docker.io/acme/unsigned", "1"); answer.Status != http.StatusForbidden {
		t.Errorf("after a broken change: got %d, want 403", answer.Status)
	}
	if !g.Ready() {
		t.Error("after a broken change the gateway is not ready")
	}
	checkShows(t, g.Log(), "Infrom")
	revisions := map[string]bool{}
	for _, pull := range g.Pulls(t, image.Repository, image.Digest) {
		revisions[pull.Revision] = true
	}
	if len(revisions) != 1 {
		t.Errorf("the pulls before and after were decided under the revisions %v, want one", revisions)
	}

	g.Write(t, "policy.yaml", policy("Inform"))
	g.Await(t, "the good reload to be counted", func() bool { return lastReload(t, g) == "1" })
	if answer := ask(t, g, "docker.io/acme/unsigned", "1"); answer.Status != http.StatusOK || answer.Verdict != "Warn" {
		t.Errorf("after the change was repaired: got %d %s, want 200 Warn", answer.Status, answer.Verdict)
	}
}

// lastReload is the metric that says whether the last reload was good.
func lastReload(t *testing.T, g *gateway.Gateway) string {
	t.Helper()
	const name = "vouchsafe_configuration_last_reload_successful "
	for line := range strings.Lines(g.Metrics(t)) {
		if strings.HasPrefix(line, name) {
			return strings.TrimSpace(strings.TrimPrefix(line, name))
		}
	}
	t.Fatalf("no metric %s", name)
	return ""
}
