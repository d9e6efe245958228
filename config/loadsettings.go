package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"vouchsafe/oci"
)

// SettingError is one mistake in a setting.
type SettingError struct {
	// Name is as it was given: the environment variable, or the flag with "--".
	Name    string
	Message string
	// Hint says what to write instead; may be empty.
	Hint string
}

// Error returns name, message and hint in one line.
func (e *SettingError) Error() string {
	s := e.Name + ": " + e.Message
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// LoadSettings reads the settings: flag, else environment, else default. environ
// holds "NAME=value" lines as [os.Environ] returns them; flags holds those that
// were given, by the name that [SettingDocs] has. A value that is empty counts
// as not given. The error joins a [SettingError] for each mistake.
func LoadSettings(environ []string, flags map[string]string) (Settings, error) {
	r := &settingsReader{values: map[string]string{}, given: map[string]string{}}
	r.readEnvironment(environ)
	r.readFlags(flags)
	settings := r.parse()
	r.check(&settings)
	_, settings.ConfigDirNamed = r.given["CONFIG_DIR"]
	if len(r.errs) > 0 {
		return Settings{}, errors.Join(r.errs...)
	}
	return settings, nil
}

type settingsReader struct {
	// values are by variable name, prefix included.
	values map[string]string
	// given says, by setting name, how the value was given.
	given map[string]string
	// bad are the settings that could not be read.
	bad  []string
	errs []error
}

func (r *settingsReader) fail(setting, message, hint string) {
	name := r.given[setting]
	if name == "" {
		name = EnvPrefix + setting
	}
	r.errs = append(r.errs, &SettingError{Name: name, Message: message, Hint: hint})
}

func (r *settingsReader) readEnvironment(environ []string) {
	known := settingNames()
	for _, line := range slices.Sorted(slices.Values(environ)) {
		variable, value, _ := strings.Cut(line, "=")
		name, ours := strings.CutPrefix(variable, EnvPrefix)
		switch {
		case !ours:
		case slices.Contains(known, name):
			r.give(name, variable, value)
		case slices.Contains(laterSettings, name):
			r.fail(name, "not supported yet", "unset it")
		case isServiceLink(name, value):
		default:
			hint := "unset it"
			if near := nearest(name, known); near != "" {
				hint = "did you mean " + EnvPrefix + near + "?"
			}
			r.fail(name, "no such setting", hint)
		}
	}
}

func (r *settingsReader) readFlags(flags map[string]string) {
	docs := SettingDocs()
	for _, flag := range slices.Sorted(maps.Keys(flags)) {
		at := slices.IndexFunc(docs, func(d SettingDoc) bool { return d.Flag == flag })
		if at < 0 {
			r.errs = append(r.errs, &SettingError{Name: "--" + flag, Message: "no such setting"})
			continue
		}
		r.give(docs[at].Name, "--"+flag, flags[flag])
	}
}

func (r *settingsReader) give(setting, how, value string) {
	if value == "" {
		return
	}
	r.values[EnvPrefix+setting] = value
	r.given[setting] = how
}

// parse turns texts into values. A setting that cannot be read is reported and
// keeps its default.
func (r *settingsReader) parse() Settings {
	t := reflect.TypeFor[Settings]()
	for i := range t.NumField() {
		r.parseable(t.Field(i))
	}
	for _, name := range r.bad {
		delete(r.values, EnvPrefix+name)
	}
	settings, err := env.ParseAsWithOptions[Settings](env.Options{
		Environment: r.values,
		Prefix:      EnvPrefix,
		FuncMap: map[reflect.Type]env.ParserFunc{
			reflect.TypeFor[Size](): func(s string) (any, error) { return ParseSize(s) },
		},
	})
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("read settings: %w", err))
	}
	return settings
}

// parseable reports a value that is none of its type in our own words.
func (r *settingsReader) parseable(f reflect.StructField) {
	name := f.Tag.Get("env")
	value, given := r.values[EnvPrefix+name]
	if !given {
		return
	}
	var message string
	switch f.Type {
	case reflect.TypeFor[time.Duration]():
		if _, err := time.ParseDuration(value); err != nil {
			message = "is not a duration; write it like 30s, 5m or 1h30m"
		}
	case reflect.TypeFor[Size]():
		if _, err := ParseSize(value); err != nil {
			message = err.Error()
		}
	case reflect.TypeFor[bool]():
		if value != "true" && value != "false" {
			message = "is neither true nor false"
		}
	case reflect.TypeFor[int]():
		switch {
		case !digits(value):
			message = "is not a whole number"
		case len(value) > mostDigits:
			message = "is too large"
		}
	}
	if message != "" {
		r.bad = append(r.bad, name)
		r.fail(name, quoted(value)+" "+message, "")
	}
}

