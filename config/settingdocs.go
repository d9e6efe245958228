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
	"CONFIG_DIR":                  "folder of documents, followed while the process runs; the default folder may be missing, a named one must exist",
	"DATA_DIR":                    "folder for what must survive the process, such as trusted roots of TUF mirrors; made when first needed, with rights for its owner alone, and locked: one process at a time has it",
	"MANIFEST_CACHE":              "most bytes of manifests that are kept in memory",
	"LISTEN":                      "address of the registry side, host:port; without a host all addresses, IPv4 and IPv6; off: none, for a webhook alone",
	"REQUEST_TIMEOUT":             "most time for resolving and deciding one request",
	"OPS_LISTEN":                  "address of /livez, /readyz, /startupz and /metrics, host:port",
	"MAX_CONNECTIONS":             "most connections to LISTEN; one more is answered 503",
	"MAX_CONNECTIONS_PER_ADDRESS": "most connections to LISTEN from one address; one more is answered 429; nodes behind NAT share an address",
	"BLOB_BUFFER":                 "most bytes of blobs that are in memory, so that clients of one blob share one fetch",
	"TLS_CERT_FILE":               "certificate chain of LISTEN, PEM, read again when it changes; empty: plain HTTP",
	"TLS_KEY_FILE":                "private key of TLS_CERT_FILE, PEM",
	"CLIENT_TOKENS_FILE":          "file of name:token lines, read again when it changes: a client must present one, as Basic or Bearer; empty: none",
	"INFORM_ONLY":                 "serve what would be refused, as a warning: opens the gate at once, recorded and counted",
	"REVERIFY_INTERVAL":           "every image that was seen is verified again within this time",
	"DRAIN_DELAY":                 "how long connections are still taken after SIGTERM, while /readyz is 503",
	"DRAIN_TIMEOUT":               "how long running requests may go on after DRAIN_DELAY",
	"DEFAULT_REGISTRY":            "registry of image names that have none",
	"KNOWN_REGISTRIES":            "Builtin, or None: then only registries with a document may be pulled from",
	"ALLOW_ANONYMOUS":             "serve a registry that is read with the gateway's own credentials to everybody who reaches LISTEN",
	"PULL_HOST":                   "host, and port, by which nodes reach the gateway; empty when they only use mirror form",
	"WEBHOOK_LISTEN":              "address of the admission webhook, host:port, TLS always; empty: none",
	"WEBHOOK_TLS_CERT_FILE":       "certificate chain of WEBHOOK_LISTEN, PEM, read again when it changes; empty: a certificate of its own authority",
	"WEBHOOK_TLS_KEY_FILE":        "private key of WEBHOOK_TLS_CERT_FILE, PEM",
	"WEBHOOK_SECRET":              "namespace/name of the Secret that keeps the webhook's own authority for all replicas; empty: DATA_DIR keeps it",
	"WEBHOOK_CONFIGURATIONS":      "names of the mutating and validating webhook configurations whose CA bundle is kept right, separated by commas",
	"WEBHOOK_CLIENT_CA_FILE":      "certificate authorities, PEM, read again when they change: a client of the webhook must show a certificate of one",
	"PIN":                         "WhenKnown, or Never: whether the webhook adds the digest of a tag whose verdict is known",
	"CONTACT_REGISTRIES":          "whether the webhook may ask registries; false: what is not known already is left to the pull",
	"WATCH_PODS":                  "Off, Node (those of NODE_NAME) or All: pods whose images count as deployed, so are verified again, and that get an Event when an image was refused",
	"NODE_NAME":                   "the node whose pods are watched",
	"CLUSTER":                     "the cluster's name in audit records",
	"WHEN_NO_POLICY":              "Allow, or Deny: what happens to an image that no policy matches",
	"CACHE_ENTRIES":               "most results of verification that are kept in memory",
	"VERIFIED_TTL":                "how long a Verified result is kept",
	"REJECTED_TTL":                "how long an Unsigned or Untrusted result is kept",
	"UNAVAILABLE_TTL":             "how long an Unavailable result is kept",
	"AUDIT":                       "stdout: one record for each decision on standard output; file:PATH: in a file, opened again at SIGHUP; off: none, refused while any policy enforces",
	"LOG_LEVEL":                   "debug, info, warn or error, on standard error",
	"LOG_FORMAT":                  "text or json; empty: text on a terminal, else json",
}

// laterSettings are known to this build and refused: a setting that is read and
// not acted upon would pretend.
var laterSettings = []string{
	"DATABASE_URL", "STORAGE_URL", "STORAGE_LIMIT",
	"CONSOLE_LISTEN",
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
