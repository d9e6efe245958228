package config

import "time"

// Settings are those of the process: flag, else environment variable
// VOUCHSAFE_<NAME>, else default. Only settings that this build acts upon are
// here; the others are refused by name.
type Settings struct {
	ConfigDir      string        `env:"CONFIG_DIR" envDefault:"./config.d"`
	ManifestCache  Size          `env:"MANIFEST_CACHE" envDefault:"64MiB"`
	Listen         string        `env:"LISTEN" envDefault:":5000"`
	RequestTimeout time.Duration `env:"REQUEST_TIMEOUT" envDefault:"25s"`
	OpsListen      string        `env:"OPS_LISTEN" envDefault:":9091"`

	DefaultRegistry string `env:"DEFAULT_REGISTRY" envDefault:"docker.io"`
	KnownRegistries string `env:"KNOWN_REGISTRIES" envDefault:"Builtin"`
	AllowAnonymous  bool   `env:"ALLOW_ANONYMOUS" envDefault:"false"`
	PullHost        string `env:"PULL_HOST"`
	WhenNoPolicy    string `env:"WHEN_NO_POLICY" envDefault:"Allow"`

	CacheEntries   int           `env:"CACHE_ENTRIES" envDefault:"100000"`
	VerifiedTTL    time.Duration `env:"VERIFIED_TTL" envDefault:"4h"`
	RejectedTTL    time.Duration `env:"REJECTED_TTL" envDefault:"60s"`
	UnavailableTTL time.Duration `env:"UNAVAILABLE_TTL" envDefault:"5s"`

	Audit     string `env:"AUDIT" envDefault:"stdout"`
	LogLevel  string `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat string `env:"LOG_FORMAT"`

	// ConfigDirNamed is true when CONFIG_DIR was given, so must exist.
	ConfigDirNamed bool `env:"-"`
}

// Size is a number of bytes, written "64MiB".
type Size int64
