package inventory_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

func remember(t testing.TB, r *inventory.Recorder, request policy.Request, img oci.Image) {
	t.Helper()
	_, err := r.Decide(t.Context(), request, img)
	check(t, err)
}

func TestAnImageIsRememberedWithItsTagsAndClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := inventory.NewMemory(inventory.MemoryConfig{})
		r := inventory.NewRecorder(&fixed{decision: policy.Decision{Verdict: policy.Warn}}, m, nil)
		img := some(t, "a")
		first := time.Now()
		for i := range 20 {
			img.Reference.Tag = fmt.Sprint("v", i)
			request := pull(img)
			request.Client.User = fmt.Sprint("node-", i%10)
			remember(t, r, request, img)
			time.Sleep(time.Second)
		}
		img.Reference.Tag = "v10"
		request := pull(img)
		request.Verb = "HEAD"
		request.Client = policy.Client{IP: "2001:db8::1", UserAgent: strings.Repeat("x", 10_000)}
		remember(t, r, request, img)
		got, found := m.Image(api, img.Reference.Digest)
		if !found || got.SeenCount != 21 || !got.FirstSeen.Equal(first) || !got.LastSeen.Equal(time.Now()) {
			t.Errorf("got %d sights, %v to %v", got.SeenCount, got.FirstSeen, got.LastSeen)
		}
		if len(got.Tags) != inventory.MaxTags || got.Tags[0] != "v10" || got.Tags[1] != "v19" || got.Tags[15] != "v4" {
			t.Errorf("tags %v", got.Tags)
		}
		if len(got.Clients) != inventory.MaxClients || got.Clients[0].Name != "2001:db8::1" || len(got.Clients[0].Agent) != 128 {
			t.Errorf("clients %v", got.Clients)
		}
		if want := (inventory.Client{Name: "node-9", Agent: "containerd/2.1.4"}); got.Clients[1] != want {
			t.Errorf("got %v, want %v", got.Clients[1], want)
		}
		if got.LastVerdict != policy.Warn || got.Kind != oci.KindImage || got.Reference.Tag != "" || got.MediaType != oci.MediaTypeImageManifest {
			t.Errorf("got %+v", got)
		}
	})
}

func TestTheSameTagAndClientAreKeptOnce(t *testing.T) {
	m := inventory.NewMemory(inventory.MemoryConfig{})
	r := inventory.NewRecorder(&fixed{decision: policy.Decision{Verdict: policy.Allow}}, m, nil)
	img := some(t, "a")
	for _, tag := range []string{"a", "b", "a", "", "b", "a"} {
		img.Reference.Tag = tag
		remember(t, r, pull(img), img)
	}
	if got, _ := m.Image(api, img.Reference.Digest); !slices.Equal(got.Tags, []string{"a", "b"}) || len(got.Clients) != 1 {
		t.Errorf("tags %v, clients %v", got.Tags, got.Clients)
	}
}

func TestAFullMemoryDropsWhatWasSeenOnceFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := inventory.NewMemory(inventory.MemoryConfig{Images: 100})
		r := inventory.NewRecorder(&fixed{decision: policy.Decision{
			Verdict: policy.Warn, Policies: []policy.Outcome{{Name: "prod-signed", Violated: true}},
		}}, m, nil)
		used := make([]oci.Image, 50)
		for i := range used {
			used[i] = some(t, fmt.Sprint("used", i))
			remember(t, r, pull(used[i]), used[i])
		}
		time.Sleep(time.Minute)
		for _, img := range used {
			remember(t, r, pull(img), img)
		}
		for i := range 1000 {
			img := some(t, fmt.Sprint("flood", i))
			remember(t, r, pull(img), img)
			img.Reference.Tag = "again"
			remember(t, r, pull(img), img)
		}
		counts := m.Counts()
		if left := remembered(m, used); left != 50 || counts.Images != 75 || counts.Evicted != 975 {
			t.Errorf("%d of 50 images in use are left, %d images, %d evicted", left, counts.Images, counts.Evicted)
		}
		if n := counts.Violations["prod-signed"]; n != 75 || len(m.Violations()) != 75 {
			t.Errorf("%d open violations of 75 images", n)
		}
		seen := 0
		for range m.Images {
			seen++
		}
		if seen != 75 {
			t.Errorf("listed %d", seen)
		}
	})
}

