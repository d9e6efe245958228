package inventory_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/audit"
	"vouchsafe/inventory"
	"vouchsafe/policy"
)

var _ inventory.Records = (*audit.Log)(nil)

func TestAChangeIsOneAuditRecordWithTheResultsOfAllIntegrations(t *testing.T) {
	in, spare := newIntegration(t, "release-team", nil), newIntegration(t, "spare", nil)
	synctest.Test(t, func(t *testing.T) {
		var lines logLines
		b := newBench(t, inventory.ReverifyConfig{}, []*policy.Policy{newPolicy(t, "prod-signed", "**", in)}, in, spare)
		b.stop()
		log := audit.New(b.recorder, audit.NewWriterSink(&lines), audit.Config{})
		again := inventory.NewReverifier(b.memory, b.engine, log, inventory.ReverifyConfig{Interval: time.Hour, Rules: b.rules.get})
		go again.Run(t.Context())
		img := some(t, "a")
		b.results.say(img.Reference.Digest, "release-team", verified)
		b.pull(img)
		time.Sleep(period)
		b.results.say(img.Reference.Digest, "release-team", otherKey)
		b.results.say(img.Reference.Digest, "spare", verified)
		time.Sleep(period)
		synctest.Wait()
		var record struct {
			ID, Kind, Verb, Message string
			Results                 []audit.Result
		}
		check(t, json.Unmarshal([]byte(lines.taken()), &record))
		type told struct{ Kind, Verb, Status, Reason, Spare string }
		want := told{"reverification", "", "Untrusted", "KEY_MISMATCH", "Verified"}
		got := told{record.Kind, record.Verb, record.Results[0].Status, record.Results[0].Reason, record.Results[1].Status}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("record (-want +got):\n%s", diff)
		}
		message := api.String() + "@" + img.Reference.Digest.String() +
			": release-team was Verified, now Untrusted (KEY_MISMATCH); spare was Unsigned, now Verified (decision " + record.ID + ")"
		if record.Message != message {
			t.Errorf("message %s, want %s", record.Message, message)
		}
	})
}
