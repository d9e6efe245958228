package config_test

import (
	"testing"

	"vouchsafe/config"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]config.Size{
		"0": 0, "123": 123, "1KiB": 1024, "64MiB": 64 << 20, "3 GiB": 3 << 30, "2TiB": 2 << 40,
		"9223372036854775807": 9223372036854775807,
	} {
		got, err := config.ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
		if again, err := config.ParseSize(got.String()); err != nil || again != got {
			t.Errorf("%q prints as %q, which reads as %d, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "64MB", "1.5GiB", "64mib", "8388608TiB", "9223372036854775808", "1KiBKiB", "+1"} {
		if got, err := config.ParseSize(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}
