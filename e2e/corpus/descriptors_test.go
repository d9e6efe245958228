package corpus

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// descriptors are members of descriptors that some clients act upon.
func descriptors() []row {
	var rows []row
	add := func(name, body string, w want) {
		rows = append(rows, row{family: "descriptors", name: name, body: body, want: w})
	}
	digest := quote(sha([]byte("d")))
	for _, place := range places {
		for _, mediaType := range []string{"", "x", "/", "a/", "/b", "a/b\u00e9", "a/b c", "a/\u007f", "null", "1", "[]"} {
			value, w := quote(mediaType), refused
			if mediaType == "null" || mediaType == "1" || mediaType == "[]" {
				value = mediaType
			}
			if mediaType == "a/b c" {
				w = either
			}
			value = strings.ReplaceAll(value, `\x7f`, "\x7f")
			add(fmt.Sprintf("media type %q of a %s", mediaType, place.name), place.with(object("mediaType", value, "digest", digest, "size", "1")), w)
		}
		add("media type missing of a "+place.name, place.with(object("digest", digest, "size", "1")), refused)
		add("size missing of a "+place.name, place.with(object("mediaType", quote(ociLayer), "digest", digest)), refused)
		for _, member := range []struct{ name, value string }{
			{"urls", array(quote("http://169.254.169.254/latest/meta-data/"))},
			{"urls", array(quote("file:///etc/passwd"))},
			{"urls", "1"},
			{"urls", "[1]"},
			{"urls", "null"},
			{"urls", "[]"},
			{"data", quote(base64.StdEncoding.EncodeToString([]byte(image2(goodConfig, array(evilLayer)))))},
			{"data", quote("!")},
			{"data", "1"},
			{"data", "null"},
			{"data", "[1,2]"},
			{"platform", "null"},
			{"platform", "1"},
			{"platform", object("os", "1")},
			{"platform", object("architecture", "null")},
			{"platform", object("os.features", "1")},
			{"platform", object("os.version", "[]")},
			{"annotations", "null"},
			{"annotations", "[]"},
			{"annotations", object("a", "1")},
			{"annotations", object("a", "null")},
			{"annotations", object("a", "{}")},
			{"artifactType", "null"},
			{"artifactType", "1"},
			{"artifactType", quote("x")},
			{"x", "null"},
		} {
			add(fmt.Sprintf("%s %.40s of a %s", member.name, member.value, place.name), place.with(descriptor(ociLayer, "d", member.name, member.value)), either)
		}
	}
	for _, foreign := range []string{
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", ociManifest, ociIndex, dockerList, ociConfig, schema1Signed,
	} {
		for _, place := range places {
			add("a "+place.name+" called "+foreign, place.with(descriptor(foreign, "d", "urls", array(quote("http://127.0.0.1:1/layer")))), either)
		}
	}
	add("an index that lists one digest as two types", index2(descriptor(ociManifest, "c"), descriptor(ociIndex, "c")), either)
	add("an image whose layer is its config", image2(goodConfig, array(descriptor(ociLayer, "config"))), either)
	return rows
}

// oldFormats are Docker's schema 1, with and without its signature, and formats
// that never came to be.
func oldFormats() []row {
	body := []string{
		"schemaVersion", "1", "name", quote("acme/app"), "tag", quote("t"), "architecture", quote("amd64"),
		"fsLayers", array(object("blobSum", quote(sha([]byte("old"))))), "history", array(object("v1Compatibility", quote("{}"))),
	}
	protected := base64.RawURLEncoding.EncodeToString([]byte(`{"formatLength":10,"formatTail":"fQ","time":"2026-01-01T00:00:00Z"}`))
	signed := append(append([]string{}, body...), "signatures", array(object(
		"header", object("jwk", object("crv", quote("P-256"), "kty", quote("EC")), "alg", quote("ES256")), "signature", quote("AA"), "protected", quote(protected))))
	artifact := object("mediaType", quote("application/vnd.oci.artifact.manifest.v1+json"), "artifactType", quote("a/b"), "blobs", array(goodLayer))
	var rows []row
	for name, text := range map[string]string{
		"schema 1": object(body...), "signed schema 1": object(signed...), "schema 1 that says 2": object(replaced(body, "schemaVersion", "2")...),
		"schema 1 with layers":    object(append(append([]string{}, body...), "config", goodConfig, "layers", goodLayers)...),
		"schema 1 with manifests": object(append(append([]string{}, signed...), "manifests", array(goodEntry))...),
		"artifact manifest":       artifact, "nothing": object("schemaVersion", "2"), "empty object": "{}",
	} {
		for _, outer := range []string{"", schema1, schema1Signed, ociManifest, dockerManifest, "application/json"} {
			rows = append(rows, row{family: "old formats", name: fmt.Sprintf("%s as %q", name, outer), body: text, contentType: outer, want: refused})
		}
	}
	return rows
}

