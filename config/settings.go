package config

import (
	"strings"
	"time"
)

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
	// AuditFilePrefix is before the path of a file that takes records.
	AuditFilePrefix = "file:"
	// ListenOff opens no registry side.
	ListenOff = "off"
	// PinWhenKnown has the webhook add the digest whose verdict is known.
	PinWhenKnown = "WhenKnown"
	// PinNever leaves tags as they are.
	PinNever = "Never"
	// WatchOff watches no pods, WatchNode those of NODE_NAME, WatchAll all.
	WatchOff  = "Off"
	WatchNode = "Node"
	WatchAll  = "All"
)

// Settings are those of the process: flag, else environment variable
// VOUCHSAFE_<NAME>, else default. Only settings that this build acts upon are
// here; the others are refused by name. [LoadSettings] is the entrance; the zero
// value denies what no policy matches.
type Settings struct {
	ConfigDir     string `env:"CONFIG_DIR" envDefault:"./config.d"`
	DataDir       string `env:"DATA_DIR" envDefault:"./data"`
	ManifestCache Size   `env:"MANIFEST_CACHE" envDefault:"64MiB"`
	// Listen is [ListenOff] for a webhook alone.
	Listen         string        `env:"LISTEN" envDefault:":5000"`
	RequestTimeout time.Duration `env:"REQUEST_TIMEOUT" envDefault:"25s"`
	OpsListen      string        `env:"OPS_LISTEN" envDefault:":9091"`

	// MaxConnections and MaxConnectionsPerAddress bound those of LISTEN.
	MaxConnections           int  `env:"MAX_CONNECTIONS" envDefault:"8192"`
	MaxConnectionsPerAddress int  `env:"MAX_CONNECTIONS_PER_ADDRESS" envDefault:"2048"`
	BlobBuffer               Size `env:"BLOB_BUFFER" envDefault:"64MiB"`
	// TLSCertFile and TLSKeyFile are both given or both empty.
	TLSCertFile      string `env:"TLS_CERT_FILE"`
	TLSKeyFile       string `env:"TLS_KEY_FILE"`
	ClientTokensFile string `env:"CLIENT_TOKENS_FILE"`

	// DefaultRegistry is canonical.
	DefaultRegistry string `env:"DEFAULT_REGISTRY" envDefault:"docker.io"`
	KnownRegistries string `env:"KNOWN_REGISTRIES" envDefault:"Builtin"`
	AllowAnonymous  bool   `env:"ALLOW_ANONYMOUS" envDefault:"false"`
	PullHost        string `env:"PULL_HOST"`
	WhenNoPolicy    string `env:"WHEN_NO_POLICY" envDefault:"Allow"`
	InformOnly      bool   `env:"INFORM_ONLY" envDefault:"false"`

	// WebhookListen is empty for no webhook. Its certificate is in the files, both
	// given or both empty, else in WebhookSecret, else in DATA_DIR.
	WebhookListen      string `env:"WEBHOOK_LISTEN"`
	WebhookTLSCertFile string `env:"WEBHOOK_TLS_CERT_FILE"`
	WebhookTLSKeyFile  string `env:"WEBHOOK_TLS_KEY_FILE"`
	// WebhookSecret is "namespace/name".
	WebhookSecret string `env:"WEBHOOK_SECRET"`
	// WebhookConfigurations are names with commas between them; see
	// [Settings.WebhookConfigurationNames].
	WebhookConfigurations string `env:"WEBHOOK_CONFIGURATIONS"`
	WebhookClientCAFile   string `env:"WEBHOOK_CLIENT_CA_FILE"`
	Pin                   string `env:"PIN" envDefault:"WhenKnown"`
	ContactRegistries     bool   `env:"CONTACT_REGISTRIES" envDefault:"true"`

	WatchPods string `env:"WATCH_PODS" envDefault:"Off"`
	NodeName  string `env:"NODE_NAME"`
	Cluster   string `env:"CLUSTER"`

	ReverifyInterval time.Duration `env:"REVERIFY_INTERVAL" envDefault:"4h"`

	CacheEntries   int           `env:"CACHE_ENTRIES" envDefault:"100000"`
	VerifiedTTL    time.Duration `env:"VERIFIED_TTL" envDefault:"4h"`
	RejectedTTL    time.Duration `env:"REJECTED_TTL" envDefault:"60s"`
	UnavailableTTL time.Duration `env:"UNAVAILABLE_TTL" envDefault:"5s"`

	Audit     string `env:"AUDIT" envDefault:"stdout"`
	LogLevel  string `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat string `env:"LOG_FORMAT"`

	// DrainDelay may be zero; DrainTimeout may not.
	DrainDelay   time.Duration `env:"DRAIN_DELAY" envDefault:"5s"`
	DrainTimeout time.Duration `env:"DRAIN_TIMEOUT" envDefault:"60s"`

	// ConfigDirNamed is true when CONFIG_DIR was given, so must exist.
	ConfigDirNamed bool `env:"-"`
}

// AuditFile returns the file that takes audit records, when one does.
func (s Settings) AuditFile() (path string, ok bool) {
	return strings.CutPrefix(s.Audit, AuditFilePrefix)
}

// WebhookConfigurationNames returns the names in WEBHOOK_CONFIGURATIONS.
func (s Settings) WebhookConfigurationNames() []string {
	if s.WebhookConfigurations == "" {
		return nil
	}
	names := strings.Split(s.WebhookConfigurations, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names
}
