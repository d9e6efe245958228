package differential_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// object and list are YAML, written as JSON.
type (
	object = map[string]any
	list   = []any
)

// trust is one rule, as a document of ours and as flags of cosign.
type trust struct {
	// name is one that repositories may have.
	name string
	spec object
	// root is the JSON of the trusted root.
	root  string
	flags []string
	// anyTime is true where a certificate may be proven by a log's time or by a
	// timestamp's.
	anyTime bool
	// from is what it was made of.
	from material
}

// material is what a trust is made of.
type material struct {
	key, identity, issuer, chain string
	root                         object
}

// family is a way to sign with the fixtures that are signed so.
type family struct {
	name   string
	images []string
	// has lists the parts of the material that the way depends on, with which it
	// is made wrong.
	has   []string
	spec  func(tb testing.TB, m material) object
	flags func(m material) []string
	own   bool
	// changed is how many of the images are changed: the others are of a kind with
	// those.
	changed int
}

var (
	logged  = object{"transparencyLog": object{"enabled": true, "offline": true}}
	stamped = object{"timestampAuthority": object{"enabled": true}}
	rooted  = object{"trustedRoot": object{"file": "root.json"}}
)

func with(blocks ...object) object {
	all := object{}
	for _, block := range blocks {
		maps.Copy(all, block)
	}
	return all
}

// byKey and byName are the rules about a key, and about a certificate's names.
func byKey(blocks ...object) func(testing.TB, material) object {
	return func(tb testing.TB, m material) object {
		tb.Helper()
		return with(append(blocks, object{"publicKeys": list{object{"name": "signer", "key": string(readFile(tb, m.key))}}})...)
	}
}

func byName(blocks ...object) func(testing.TB, material) object {
	return func(tb testing.TB, m material) object {
		tb.Helper()
		rule := object{"oidcIssuer": m.issuer, "identity": m.identity}
		if m.chain != "" {
			rule["chain"] = string(readFile(tb, m.chain))
		}
		return with(append(blocks, object{"certificates": list{rule}})...)
	}
}

func keyFlags(more ...string) func(material) []string {
	return func(m material) []string { return append([]string{"--key", m.key}, more...) }
}

func nameFlags(more ...string) func(material) []string {
	return func(m material) []string {
		return append([]string{"--certificate-identity", m.identity, "--certificate-oidc-issuer", m.issuer}, more...)
	}
}

const (
	ignoreLog = "--insecure-ignore-tlog=true"
	ignoreSCT = "--insecure-ignore-sct=true"
	useStamps = "--use-signed-timestamps"
)

// families are all ways to sign of the fixtures but one, for which a log would
// have to be asked.
var families = []family{
	{
		"key",
		[]string{"key-nolog", "b-key-nolog", "two", "index-top", "index", "b-index", "b-att"},
		[]string{"key"},
		byKey(), keyFlags(ignoreLog), false, 2,
	},
	{"key-log", []string{"key-log", "b-key", "b2-key"}, []string{"key", "log"}, byKey(logged, rooted), keyFlags(), false, 3},
	{
		"keyless",
		[]string{"keyless", "b-keyless", "l3-keyless"},
		[]string{"identity", "issuer", "authority", "ct", "log"},
		byName(logged, rooted), nameFlags(), false, 2,
	},
	{"keyless-workflow", []string{"keyless-gha"}, []string{"identity", "issuer"}, byName(logged, rooted), nameFlags(), false, 0},
	{
		"keyless-v2",
		[]string{"b2-keyless"},
		[]string{"identity", "issuer", "authority", "ct", "log", "stamps"},
		byName(logged, stamped, rooted), nameFlags(useStamps), false, 1,
	},
	{
		"keyless-stamped",
		[]string{"keyless-tsa"},
		[]string{"identity", "issuer", "authority", "ct", "stamps"},
		byName(stamped, rooted), nameFlags(ignoreLog, useStamps), false, 1,
	},
	{"own", []string{"own-ca"}, []string{"identity", "issuer", "authority"}, byName(rooted), nameFlags(ignoreLog, ignoreSCT), true, 1},
	{"own-log", []string{"own-ca-log"}, []string{"identity", "issuer", "authority", "log"}, byName(logged, rooted), nameFlags(ignoreSCT), true, 1},
}

