package config_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"vouchsafe/config"
)

func TestSettingsDefaults(t *testing.T) {
	got, err := config.LoadSettings(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Settings{
		ConfigDir: "./config.d", DataDir: "./data", ManifestCache: 64 << 20, Listen: ":5000", RequestTimeout: 25 * time.Second, OpsListen: ":9091",
		MaxConnections: 8192, MaxConnectionsPerAddress: 2048, BlobBuffer: 64 << 20, ReverifyInterval: 4 * time.Hour,
		DrainDelay: 5 * time.Second, DrainTimeout: time.Minute,
		DefaultRegistry: "docker.io", KnownRegistries: config.KnownBuiltin, WhenNoPolicy: config.WhenNoPolicyAllow,
		CacheEntries: 100_000, VerifiedTTL: 4 * time.Hour, RejectedTTL: time.Minute, UnavailableTTL: 5 * time.Second,
		Audit: config.AuditStdout, LogLevel: "info",
		Pin: config.PinWhenKnown, ContactRegistries: true, WatchPods: config.WatchOff,
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestFlagBeforeEnvironmentBeforeDefault(t *testing.T) {
	got, err := config.LoadSettings([]string{
		"PATH=/bin", "VOUCHSAFE_LISTEN=:1", "VOUCHSAFE_OPS_LISTEN=:2", "VOUCHSAFE_PULL_HOST=", "VOUCHSAFE_VERIFIED_TTL=",
		"VOUCHSAFE_DEFAULT_REGISTRY=index.docker.io", "VOUCHSAFE_MANIFEST_CACHE=1GiB",
	}, map[string]string{"listen": "[::1]:3", "config-dir": "/x", "allow-anonymous": "true"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Listen != "[::1]:3" || got.OpsListen != ":2" || got.VerifiedTTL != 4*time.Hour || got.ManifestCache != 1<<30 {
		t.Errorf("got %+v", got)
	}
	if got.ConfigDir != "/x" || !got.ConfigDirNamed || !got.AllowAnonymous || got.DefaultRegistry != "docker.io" {
		t.Errorf("got %+v", got)
	}
}

func TestServiceLinksAreIgnoredAndRealNamesAreNot(t *testing.T) {
	ignored := []string{
		"SERVICE_HOST=10.0.0.7", "SERVICE_PORT=5000", "SERVICE_PORT_REGISTRY=5000", "PORT=tcp://10.0.0.7:5000",
		"PORT_5000_TCP=tcp://10.0.0.7:5000", "PORT_5000_TCP_PROTO=tcp", "PORT_5000_TCP_PORT=5000", "PORT_5000_TCP_ADDR=fd00::7",
		"WEBHOOK_SERVICE_HOST=10.0.0.8", "WEBHOOK_SERVICE_PORT=443", "WEBHOOK_PORT=tcp://10.0.0.8:443",
		"WEBHOOK_PORT_443_TCP=tcp://10.0.0.8:443", "WEBHOOK_PORT_443_TCP_ADDR=10.0.0.8",
	}
	for _, line := range ignored {
		if _, err := config.LoadSettings([]string{"VOUCHSAFE_" + line}, nil); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	refused := []string{
		"OPS_PORT=9091", "PORT=5000", "SERVICE_HOST=gateway", "SERVICE_PORT=http", "LISTEN_PORT_1_TCP=5000", "PORT_5000_TCP_PROTO=x",
		"PORT_5000_TCP_PORT=0",
	}
	for _, line := range refused {
		_, err := config.LoadSettings([]string{"VOUCHSAFE_" + line}, nil)
		if one, ok := errors.AsType[*config.SettingError](err); !ok || one.Message != "no such setting" {
			t.Errorf("%s: got %v, want no such setting", line, err)
		}
	}
}

func TestEverySettingIsDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range config.SettingDocs() {
		if d.Description == "" || strings.HasSuffix(d.Description, ".") || strings.Contains(d.Description, "\n") {
			t.Errorf("%s: description %q", d.Name, d.Description)
		}
		if seen[d.Flag] || d.Flag == "" || d.Env() != "VOUCHSAFE_"+d.Name {
			t.Errorf("%s: flag %q, environment %q", d.Name, d.Flag, d.Env())
		}
		seen[d.Flag] = true
		if d.Default == "" {
			continue
		}
		if _, err := config.LoadSettings(nil, map[string]string{d.Flag: d.Default}); err != nil {
			t.Errorf("the default of %s is refused: %v", d.Name, err)
		}
	}
}

func TestALaterFlagIsNoSetting(t *testing.T) {
	later := config.LaterFlags()
	for _, d := range config.SettingDocs() {
		if slices.Contains(later, d.Flag) {
			t.Errorf("--%s is both built and refused", d.Flag)
		}
	}
	for _, flag := range later {
		variable := "VOUCHSAFE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
		_, err := config.LoadSettings([]string{variable + "=x"}, nil)
		if one, ok := errors.AsType[*config.SettingError](err); !ok || one.Message != "not supported yet" {
			t.Errorf("%s: got %v", variable, err)
		}
	}
}

func TestAnUnknownFlagIsAMistake(t *testing.T) {
	if _, err := config.LoadSettings(nil, map[string]string{"nope": "x"}); err == nil {
		t.Error("got no error")
	}
}
