package upstream_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"vouchsafe/upstream"
)

func TestDurationIsTextInDocuments(t *testing.T) {
	for text, want := range map[string]time.Duration{"tagTTL: 30s": 30 * time.Second, "tagTTL: \"1h30m\"": 90 * time.Minute} {
		var spec upstream.Spec
		if err := yaml.Unmarshal([]byte(text), &spec); err != nil || spec.TagTTL == nil || time.Duration(*spec.TagTTL) != want {
			t.Errorf("%s: got %v, %v", text, spec.TagTTL, err)
		}
	}
	for _, text := range []string{"tagTTL: 30", "tagTTL: soon", "tagTTL: 1.5", "tagTTL: [1s]"} {
		var spec upstream.Spec
		if err := yaml.Unmarshal([]byte(text), &spec); err == nil {
			t.Errorf("%s: got %v, want an error", text, *spec.TagTTL)
		}
	}
	var spec upstream.Spec
	if err := json.Unmarshal([]byte(`{"tagTTL":"30s"}`), &spec); err != nil || time.Duration(*spec.TagTTL) != 30*time.Second {
		t.Errorf("JSON: got %v", err)
	}
	if err := json.Unmarshal([]byte(`{"tagTTL":30}`), &spec); err == nil {
		t.Error("a JSON number: got no error")
	}
	b, err := json.Marshal(upstream.Spec{TagTTL: short(90 * time.Second)})
	if err != nil || string(b) != `{"tagTTL":"1m30s"}` {
		t.Errorf("got %s, %v", b, err)
	}
	b, err = yaml.Marshal(upstream.Spec{TagTTL: short(90 * time.Second)})
	if err != nil || string(b) != "tagTTL: 1m30s\n" {
		t.Errorf("got %s, %v", b, err)
	}
}

func TestDurationPrintsAsPeopleWriteIt(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"1h": time.Hour, "10h": 10 * time.Hour, "1h1m": 61 * time.Minute, "1m": time.Minute, "10m": 10 * time.Minute,
		"1h0m1s": time.Hour + time.Second, "0s": 0, "30s": 30 * time.Second, "1m30s": 90 * time.Second, "5ms": 5 * time.Millisecond,
	} {
		if got := upstream.Duration(d).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		var back upstream.Duration
		if err := back.UnmarshalText([]byte(want)); err != nil || time.Duration(back) != d {
			t.Errorf("%s: got %v, %v", want, back, err)
		}
	}
}
