package config_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"vouchsafe/config"
)

// TestNothingPretends lists what the contract has and this build does not act
// upon. The list shrinks as the program grows.
func TestNothingPretends(t *testing.T) {
	policyBody := "  signers: [a]\n  behavior: Inform\n"
	documents := map[string]string{
		"access Caller": document(config.KindRegistry, "r.example.com", "  access: Caller\n"),
	}
	for _, kind := range []string{"WatchedImage", "Notification", "Exception", "Block", "AccessToken"} {
		documents[kind] = document(kind, "a", policyBody)
	}
	for name, text := range documents {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "a.yaml"), text)
			_, err := config.Load(dir, config.LoadOptions{Settings: defaults(t)})
			if err == nil || !strings.Contains(err.Error(), "not supported yet") {
				t.Errorf("got %v, want not supported yet", err)
			}
			if strings.Count(fmt.Sprint(err), "a.yaml:") != 1 {
				t.Errorf("got more than the one mistake: %v", err)
			}
		})
	}
	settings := []string{
		"DATABASE_URL=x", "STORAGE_URL=x", "STORAGE_LIMIT=1GiB", "CONSOLE_LISTEN=:1",
	}
	for _, setting := range settings {
		t.Run(setting, func(t *testing.T) {
			_, err := config.LoadSettings([]string{"VOUCHSAFE_" + setting}, nil)
			if err == nil || !strings.Contains(err.Error(), "not supported yet") {
				t.Errorf("got %v, want not supported yet", err)
			}
		})
	}
	help := fmt.Sprint(config.SettingDocs())
	schema, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	for _, later := range []string{"WatchedImage", "Caller"} {
		if strings.Contains(string(schema), `"`+later+`"`) || strings.Contains(help, later) {
			t.Errorf("%s is in the schema or in help", later)
		}
	}
}