// right is the material that the family's images are good under; wrong is that
// with one part of it, which it names, exchanged.
func (f family) right(tb testing.TB) material {
	tb.Helper()
	m := material{
		key: trusted(tb, "k1.pub"), identity: "dev@corp.example", issuer: "http://127.0.0.1:15001/email",
		root: decode[object](tb, readFile(tb, trusted(tb, "trusted_root.json"))),
	}
	if f.own {
		m.identity, m.issuer, m.chain = "builder@corp.example", "https://ci.corp.example", trusted(tb, "own-chain.pem")
		m.root["certificateAuthorities"] = authority(tb, m.root["certificateAuthorities"], m.chain)
	}
	if f.name == "keyless-workflow" {
		m.identity = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main"
		m.issuer = "http://127.0.0.1:15001/gha"
	}
	return m
}

func (f family) wrong(tb testing.TB, part string) material {
	tb.Helper()
	m := f.right(tb)
	switch part {
	case "key":
		m.key = trusted(tb, "wrong.pub")
	case "identity":
		m.identity = "xdev@corp.example"
	case "issuer":
		m.issuer += "/"
	case "authority":
		other := "own-chain.pem"
		if f.own {
			other = "wrong-root.pem"
			m.chain = trusted(tb, other)
		}
		m.root["certificateAuthorities"] = authority(tb, m.root["certificateAuthorities"], trusted(tb, other))
	case "ct":
		strange(tb, m.root["ctlogs"])
	case "log":
		strange(tb, m.root["tlogs"])
	case "stamps":
		m.root["timestampAuthorities"] = authority(tb, m.root["timestampAuthorities"], trusted(tb, "wrong-root.pem"))
	default:
		tb.Fatalf("no part is called %q", part)
	}
	return m
}

// trust makes the rule of a family from a material.
func (f family) trust(tb testing.TB, name string, m material) trust {
	tb.Helper()
	root := encode(tb, m.root)
	path := filepath.Join(tb.TempDir(), "root.json")
	check(tb, os.WriteFile(path, []byte(root), 0o600))
	return trust{name, f.spec(tb, m), root, append(f.flags(m), "--trusted-root", path), f.name == "keyless", m}
}

func trusted(tb testing.TB, name string) string {
	tb.Helper()
	path, err := filepath.Abs(filepath.Join(fixtures, "trust", name))
	check(tb, err)
	return path
}

// authority is a root's list of authorities with the certificates of a file.
func authority(tb testing.TB, authorities any, path string) list {
	tb.Helper()
	var chain list
	for _, der := range blocks(tb, path) {
		chain = append(chain, object{"rawBytes": base64.StdEncoding.EncodeToString(der)})
	}
	one := maps.Clone(authorities.(list)[0].(object)) //nolint:forcetypeassert // a file of ours
	one["certChain"] = object{"certificates": chain}
	return list{one}
}

// strange gives logs the key of another.
func strange(tb testing.TB, logs any) {
	tb.Helper()
	der := blocks(tb, trusted(tb, "wrong.pub"))[0]
	id := sha256.Sum256(der)
	for _, log := range logs.(list) { //nolint:forcetypeassert // a file of ours
		one := log.(object)                          //nolint:forcetypeassert // as above
		key := maps.Clone(one["publicKey"].(object)) //nolint:forcetypeassert // as above
		key["rawBytes"] = base64.StdEncoding.EncodeToString(der)
		key["keyDetails"] = "PKIX_ECDSA_P256_SHA_256"
		one["publicKey"], one["logId"] = key, object{"keyId": base64.StdEncoding.EncodeToString(id[:])}
	}
}

func blocks(tb testing.TB, path string) (all [][]byte) {
	tb.Helper()
	rest := readFile(tb, path)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return all
		}
		all = append(all, block.Bytes)
	}
}

// documents are the product's: a registry, and a rule for each trust.
func documents(tb testing.TB, host string, trusts []trust) string {
	tb.Helper()
	folder := tb.TempDir()
	write := func(name, text string) {
		check(tb, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	document := func(kind, name string, spec object) {
		write(strings.ToLower(kind)+"-"+name+".yaml", encode(tb, object{
			"apiVersion": "vouchsafe.dev/v1alpha1", "kind": kind, "metadata": object{"name": name}, "spec": spec,
		}))
	}
	document("Registry", "docker.io", object{"endpoint": "http://" + host, "plainHTTP": true, "allowPrivateAddresses": true})
	for _, t := range trusts {
		file := fmt.Sprintf("root-%s.json", t.name)
		write(file, t.root)
		spec := maps.Clone(t.spec)
		if spec["trustedRoot"] != nil {
			spec["trustedRoot"] = object{"file": file}
		}
		document("SignatureIntegration", t.name, spec)
	}
	return folder
}
