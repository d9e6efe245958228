package config_test

import (
	"path/filepath"
	"testing"

	"vouchsafe/config"
)

func TestCheckExposure(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "r.yaml"), document(config.KindRegistry, "r.example.com", "  credentials: {usernameFile: user, passwordFile: password}\n  access: Shared\n"))
	write(t, filepath.Join(dir, "user"), "robot")
	write(t, filepath.Join(dir, "password"), "x")
	with := mustLoad(t, dir, config.LoadOptions{Settings: defaults(t)})
	without, err := config.Empty(config.LoadOptions{Settings: defaults(t)})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		listen    string
		anonymous bool
		snapshot  *config.Snapshot
		refused   bool
	}{
		{":5000", false, with, true},
		{":5000", true, with, false},
		{":5000", false, without, false},
		{"0.0.0.0:5000", false, with, true},
		{"[::]:5000", false, with, true},
		{"gateway:5000", false, with, true},
		{"", false, with, true},
		{"127.0.0.1:5000", false, with, false},
		{"127.9.9.9:5000", false, with, false},
		{"[::1]:5000", false, with, false},
		{"[::ffff:127.0.0.1]:5000", false, with, false},
		{"localhost:5000", false, with, false},
	}
	for _, test := range tests {
		settings := config.Settings{Listen: test.listen, AllowAnonymous: test.anonymous}
		if err := settings.CheckExposure(test.snapshot); (err != nil) != test.refused {
			t.Errorf("listen %q, anonymous %v: got %v, want refused %v", test.listen, test.anonymous, err, test.refused)
		}
	}
}

func TestPlainToOthers(t *testing.T) {
	for listen, want := range map[string]bool{
		"": true, ":5000": true, "0.0.0.0:5000": true, "[::]:5000": true, "gateway:5000": true, "10.0.0.1:5000": true,
		"127.0.0.1:5000": false, "[::1]:5000": false, "localhost:5000": false,
	} {
		if got := (config.Settings{Listen: listen}).PlainToOthers(); got != want {
			t.Errorf("listen %q: got %v", listen, got)
		}
	}
}