// remembered counts those of images that m remembers.
func remembered(m *inventory.Memory, images []oci.Image) int {
	n := 0
	for _, img := range images {
		if _, found := m.Image(img.Reference.Repository, img.Reference.Digest); found {
			n++
		}
	}
	return n
}

// The images in use were seen once, the refused ones often and over minutes.
func TestRefusedImagesDriveOutNoImageThatWasServedOnce(t *testing.T) {
	for name, test := range map[string]struct{ served, flood, rounds int }{
		"a hundred thousand refused images":               {1000, 100_000, 1},
		"refused images that are asked for over and over": {1000, 10_000, 5},
		"the memory is full of served images":             {7500, 20_000, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := &fixed{decision: policy.Decision{Verdict: policy.Allow}}
				m := inventory.NewMemory(inventory.MemoryConfig{Images: 10_000})
				r := inventory.NewRecorder(next, m, nil)
				img := some(t, "a")
				served := make([]oci.Image, test.served)
				for i := range served {
					served[i] = img
					served[i].Reference.Digest = digest(fmt.Sprint("served", i))
					remember(t, r, pull(img), served[i])
				}
				next.decision.Verdict = policy.Deny
				for range test.rounds {
					for i := range test.flood {
						img.Reference.Digest = digest(fmt.Sprint("flood", i))
						remember(t, r, pull(img), img)
					}
					time.Sleep(time.Minute)
				}
				if left := remembered(m, served); left != test.served || m.Counts().Images != 10_000 {
					t.Errorf("%d of %d served images are left, %d images", left, test.served, m.Counts().Images)
				}
			})
		})
	}
}

// racing lets other images in before it answers.
type racing struct {
	fixed
	meanwhile func()
}

func (r *racing) Decide(ctx context.Context, q policy.Request, img oci.Image) (policy.Decision, error) {
	if meanwhile := r.meanwhile; meanwhile != nil {
		r.meanwhile = nil
		meanwhile()
	}
	return r.fixed.Decide(ctx, q, img)
}

func TestAnImageThatIsDrivenOutWhileItIsDecidedIsRememberedWhenItIsServed(t *testing.T) {
	for verdict, want := range map[policy.Verdict]int{policy.Allow: 1, policy.Deny: 0} {
		m := inventory.NewMemory(inventory.MemoryConfig{Images: 100})
		next := &racing{}
		r := inventory.NewRecorder(next, m, nil)
		img := some(t, "a")
		next.meanwhile = func() {
			for i := range 1000 {
				next.decision.Verdict = policy.Deny
				other := some(t, fmt.Sprint("flood", i))
				remember(t, r, pull(other), other)
			}
			next.decision.Verdict = verdict
		}
		remember(t, r, pull(img), img)
		if got := remembered(m, []oci.Image{img}); got != want {
			t.Errorf("%v: remembered %d times, want %d", verdict, got, want)
		}
		if m.Counts().Images != 100 {
			t.Errorf("%v: %d images", verdict, m.Counts().Images)
		}
	}
}

func TestViolationsOpenAndResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &fixed{}
		m := inventory.NewMemory(inventory.MemoryConfig{})
		r := inventory.NewRecorder(next, m, nil)
		img := some(t, "a")
		opened := time.Now()
		for _, step := range []struct {
			name           string
			outcomes       []policy.Outcome
			open, resolved int
		}{
			{"violated", []policy.Outcome{{Name: "p", Violated: true, Behavior: policy.Inform, Verdict: policy.Warn}, {Name: "q", Satisfied: true}}, 1, 0},
			{"still violated", []policy.Outcome{{Name: "p", Violated: true, Behavior: policy.Inform, Verdict: policy.Warn}, {Name: "q"}}, 1, 0},
			{"what could not be found out resolves nothing", []policy.Outcome{{Name: "p"}, {Name: "q"}}, 1, 0},
			{"satisfied", []policy.Outcome{{Name: "p", Satisfied: true}, {Name: "q", Violated: true}}, 1, 1},
			{"the policy is gone", nil, 0, 2},
			{"violated anew", []policy.Outcome{{Name: "p", Violated: true}}, 1, 2},
		} {
			next.decision = policy.Decision{Verdict: policy.Warn, Policies: step.outcomes, Reasons: []string{"UNSIGNED"}}
			remember(t, r, pull(img), img)
			if c := m.Counts(); c.Violations["p"]+c.Violations["q"] != step.open || c.Resolved != step.resolved {
				t.Errorf("%s: got %v open, %d resolved", step.name, c.Violations, c.Resolved)
			}
			time.Sleep(time.Minute)
		}
		all := m.Violations()
		at := slices.IndexFunc(all, func(v inventory.Violation) bool { return v.Policy == "p" && !v.Resolved.IsZero() })
		v := all[at]
		if !v.Opened.Equal(opened) || !v.LastSeen.Equal(opened.Add(time.Minute)) || !v.Resolved.Equal(opened.Add(3*time.Minute)) ||
			v.Behavior != policy.Inform || !slices.Equal(v.Reasons, []string{"UNSIGNED"}) || v.Image.Digest != img.Reference.Digest {
			t.Errorf("got %+v", v)
		}
	})
}

