package config_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"vouchsafe/config"
)

// BenchmarkLoad reads a folder with 100 policies and 10 integrations.
func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	for i := range 10 {
		write(b, filepath.Join(dir, fmt.Sprintf("keys-%d.yaml", i)), integration(fmt.Sprintf("team-%d", i), newKey(b)))
	}
	for i := range 100 {
		write(b, filepath.Join(dir, fmt.Sprintf("policy-%d.yaml", i)), imagePolicy(fmt.Sprintf("policy-%d", i), fmt.Sprintf("team-%d", i%10), "InformAndEnforce"))
	}
	opts := config.LoadOptions{Settings: defaults(b)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := config.Load(dir, opts); err != nil {
			b.Fatal(err)
		}
	}
}