// artifacts are signature artifacts and what only looks like them: the first are
// served unsigned, since signing tools have to read them.
func artifacts() []row {
	const empty = "{}"
	text := `{"critical":{}}`
	inert := object("mediaType", quote(emptyConfig), "digest", quote(sha([]byte(empty))), "size", "2")
	layer := func(mediaType, body string) string {
		return object("mediaType", quote(mediaType), "digest", quote(sha([]byte(body))), "size", fmt.Sprint(len(body)))
	}
	archive := "a" + strings.Repeat("\x00", 1023)
	var rows []row
	add := func(name, body string, exempt bool, blobs ...string) {
		rows = append(rows, row{family: "artifacts", name: name, body: body, want: served, exempt: exempt, blobs: append(blobs, empty)})
	}
	add("empty config and a signature", image2(inert, array(layer(simpleSigning, text))), true, text)
	add("image config and a signature", image2(layer(ociConfig, `{"architecture":"","config":{},"os":"","rootfs":{"type":"layers","diff_ids":[]}}`), array(layer(simpleSigning, text))), true,
		text, `{"architecture":"","config":{},"os":"","rootfs":{"type":"layers","diff_ids":[]}}`)
	add("a config that starts something", image2(layer(ociConfig, `{"config":{"Cmd":["/x"]}}`), array(layer(simpleSigning, text))), false, text, `{"config":{"Cmd":["/x"]}}`)
	add("an archive called a signature", image2(layer(ociConfig, empty), array(layer(simpleSigning, archive))), false, archive)
	add("a manifest called a signature", image2(layer(ociConfig, empty), array(layer(simpleSigning, image()))), false, image())
	add("a layer among signatures", image2(inert, array(layer(simpleSigning, text), goodLayer)), false, text)
	add("a signature type with parameters", image2(inert, array(layer(simpleSigning+";x=y", text))), false, text)
	add("a signature type in upper case", image2(inert, array(layer(strings.ToUpper(simpleSigning), text))), false, text)
	add("no layer at all", image2(inert, "[]"), false)
	add("an image called an artifact", image("artifactType", quote(bundleType)), false)
	add("an index called an artifact", index("artifactType", quote(bundleType)), false)
	add("an index of an artifact that is an image", index2(descriptor(ociManifest, "child", "artifactType", quote(bundleType))), false)
	add("an index with embedded content", index2(descriptor(ociManifest, "child", "artifactType", quote(bundleType), "data", `"e30="`)), false)
	add("sizes that overflow a sum", image2(inert, array(object("mediaType", quote(simpleSigning), "digest", quote(sha([]byte(text))), "size", "9223372036854775807"), object("mediaType", quote(simpleSigning), "digest", quote(sha([]byte(text))), "size", "9223372036854775807"))), false, text)
	return rows
}

// mutations are well-formed documents with a few random edits. The seed makes
// them the same in every run.
func mutations(n int) []row {
	random := rand.New(rand.NewPCG(20260101, 3))
	seeds := []string{
		image("annotations", object("a", `"b"`), "subject", goodConfig), index("annotations", object("a", `"b"`)), image2(goodConfig, array(goodLayer)),
		object("schemaVersion", "2", "mediaType", quote(dockerManifest), "config", goodConfig, "layers", goodLayers),
		object("schemaVersion", "2", "mediaType", quote(dockerList), "manifests", array(goodEntry, evilEntry)),
		object("schemaVersion", "2", "manifests", array(goodEntry)),
	}
	pieces := []string{
		`"layers":[],`, `"manifests":[],`, `"config":{},`, `"Layers":[],`, `"mediaType":"` + ociIndex + `",`, `"digest":"` + sha([]byte("evil")) + `",`, `"size":-1,`, "null", "[", "]", "{", "}", ",", ":", `"`, `\`, "\x00", "1e9", " ", `"data":"e30=",`,
	}
	var rows []row
	for i := range n {
		body := seeds[random.IntN(len(seeds))]
		for range 1 + random.IntN(3) {
			at := random.IntN(len(body))
			switch random.IntN(5) {
			case 0: // One bit.
				body = body[:at] + string([]byte{body[at] ^ 1<<random.IntN(8)}) + body[at+1:]
			case 1: // A piece less.
				body = body[:at] + body[min(len(body), at+1+random.IntN(20)):]
			case 2: // A piece twice.
				body = body[:at] + body[max(0, at-random.IntN(200)):]
			case 3: // A piece of something else, behind a comma or brace.
				at += strings.IndexAny(body[at:]+"{", "{,") + 1
				at = min(at, len(body))
				body = body[:at] + pieces[random.IntN(len(pieces))] + body[at:]
			case 4: // Letter case.
				body = body[:at] + strings.ToUpper(body[at:at+1]) + body[at+1:]
			}
			if body == "" {
				body = "{}"
			}
		}
		outer := []string{"", ociManifest, ociIndex, dockerManifest, "application/json"}[random.IntN(5)]
		rows = append(rows, row{family: "mutations", name: fmt.Sprintf("number %d", i), body: body, contentType: outer, want: either})
	}
	return rows
}
