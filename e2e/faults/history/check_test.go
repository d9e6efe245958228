package history_test

import (
	"slices"
	"testing"
	"time"

	"vouchsafe/e2e/faults/history"
)

const (
	cell     = "F0/cold/tag/enforce"
	app      = "registry.test/enforce/app"
	good     = "sha256:aa"
	bad      = "sha256:bb"
	badLayer = "sha256:bc"
	registry = "127.0.0.2:5000"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

// served is a manifest that was let through; its record is in [sound].
func served() history.Exchange {
	return history.Exchange{
		Cell: cell, Phase: history.During, Method: "GET", Content: history.Manifest, Repository: app, Reference: "v1",
		Asked: at(1), Answered: at(1.1), Done: at(1.2), Status: 200, Clean: true, Hash: good, Digest: good,
		Decision: "D1", Verdict: "Allow", AuditSeen: 100, Want: []int{200}, Normal: 200,
	}
}

// refused is a manifest that was denied.
func refused() history.Exchange {
	return history.Exchange{
		Cell: cell, Phase: history.During, Method: "GET", Content: history.Manifest, Repository: app, Reference: "bad",
		Asked: at(2), Answered: at(2.1), Done: at(2.2), Status: 403, Clean: true, Code: "DENIED",
		Decision: "D2", Verdict: "Deny", AuditSeen: 200, Want: []int{403}, Normal: 403,
	}
}

// trouble is an answer about a registry that is away.
func trouble(status int) history.Exchange {
	return history.Exchange{
		Cell: cell, Phase: history.During, Method: "GET", Content: history.Manifest, Repository: app, Reference: "v2",
		Asked: at(3), Answered: at(3.1), Done: at(3.2), Status: status, Clean: true, Code: "UNAVAILABLE",
		RetryAfter: "5", Want: []int{status}, Normal: 200,
	}
}

// layer is a blob of the denied image.
func layer(status int) history.Exchange {
	return history.Exchange{
		Cell: cell, Phase: history.During, Method: "GET", Content: history.Blob, Repository: app, Reference: badLayer,
		Asked: at(4), Answered: at(4.1), Done: at(4.2), Status: status, Clean: true, Hash: badLayer, Normal: status,
	}
}

// again is the pull after the fault.
func again() history.Exchange {
	x := served()
	x.Phase, x.Asked, x.Answered, x.Done = history.After, at(8), at(8.1), at(8.2)
	return x
}

// sound is a history in which every promise was kept.
func sound() history.History {
	return history.History{
		World: history.World{
			Enforced: map[string]bool{app: true},
			Trusted:  map[string]map[string]bool{app: {good: true}},
			Listing:  map[string]map[string][]string{app: {badLayer: {bad}}},
			Secrets:  []history.Secret{{Value: "hunter2", Hosts: []string{registry}}},
			Limits:   history.Limits{RSSBytes: 100, Descriptors: 10, Goroutines: 10, DescriptorSlack: 2, GoroutineSlack: 2},
			Once:     map[string]bool{registry + "/v2/enforce/app/manifests/v1": true},
		},
		Exchanges: []history.Exchange{served(), refused(), trouble(502), trouble(503), again()},
		Contacts: []history.Contact{
			{Cell: cell, At: at(1), Host: registry, Method: "GET", Path: "/v2/enforce/app/manifests/v1", Seen: "cell:hunter2", Status: 200},
		},
		Records: []history.Record{
			{ID: "C1", Kind: "configuration", Revision: "r1", End: 10},
			{ID: "D1", Kind: "pull", Origin: app, Digest: good, Verdict: "Allow", Revision: "r1", Status: 200, End: 100},
			{ID: "D2", Kind: "pull", Origin: app, Digest: bad, Verdict: "Deny", Revision: "r1", Status: 403, End: 200},
		},
		Revisions: []history.Revision{{ID: "r1", Since: start}},
		Faults:    []history.Fault{{Cell: cell, Began: at(0.5), Ended: at(5)}},
		Samples: []history.Sample{
			{At: at(0), RSSBytes: 50, Descriptors: 5, Goroutines: 5, AtRest: true},
			{At: at(4), RSSBytes: 99, Descriptors: 9, Goroutines: 9},
			{At: at(9), RSSBytes: 60, Descriptors: 6, Goroutines: 6, AtRest: true},
		},
		Outputs: []history.Output{{Name: "the log", Text: "all is well"}},
	}
}

func TestASoundHistoryHasNoViolation(t *testing.T) {
	for _, v := range history.Check(sound()) {
		t.Error(v)
	}
}

// change alters one exchange of a history.
func change(i int, f func(x *history.Exchange)) func(h *history.History) {
	return func(h *history.History) { f(&h.Exchanges[i]) }
}

func add(x history.Exchange) func(h *history.History) {
	return func(h *history.History) { h.Exchanges = append(h.Exchanges, x) }
}

func TestEachBrokenPromiseIsSeen(t *testing.T) {
	for _, tt := range []struct {
		name, invariant string
		spoil           func(h *history.History)
	}{
		{"other bytes than the header says", "I1", change(0, func(x *history.Exchange) { x.Hash = bad })},
		{"other bytes than were asked for", "I1", change(0, func(x *history.Exchange) { x.Reference, x.Hash, x.Digest = good, bad, good })},
		{"another digest in the header than was asked for", "I1", change(0, func(x *history.Exchange) { x.Reference, x.Digest = bad, good })},
		{"no digest in the header", "I1", change(0, func(x *history.Exchange) { x.Digest = "" })},
		{"a blob with other bytes", "I1", add(func() history.Exchange { x := layer(200); x.Repository, x.Hash = "other/app", good; return x }())},
		{"an image that nobody vouched for is served", "I2", change(0, func(x *history.Exchange) { x.Hash, x.Digest = bad, bad })},
		{"a HEAD for one is answered", "I2", change(0, func(x *history.Exchange) { x.Method, x.Hash, x.Digest = "HEAD", "", bad })},
		{"its bytes begin to be served and break off", "I2", change(0, func(x *history.Exchange) { x.Hash, x.Digest, x.Clean, x.Broken = bad, bad, false, true })},
		{"it is served as a warning", "I2", change(0, func(x *history.Exchange) { x.Verdict = "Warn" })},
		{"a blob of a denied image is served", "I2", add(layer(200))},
		{"a decision under a configuration that was replaced", "I2", func(h *history.History) {
			h.Revisions = append(h.Revisions, history.Revision{ID: "r2", Since: at(0.5)})
		}},
		{"no answer", "I3", change(2, func(x *history.Exchange) { x.Status = 0 })},
		{"a status that is not of the contract", "I3", change(2, func(x *history.Exchange) { x.Status, x.Want = 500, nil })},
		{"a status that the oracle does not allow", "I3", change(2, func(x *history.Exchange) { x.Want = []int{200} })},
		{"busy without Retry-After", "I3", change(3, func(x *history.Exchange) { x.RetryAfter = "" })},
		{"busy with a Retry-After that is none", "I3", change(3, func(x *history.Exchange) { x.RetryAfter = "soon" })},
		{"a 404 that the upstream never said", "I3", add(trouble(404))},
		{"a 404 that the upstream said about something else", "I3", func(h *history.History) {
			h.Exchanges = append(h.Exchanges, trouble(404))
			h.Contacts = append(h.Contacts, history.Contact{Cell: cell, At: at(3), Host: registry, Method: "GET", Path: "/v2/enforce/app/manifests/v3", Status: 404})
		}},
		{"a 404 that the upstream said afterwards", "I3", func(h *history.History) {
			h.Exchanges = append(h.Exchanges, trouble(404))
			h.Contacts = append(h.Contacts, history.Contact{Cell: cell, At: at(9), Host: registry, Method: "GET", Path: "/v2/enforce/app/manifests/v2", Status: 404})
		}},
		{"a refusal without an error of the specification", "I3", change(2, func(x *history.Exchange) { x.Code = "" })},
		{"a refusal that breaks off", "I3", change(2, func(x *history.Exchange) { x.Clean = false })},
		{"a body that breaks off without a reason", "I3", change(0, func(x *history.Exchange) { x.Clean = false })},
		{"a denial without a decision", "I3", change(1, func(x *history.Exchange) { x.Decision = "" })},
		{"a denial by a decision to allow", "I3", change(1, func(x *history.Exchange) { x.Decision = "D1" })},
		{"a denial of what is trusted", "I3", func(h *history.History) { h.Records[2].Digest = good }},
		{"a decision without a record", "I4", func(h *history.History) { h.Records = h.Records[:2] }},
		{"a record behind the answer", "I4", change(0, func(x *history.Exchange) { x.AuditSeen = 99 })},
		{"a record about another repository", "I4", func(h *history.History) { h.Records[1].Origin = "other/app" }},
		{"a record about another digest", "I4", func(h *history.History) { h.Records[1].Digest = bad }},
		{"a record that says otherwise", "I4", func(h *history.History) { h.Records[1].Verdict = "Deny" }},
		{"an answer that names no decision", "I4", change(0, func(x *history.Exchange) { x.Decision = "" })},
		{"served while nothing can be recorded", "I4", func(h *history.History) { h.World.SinkFails = true }},
		{"a denied blob without a record", "I4", add(func() history.Exchange { x := layer(403); x.Code, x.Decision = "DENIED", "D3"; return x }())},
		{"too much memory", "I5", func(h *history.History) { h.Samples[1].RSSBytes = 101 }},
		{"too many descriptors", "I5", func(h *history.History) { h.Samples[1].Descriptors = 11 }},
		{"too many goroutines", "I5", func(h *history.History) { h.Samples[1].Goroutines = 11 }},
		{"descriptors that stay", "I5", func(h *history.History) { h.Samples[2].Descriptors = 8 }},
		{"goroutines that stay", "I5", func(h *history.History) { h.Samples[2].Goroutines = 8 }},
		{"normal too late", "I6", change(4, func(x *history.Exchange) { x.Done = at(15.1) })},
		{"never normal", "I6", change(4, func(x *history.Exchange) { x.Status, x.Want, x.Code = 502, nil, "UNAVAILABLE" })},
		{"nobody asked", "I6", func(h *history.History) { h.Exchanges = h.Exchanges[:4] }},
		{"a credential elsewhere", "I7", func(h *history.History) { h.Contacts[0].Host = "127.0.0.3:5000" }},
		{"a canary is contacted", "I7", func(h *history.History) {
			h.Canaries = []history.Contact{{Cell: cell, Host: "127.0.0.9:5000", Method: "GET", Path: "/"}}
		}},
		{"a credential in an answer", "I7", change(2, func(x *history.Exchange) { x.Text = "no such user hunter2" })},
		{"a credential in the log", "I7", func(h *history.History) { h.Outputs[0].Text = "user cell, password hunter2" }},
		{"two fetches of what is shared", "once", func(h *history.History) { h.Contacts = append(h.Contacts, h.Contacts[0]) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := sound()
			tt.spoil(&h)
			got := history.Check(h)
			if !slices.ContainsFunc(got, func(v history.Violation) bool { return v.Invariant == tt.invariant }) {
				t.Errorf("got %v, want a violation of %s", got, tt.invariant)
			}
		})
	}
}

func TestWhatIsAllowedIsNoViolation(t *testing.T) {
	for _, tt := range []struct {
		name  string
		allow func(h *history.History)
	}{
		{"a body that may break off", change(0, func(x *history.Exchange) { x.Clean, x.Broken, x.Hash = false, true, "sha256:half" })},
		{"a client that leaves", change(0, func(x *history.Exchange) { x.Clean, x.Left, x.Hash = false, true, "sha256:half" })},
		{"an image that nobody vouched for where nothing is enforced", func(h *history.History) {
			h.World.Enforced = nil
			h.Exchanges[0].Hash, h.Exchanges[0].Digest, h.Exchanges[0].Verdict = bad, bad, "Warn"
			h.Exchanges[4] = h.Exchanges[0]
			h.Exchanges[4].Phase, h.Exchanges[4].Done = history.After, at(8)
			h.Records[1].Digest, h.Records[1].Verdict = bad, "Warn"
		}},
		{"a blob of an image that is not known", func(h *history.History) {
			h.Exchanges = slices.Insert(slices.Delete(h.Exchanges, 1, 2), 0, layer(200))
		}},
		{"a 404 that the upstream said", func(h *history.History) {
			h.Exchanges = append(h.Exchanges, trouble(404))
			h.Contacts = append(h.Contacts, history.Contact{Cell: cell, At: at(3), Host: registry, Method: "HEAD", Path: "/v2/enforce/app/manifests/v2", Status: 404})
		}},
		{"a 404 for a registry that nobody listed", func(h *history.History) {
			h.Exchanges = append(h.Exchanges, trouble(404))
			h.World.Unlisted = map[string]bool{"registry.test": true}
		}},
		{"served in an informing repository while nothing can be recorded", func(h *history.History) {
			h.World.SinkFails, h.World.Enforced = true, nil
			h.Records = h.Records[:1]
			h.Exchanges = []history.Exchange{h.Exchanges[0]}
			h.Faults = nil
		}},
		{"a decision made while the configuration changed", func(h *history.History) {
			h.Revisions = append(h.Revisions, history.Revision{ID: "r2", Since: at(8)})
		}},
		{"two fetches, one before the fault", func(h *history.History) {
			early := h.Contacts[0]
			early.At = at(0.1)
			h.Contacts = append(h.Contacts, early)
		}},
		{"a second fetch with the credential that the first lacked", func(h *history.History) {
			first := h.Contacts[0]
			first.Status = 401
			h.Contacts = append(h.Contacts, first)
		}},
		{"an answer from before the policy enforced", func(h *history.History) {
			h.World.EnforcedSince = at(1.1)
			h.Exchanges[0].Hash, h.Exchanges[0].Digest, h.Exchanges[0].Verdict = bad, bad, "Warn"
			h.Records[1].Digest, h.Records[1].Verdict = bad, "Warn"
			h.Exchanges[4].Decision = "D4"
			h.Records = append(h.Records, history.Record{ID: "D4", Kind: "pull", Origin: app, Digest: good, Verdict: "Allow", Revision: "r1", End: 90})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := sound()
			tt.allow(&h)
			for _, v := range history.Check(h) {
				t.Error(v)
			}
		})
	}
}
