package config

import "time"

// EnvPrefix is before the name of every setting in the environment.
const EnvPrefix = "VOUCHSAFE_"

// Values of settings that are words.
const (
	// KnownBuiltin keeps the built-in registries.
	KnownBuiltin = "Builtin"
	// KnownNone removes all built-in registries.
	KnownNone = "None"
	// WhenNoPolicyAllow serves an image that no policy matches.
	WhenNoPolicyAllow = "Allow"
	// WhenNoPolicyDeny refuses an image that no policy matches.
	WhenNoPolicyDeny = "Deny"
	// AuditStdout writes records to standard output.
	AuditStdout = "stdout"
	// AuditOff keeps no records; refused while any policy enforces.
	AuditOff = "off"
)

// Settings are those of the process: flag, else environment variable
// VOUCHSAFE_<NAME>, else default. Only settings that this build acts upon are
// here; the others are refused by name. [LoadSettings] is the entrance; the zero
// value denies what no policy matches.
type Settings struct {
	ConfigDir      string        `env:"CONFIG_DIR" envDefault:"./config.d"`
	ManifestCache  Size          `env:"MANIFEST_CACHE" envDefault:"64MiB"`
	Listen         string        `env:"LISTEN" envDefault:":5000"`
	RequestTimeout time.Duration `env:"REQUEST_TIMEOUT" envDefault:"25s"`
	OpsListen      string        `env:"OPS_LISTEN" envDefault:":9091"`

	// DefaultRegistry is canonical.
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
