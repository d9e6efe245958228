package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"vouchsafe/inventory"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// used returns metrics of which each vector has a child, so that each family is
// gathered.
func used() *metrics {
	m := newMetrics()
	m.request("manifest", 200, time.Second)
	m.decision("p", policy.Inform, policy.Warn)
	m.verification(verify.Result{Integration: "i", Status: verify.Verified}, time.Second)
	m.upstream("r", 0, time.Second)
	m.cache("hit")
	m.log("rekor.test", "ok")
	m.content("miss")
	m.reload(nil)
	m.retried("r")
	m.corrupt("r")
	m.blob("shared")
	m.connection("registry", 1)
	m.refused("registry", "total")
	m.reverified("i", verify.Verified, verify.Untrusted)
	m.certificateReload(nil)
	m.certificateEnd = time.Now
	m.inventory = func() inventory.Counts { return inventory.Counts{Images: 1, Violations: map[string]int{"p": 1}} }
	m.mirrors = func() []verify.MirrorStatus {
		return []verify.MirrorStatus{{Mirror: "m", Expires: time.Now(), Usable: true}}
	}
	m.review("Allow")
	m.event("written")
	m.cluster.webhookEnd = time.Now
	m.cluster.podsWatched = func() bool { return true }
	m.due, m.lag = func() int { return 1 }, func() time.Duration { return time.Second }
	return m
}

func TestEveryMetricIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	families, err := used().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	registered := map[string]bool{}
	for _, family := range families {
		name := family.GetName()
		if !strings.HasPrefix(name, "vouchsafe_") {
			continue
		}
		registered[name] = true
		row := regexp.MustCompile("(?m)^\\| `" + name + "` .*$").Find(page)
		if row == nil {
			t.Errorf("docs/metrics.md has no line for %s", name)
			continue
		}
		for _, label := range family.GetMetric()[0].GetLabel() {
			if !strings.Contains(string(row), "`"+label.GetName()+"`") {
				t.Errorf("docs/metrics.md does not name label %s of %s", label.GetName(), name)
			}
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(vouchsafe_[a-z_]+)`").FindAllSubmatch(page, -1) {
		if !registered[string(row[1])] {
			t.Errorf("docs/metrics.md describes %s, which does not exist", row[1])
		}
	}
}

func TestMetricsFollowTheConventions(t *testing.T) {
	families, err := used().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
