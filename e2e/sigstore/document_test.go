package sigstore_test

import (
	"encoding/json"
	"testing"
	"time"

	"vouchsafe/e2e/internal/gateway"
)

// object and list are YAML, written as JSON.
type (
	object = map[string]any
	list   = []any
)

const (
	integrationName = "release-team"
	policyName      = "prod-signed"
	rootFile        = "trusted_root.json"
)

// with returns the blocks together as one spec.
func with(blocks ...object) object {
	spec := object{}
	for _, block := range blocks {
		for key, value := range block {
			spec[key] = value
		}
	}
	return spec
}

// keys are blocks of public keys, the first called key-1.
func keys(pems ...string) object {
	var all list
	for i, pem := range pems {
		all = append(all, object{"name": "key-" + string(rune('1'+i)), "key": pem})
	}
	return object{"publicKeys": all}
}

// during bounds the keys of a block, one window for each.
func during(block object, windows ...window) object {
	for i, one := range block["publicKeys"].(list) {
		for end, at := range map[string]time.Time{"notBefore": windows[i].from, "notAfter": windows[i].until} {
			if !at.IsZero() {
				one.(object)[end] = at.UTC().Format(time.RFC3339)
			}
		}
	}
	return block
}

// window is when a key may have signed; a zero time is no bound.
type window struct{ from, until time.Time }

// certificates is the block of one certificate verification; more are its further
// fields, which win.
func certificates(issuer, identity string, more ...object) object {
	one := with(append([]object{{"oidcIssuer": issuer, "identity": identity}}, more...)...)
	for key, value := range one {
		if value == nil {
			delete(one, key)
		}
	}
	return object{"certificates": list{one}}
}

// logged demands an entry of a log of the trusted root, attached.
func logged(more ...object) object {
	return object{"transparencyLog": with(append([]object{{"enabled": true, "offline": true}}, more...)...)}
}

// stamped demands a timestamp.
func stamped(more ...object) object {
	return object{"timestampAuthority": with(append([]object{{"enabled": true}}, more...)...)}
}

// rooted takes what is not given singly from the stack's trusted root.
func rooted() object { return object{"trustedRoot": object{"file": rootFile}} }

// documents are a gateway's: a registry docker.io that is the gallery's, and the
// rule that what it holds has to satisfy spec.
func (g *gallery) documents(tb testing.TB, spec object, root string) map[string]string {
	tb.Helper()
	text, err := json.MarshalIndent(object{
		"apiVersion": "vouchsafe.dev/v1alpha1",
		"kind":       "SignatureIntegration",
		"metadata":   object{"name": integrationName},
		"spec":       spec,
	}, "", "  ")
	if err != nil {
		tb.Fatal(err)
	}
	return map[string]string{
		"registry.yaml":    gateway.Registry("docker.io", g.at.Host),
		"integration.yaml": string(text),
		"policy.yaml":      gateway.Policy(policyName, "InformAndEnforce", `"docker.io/**"`, []string{integrationName}),
		rootFile:           root,
	}
}
