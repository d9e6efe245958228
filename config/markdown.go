package config

import (
	"fmt"
	"slices"
	"strings"
)

// Markdown returns the reference of documents and settings, docs/configuration.md.
func Markdown() []byte {
	var b strings.Builder
	b.WriteString(markdownHead)
	for _, kind := range kinds {
		writeKind(&b, kind)
	}
	b.WriteString(markdownSettings)
	b.WriteString("| setting | environment | flag of `serve` | default | |\n| --- | --- | --- | --- | --- |\n")
	for _, d := range SettingDocs() {
		fmt.Fprintf(&b, "| `%s` | `%s` | `--%s` | %s | %s |\n", d.Name, d.Env(), d.Flag, code(d.Default), cell(d.Description))
	}
	writeLater(&b)
	return []byte(b.String())
}

func writeKind(b *strings.Builder, kind string) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n```yaml\n%s```\n\n", kind, kindTexts[kind], kindExamples[kind])
	b.WriteString("| key | type | default | |\n| --- | --- | --- | --- |\n")
	for _, d := range FieldDocs(kind) {
		if !strings.Contains(d.Path, ".") {
			continue // the same in each kind, said above
		}
		standard := code(d.Default)
		switch {
		case d.Required:
			standard = "required"
		case strings.Contains(d.Default, " "):
			standard = cell(d.Default)
		}
		text := cell(d.Description)
		if len(d.Values) > 0 {
			text += " One of: `" + strings.Join(d.Values, "`, `") + "`."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", d.Path, d.Type, standard, text)
	}
}

func writeLater(b *strings.Builder) {
	b.WriteString(markdownLater)
	fmt.Fprintf(b, "- kinds: `%s`\n", strings.Join(laterKinds, "`, `"))
	for _, kind := range kinds {
		if keys := laterKeys[kind]; len(keys) > 0 {
			fmt.Fprintf(b, "- keys of %s: `%s`\n", kind, strings.Join(keys, "`, `"))
		}
	}
	fmt.Fprintf(b, "- values: `access: Caller`, `LISTEN=off`\n")
	fmt.Fprintf(b, "- settings: `%s`\n", strings.Join(slices.Sorted(slices.Values(laterSettings)), "`, `"))
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

// cell keeps a text from ending its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// kindExamples are whole documents; a test loads them.
var kindExamples = map[string]string{
	KindIntegration: `apiVersion: vouchsafe.dev/v1alpha1
kind: SignatureIntegration
metadata: {name: release-team}
spec:
  publicKeys:
    - name: release-2026
      key: |
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvXWiRyvmWMYZwTJ4Xyc0ZyaydVrI
        MU4xNdxF20mvfKfpw35ntU9g3jTDFfm63NGMjerrpwREQyK8MN79EM7DYw==
        -----END PUBLIC KEY-----
`,
	KindPolicy: `apiVersion: vouchsafe.dev/v1alpha1
kind: ImagePolicy
metadata: {name: prod-signed}
spec:
  description: Production images are signed by the release team.
  severity: High
  images: ["docker.io/acme/**", "ghcr.io/acme/**"]
  exclude: ["docker.io/acme/sandbox-*"]
  signers: [release-team]
  behavior: InformAndEnforce
`,
	KindRegistry: `apiVersion: vouchsafe.dev/v1alpha1
kind: Registry
metadata: {name: "registry.acme.com:5000"}
spec:
  tagTTL: 1m
  allowPrivateAddresses: true
`,
}

const markdownHead = `<!-- Written by package config from its types and tables; do not edit. -->

# Configuration

Documents say who is trusted, which images that matters for, and where images may come from. Settings say how the
process runs.

## Documents

A folder of YAML files, ` + "`*.yaml`" + ` and ` + "`*.yml`" + `, sub-folders too, with any number of documents in a file. Entries whose name
begins with "." are skipped. Symlinked files are followed and symlinked folders are not, so a mounted ConfigMap works.
Files that documents name are relative to the document's folder; they are followed too.

Each document has ` + "`apiVersion: vouchsafe.dev/v1alpha1`, `kind`, `metadata` with `name` alone, and `spec`" + `.

Reading is strict: an unknown key, a duplicate key or name, an empty block and a reference to nothing are mistakes. All
are reported at once, each with file, line and column. Anchors, aliases and tags are not read. A file may have 1 MiB, all
together 16 MiB and 10,000 documents.

A change is loaded after 300 ms of quiet and is in force within 2 s. A change with a mistake in it, a folder that vanished
and a folder that lost its last document are refused: the last good documents stay in force, and the log says why.
`

const markdownSettings = `
## Settings

A flag wins over the environment, which wins over the default. An empty value counts as not given. An unknown variable
with the prefix ` + "`VOUCHSAFE_`" + ` is a mistake, so that a misspelt one does not go unseen; variables that Kubernetes sets for
Services are ignored. Durations are written ` + "`30s`, `5m` or `1h30m`" + `, sizes ` + "`64MiB` or `1GiB`" + `.

`

const markdownLater = `
## Not supported yet

These are known and refused, rather than read and not acted upon:

`
