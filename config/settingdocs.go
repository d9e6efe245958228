package config

import (
	"reflect"
	"strings"
)

// SettingDoc describes one setting, for flags, help and documentation.
type SettingDoc struct {
	// Name is the setting's, such as "CONFIG_DIR".
	Name string
	// Flag is the name of the flag, such as "config-dir".
	Flag string
	// Default is as a person would write it; may be empty.
	Default string
	// Description is one line without a full stop.
	Description string
	// Bool is true for a flag that needs no value.
	Bool bool
}

// Env returns the name of the environment variable.
func (d SettingDoc) Env() string { return EnvPrefix + d.Name }

// settingDescriptions has a line for each setting of [Settings].
var settingDescriptions = map[string]string{
	"CONFIG_DIR":       "folder of documents, followed while the process runs; the default folder may be missing, a named one must exist",
	"MANIFEST_CACHE":   "most bytes of manifests that are kept in memory",
	"LISTEN":           "address of the registry side, host:port; without a host all addresses, IPv4 and IPv6",
	"REQUEST_TIMEOUT":  "most time for resolving and deciding one request",
	"OPS_LISTEN":       "address of /livez, /readyz, /startupz and /metrics, host:port",
	"DEFAULT_REGISTRY": "registry of image names that have none",
	"KNOWN_REGISTRIES": "Builtin, or None: then only registries with a document may be pulled from",
	"ALLOW_ANONYMOUS":  "serve a registry that is read with the gateway's own credentials to everybody who reaches LISTEN",
	"PULL_HOST":        "host, and port, by which nodes reach the gateway; empty when they only use mirror form",
	"WHEN_NO_POLICY":   "Allow, or Deny: what happens to an image that no policy matches",
	"CACHE_ENTRIES":    "most results of verification that are kept in memory",
	"VERIFIED_TTL":     "how long a Verified result is kept",
	"REJECTED_TTL":     "how long an Unsigned or Untrusted result is kept",
	"UNAVAILABLE_TTL":  "how long an Unavailable result is kept",
	"AUDIT":            "stdout: one record for each decision on standard output; off: none, refused while any policy enforces",
	"LOG_LEVEL":        "debug, info, warn or error, on standard error",
	"LOG_FORMAT":       "text or json; empty: text on a terminal, else json",
}

// laterSettings are known to this build and refused: a setting that is read and
// not acted upon would pretend.
var laterSettings = []string{
	"DATA_DIR", "DATABASE_URL", "STORAGE_URL", "STORAGE_LIMIT",
	"MAX_CONNECTIONS", "MAX_CONNECTIONS_PER_ADDRESS", "BLOB_BUFFER",
	"WEBHOOK_LISTEN", "WEBHOOK_TLS_CERT_FILE", "WEBHOOK_TLS_KEY_FILE", "WEBHOOK_SECRET",
	"WEBHOOK_CONFIGURATIONS", "WEBHOOK_CLIENT_CA_FILE",
	"CONSOLE_LISTEN", "TLS_CERT_FILE", "TLS_KEY_FILE", "CLIENT_TOKENS_FILE",
	"PIN", "WATCH_PODS", "NODE_NAME", "CLUSTER", "INFORM_ONLY", "REVERIFY_INTERVAL",
	"CONTACT_REGISTRIES", "DRAIN_DELAY", "DRAIN_TIMEOUT",
}

// LaterFlags returns the flags of settings that this build knows and refuses, never
// one of [SettingDocs].
func LaterFlags() []string {
	flags := make([]string, len(laterSettings))
	for i, name := range laterSettings {
		flags[i] = flagName(name)
	}
	return flags
}

// SettingDocs returns every setting that this build acts upon, in the order in
// which help lists them.
func SettingDocs() []SettingDoc {
	var docs []SettingDoc
	t := reflect.TypeFor[Settings]()
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("env")
		if name == "-" {
			continue
		}
		docs = append(docs, SettingDoc{
			Name: name, Flag: flagName(name), Default: f.Tag.Get("envDefault"),
			Description: settingDescriptions[name], Bool: f.Type.Kind() == reflect.Bool,
		})
	}
	return docs
}

// flagName returns the flag of a setting.
func flagName(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "-")) }

// settingNames returns the names of all settings that this build acts upon.
func settingNames() []string {
	var names []string
	for _, d := range SettingDocs() {
		names = append(names, d.Name)
	}
	return names
}