func TestResolvedViolationsAreBounded(t *testing.T) {
	next := &fixed{}
	m := inventory.NewMemory(inventory.MemoryConfig{})
	r := inventory.NewRecorder(next, m, nil)
	img := some(t, "a")
	for i := range inventory.MaxResolved + 10 {
		next.decision = policy.Decision{Verdict: policy.Warn, Policies: []policy.Outcome{{Name: fmt.Sprint(i), Violated: true}}}
		remember(t, r, pull(img), img)
	}
	if c := m.Counts(); c.Resolved != inventory.MaxResolved {
		t.Errorf("%d are kept", c.Resolved)
	}
	for _, v := range m.Violations() {
		if v.Policy == "8" {
			t.Error("the oldest is still there")
		}
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	b := newBench(t, inventory.ReverifyConfig{Interval: 100 * time.Millisecond}, []*policy.Policy{newPolicy(t, "p", "**", in)}, in)
	defer b.stop()
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := range 200 {
				img := some(t, fmt.Sprint(i%50))
				img.Reference.Tag = fmt.Sprint("v", (worker+i)%20)
				remember(t, b.recorder, pull(img), img)
				if i%50 == 0 {
					b.rules.set([]*policy.Policy{newPolicy(t, "p", "**", in)}, in)
					m := b.memory
					m.Images(func(inventory.Image) bool { return true })
					m.Violations()
					m.Counts()
					b.again.Due()
				}
			}
		})
	}
	wait.Wait()
	if c := b.memory.Counts(); c.Images != 50 || c.Violations["p"] != 50 {
		t.Errorf("got %+v", c)
	}
}

// TestMemoryOfAnImage measures what DefaultImages cost, with two integrations.
func TestMemoryOfAnImage(t *testing.T) {
	const images, most = 20_000, 4_000
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	next := &fixed{}
	ins := []*verify.Integration{newIntegration(t, "release-team", nil), newIntegration(t, "spare", nil)}
	m := inventory.NewMemory(inventory.MemoryConfig{})
	inventory.NewReverifier(m, nil, nil, inventory.ReverifyConfig{Rules: func() policy.Rules { return policy.Rules{Integrations: ins} }})
	r := inventory.NewRecorder(next, m, nil)
	img := some(t, "a")
	before := heap()
	for i := range images {
		img.Reference = oci.Reference{
			Repository: oci.Repository{Registry: "registry.acme.com", Path: fmt.Sprintf("team-%d/service-%d", i%40, i%900)},
			Tag:        fmt.Sprint("v1.2.", i), Digest: digest(fmt.Sprint(i)),
		}
		next.decision = policy.Decision{Verdict: policy.Warn, Policies: []policy.Outcome{{Name: "prod-signed", Violated: true}}}
		for _, in := range ins {
			next.decision.Results = append(next.decision.Results, verify.Result{
				Integration: in.Name(), Revision: in.Revision(), Status: verify.Unsigned,
				Message: fmt.Sprintf("no signature found in %s (asked: %s)", img.Reference, strings.Repeat("x", 200)),
			})
		}
		remember(t, r, pull(img), img)
	}
	each := (heap() - before) / images
	t.Logf("%d bytes an image with two integrations and an open violation", each)
	if each > most {
		t.Errorf("%d bytes an image, want at most %d", each, most)
	}
	runtime.KeepAlive(m)
}
