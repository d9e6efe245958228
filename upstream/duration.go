package upstream

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Duration is a [time.Duration] written as "30s" in documents.
type Duration time.Duration

// String returns the duration as people write it: like Go, but 1h in place of
// 1h0m0s.
func (d Duration) String() string {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. A number without a unit
// is an error, since no two programs agree on what it means.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New("not a duration: write a number with a unit, such as 30s, 5m or 1h")
	}
	*d = Duration(parsed)
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON implements [json.Unmarshaler]; only a string is a duration.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return errors.New(`not a duration: write a text with a unit, such as "30s"`)
	}
	return d.UnmarshalText([]byte(text))
}
