package upstream

import (
	"encoding/json"
	"errors"
	"time"
)

// Duration is a [time.Duration] written as "30s" in documents.
type Duration time.Duration

// String returns the duration as Go writes it.
func (d Duration) String() string { return time.Duration(d).String() }

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