// mostDigits is well inside an int on every machine.
const mostDigits = 9

func digits(value string) bool {
	return value != "" && strings.Trim(value, "0123456789") == ""
}

// check holds the values against what they may be.
func (r *settingsReader) check(s *Settings) {
	for name, d := range map[string]time.Duration{
		"REQUEST_TIMEOUT": s.RequestTimeout, "VERIFIED_TTL": s.VerifiedTTL,
		"REJECTED_TTL": s.RejectedTTL, "UNAVAILABLE_TTL": s.UnavailableTTL,
		"REVERIFY_INTERVAL": s.ReverifyInterval, "DRAIN_TIMEOUT": s.DrainTimeout,
	} {
		r.positive(name, d > 0)
	}
	r.positive("MANIFEST_CACHE", s.ManifestCache > 0)
	r.positive("CACHE_ENTRIES", s.CacheEntries > 0)
	r.positive("MAX_CONNECTIONS", s.MaxConnections > 0)
	r.positive("MAX_CONNECTIONS_PER_ADDRESS", s.MaxConnectionsPerAddress > 0)
	r.positive("BLOB_BUFFER", s.BlobBuffer > 0)
	if s.DrainDelay < 0 {
		r.fail("DRAIN_DELAY", "must not be less than 0", "")
	}
	r.together("TLS_CERT_FILE", s.TLSCertFile, "TLS_KEY_FILE", s.TLSKeyFile)
	if s.Listen != ListenOff {
		r.checkListen("LISTEN", s.Listen)
	}
	r.checkListen("OPS_LISTEN", s.OpsListen)
	if s.Listen == s.OpsListen && !strings.HasSuffix(s.Listen, ":0") {
		r.fail("OPS_LISTEN", "is the same address as "+EnvPrefix+"LISTEN", "")
	}
	r.oneOf("KNOWN_REGISTRIES", s.KnownRegistries, KnownBuiltin, KnownNone)
	r.oneOf("WHEN_NO_POLICY", s.WhenNoPolicy, WhenNoPolicyAllow, WhenNoPolicyDeny)
	r.oneOf("LOG_LEVEL", s.LogLevel, "debug", "info", "warn", "error")
	if s.LogFormat != "" {
		r.oneOf("LOG_FORMAT", s.LogFormat, "text", "json")
	}
	if path, isFile := s.AuditFile(); !isFile {
		r.oneOf("AUDIT", s.Audit, AuditStdout, AuditOff, AuditFilePrefix+"PATH")
	} else if path == "" {
		r.fail("AUDIT", "names no file", "write file:PATH")
	}
	s.DefaultRegistry = r.host("DEFAULT_REGISTRY", s.DefaultRegistry)
	if s.PullHost != "" {
		r.host("PULL_HOST", s.PullHost)
	}
	r.checkWebhook(s)
	r.checkCluster(s)
	slices.SortFunc(r.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
}

func (r *settingsReader) positive(name string, ok bool) {
	if !ok {
		r.fail(name, "must be more than 0", "")
	}
}

// together reports one of two settings that stands alone.
func (r *settingsReader) together(one, oneValue, other, otherValue string) {
	switch {
	case oneValue != "" && otherValue == "":
		r.fail(one, "is given without "+EnvPrefix+other, "")
	case oneValue == "" && otherValue != "":
		r.fail(other, "is given without "+EnvPrefix+one, "")
	}
}

func (r *settingsReader) oneOf(name, value string, words ...string) {
	if slices.Contains(words, value) {
		return
	}
	hint := didYouMean(value, words)
	r.fail(name, quoted(value)+" is none of "+strings.Join(words, ", "), hint)
}

func (r *settingsReader) checkListen(name, value string) {
	_, port, err := net.SplitHostPort(value)
	if err != nil || port != "0" && !isPort(port) {
		r.fail(name, quoted(value)+" is not host:port", "such as :5000 or 127.0.0.1:5000")
	}
}

func (r *settingsReader) host(name, value string) string {
	canonical, err := oci.CanonicalRegistry(value)
	if err != nil {
		r.fail(name, err.Error(), "write host or host:port")
	}
	return canonical
}
