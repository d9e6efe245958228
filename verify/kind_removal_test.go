package verify

import (
	"bytes"
	"testing"
)

// TestAnEntryIsOfTheKindThatItSays has an entry whose body, proof and promise are
// good and whose kind, which nothing signs, was changed.
func TestAnEntryIsOfTheKindThatItSays(t *testing.T) {
	trusted := trust{keys: []*trustedKey{recordedKey(t, "k1")}, logs: recordedRoot(t).RekorLogs(), demandLog: true}
	for _, c := range []struct {
		image, old, with string
	}{
		{"b-key", `"kind":"dsse"`, `"kind":"hashedrekord"`},
		{"b-key", `"version":"0.0.1"`, `"version":"0.0.2"`},
		{"b2-key", `"version":"0.0.2"`, `"version":"0.0.1"`},
	} {
		good := recording(t, c.image)
		if got := Judge(good, integrationOf("log", trusted), afterRecording); got.Status != Verified {
			t.Fatalf("%s: got %v %s: %s, want Verified", c.image, got.Status, got.Reason, got.Message)
		}
		changed := withPayload(good, c.old, c.with)
		if bytes.Equal(changed.Items[0].Payload, good.Items[0].Payload) {
			t.Fatalf("%s does not hold %s", c.image, c.old)
		}
		if got := Judge(changed, integrationOf("log", trusted), afterRecording); got.Status != Untrusted || got.Reason != TlogInvalid {
			t.Errorf("%s with %s: got %v %s: %s, want Untrusted TLOG_INVALID", c.image, c.with, got.Status, got.Reason, got.Message)
		}
	}
}
