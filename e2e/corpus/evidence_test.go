package corpus

import (
	"fmt"
	"net/http"
	"strings"
)

// evidence is a well-formed image with hostile signatures: fill puts them into
// the repository of the image, which has this digest.
type evidence struct {
	family, name string
	fill         func(s *signer, r *repository, digest string)
	// allowed is true when a good signature is among them that counts.
	allowed bool
}

// signatureManifests are hostile images under the tag of cosign's first format.
func signatureManifests() []evidence {
	var all []evidence
	add := func(name string, allowed bool, body func(s *signer, r *repository, digest string) string) {
		all = append(all, evidence{"signature manifests", name, func(s *signer, r *repository, digest string) {
			r.manifest(signatureTag(digest), document{[]byte(body(s, r, digest)), ociManifest})
		}, allowed})
	}
	good := func(s *signer, r *repository, digest string) string {
		text := payload(digest)
		r.blob(text)
		return layerOf(simpleSigning, text, s.sign(text))
	}
	add("a good one", true, func(s *signer, r *repository, digest string) string { return sigManifest(good(s, r, digest)) })
	// The manifest around a good signature.
	for name, around := range map[string]func(manifest, layer string) string{
		"with manifests":              func(m, _ string) string { return strings.TrimSuffix(m, "}") + `,"manifests":[]}` },
		"with layers twice":           func(m, layer string) string { return strings.TrimSuffix(m, "}") + `,"layers":[` + layer + `]}` },
		"with layers twice by case":   func(m, layer string) string { return strings.TrimSuffix(m, "}") + `,"Layers":[` + layer + `]}` },
		"with data behind":            func(m, _ string) string { return m + "{}" },
		"with byte order mark":        func(m, _ string) string { return "\xef\xbb\xbf" + m },
		"as an index":                 func(_, layer string) string { return listOf(layer) },
		"without schemaVersion":       func(m, _ string) string { return strings.Replace(m, `"schemaVersion":2,`, "", 1) },
		"that calls itself an index":  func(m, _ string) string { return strings.Replace(m, ociManifest, ociIndex, 1) },
		"cut":                         func(m, _ string) string { return m[:len(m)-2] },
		"over 4 MiB":                  func(m, _ string) string { return m + strings.Repeat(" ", maxManifest) },
		"nested too deep":             func(m, _ string) string { return strings.TrimSuffix(m, "}") + `,"x":` + strings.Repeat("[", 10_000) },
		"with 1,001 layers":           func(_, layer string) string { return sigManifest(strings.Repeat(layer+",", maxEntries) + layer) },
		"with a huge declared size":   func(m, _ string) string { return strings.Replace(m, `,"annotations"`, `0000000,"annotations"`, 1) },
		"with a negative size":        func(m, _ string) string { return strings.Replace(m, `"size":`, `"size":-`, 2) },
		"with annotations of numbers": func(m, _ string) string { return strings.Replace(m, `"annotations":{`, `"annotations":{"a":1,`, 1) },
		"with the signature twice": func(m, _ string) string {
			return strings.Replace(m, `"annotations":{`, `"annotations":{"dev.cosignproject.cosign/signature":"AA",`, 1)
		},
		"of another layer type":        func(m, _ string) string { return strings.Replace(m, simpleSigning, simpleSigning+"2", 1) },
		"of a layer type in upper":     func(m, _ string) string { return strings.Replace(m, simpleSigning, strings.ToUpper(simpleSigning), 1) },
		"of a layer type with padding": func(m, _ string) string { return strings.Replace(m, simpleSigning, " "+simpleSigning, 1) },
	} {
		add("a good one "+name, false, func(s *signer, r *repository, digest string) string {
			layer := good(s, r, digest)
			return around(sigManifest(layer), layer)
		})
	}
	add("a good one behind 63 of strangers", true, func(s *signer, r *repository, digest string) string {
		return sigManifest(append(strangers(r, digest, 63), good(s, r, digest))...)
	})
	add("a good one behind 64 of strangers", false, func(s *signer, r *repository, digest string) string {
		return sigManifest(append(strangers(r, digest, 64), good(s, r, digest))...)
	})
	add("1,000 of strangers", false, func(_ *signer, r *repository, digest string) string {
		return sigManifest(strangers(r, digest, maxEntries)...)
	})
	add("payload of 1 MiB", true, func(s *signer, r *repository, digest string) string { return bigPayload(s, r, digest, 1<<20-200) })
	add("payload beyond 1 MiB", false, func(s *signer, r *repository, digest string) string { return bigPayload(s, r, digest, 1<<20+1) })
	add("8 MiB of strangers", false, func(_ *signer, r *repository, _ string) string {
		var layers []string
		for i := range 10 {
			body := []byte(fmt.Sprint(i) + strings.Repeat("x", 1<<20-300))
			r.blob(body)
			layers = append(layers, layerOf(simpleSigning, body, "AA=="))
		}
		return sigManifest(layers...)
	})
	// The payload under a good signature of it.
	for name, text := range map[string]func(digest string) string{
		"empty": func(string) string { return "" }, "null": func(string) string { return "null" }, "an array": func(string) string { return "[]" }, "an empty object": func(string) string { return "{}" },
		"about nothing": func(string) string { return string(payload("")) }, "about another image": func(string) string { return string(payload(sha([]byte("another")))) },
		"about the digest in upper case": func(d string) string { return string(payload(strings.ToUpper(d))) }, "about the digest with space": func(d string) string { return string(payload(d + " ")) },
		"about a short digest": func(d string) string { return string(payload(d[:20])) }, "of another type": func(d string) string {
			return strings.Replace(string(payload(d)), "cosign container image", "atomic container", 1)
		},
		"with a list for the image": func(d string) string { return strings.Replace(string(payload(d)), `"image":{`, `"image":[{`, 1) }, "that is no text": func(string) string { return "\x00\xff\xfe" },
		"nested too deep":                 func(string) string { return strings.Repeat("[", 500_000) },
		"with two digests, another first": func(d string) string { return twoDigests(sha([]byte("another")), d) },
	} {
		// A parser that takes the last of two names sees the right digest; the
		// signer wrote both, so who says either is the signer.
		allowed := name == "with two digests, another first"
		add("payload "+name, allowed, func(s *signer, r *repository, digest string) string {
			body := []byte(text(digest))
			r.blob(body)
			return sigManifest(layerOf(simpleSigning, body, s.sign(body)))
		})
	}
	// The signature of a good payload.
	for name, signature := range map[string]string{
		"empty": "", "no base64": "!!", "of no bytes": "====", "zero": "AA==", "of zeroes": "MAYCAQACAQA=", "a cut DER": "MEUCIQ==", "huge": strings.Repeat("A", 1<<19), "text": "signature", "of negative numbers": "MAYCAf8CAf8=",
	} {
		add("signature "+name, false, func(_ *signer, r *repository, digest string) string {
			body := payload(digest)
			r.blob(body)
			return sigManifest(layerOf(simpleSigning, body, signature))
		})
	}
	add("the blob is missing", false, func(s *signer, _ *repository, digest string) string {
		text := payload(digest)
		return sigManifest(layerOf(simpleSigning, text, s.sign(text)))
	})
	add("the blob has other bytes", false, func(s *signer, r *repository, digest string) string {
		text := payload(digest)
		r.blobs[sha(text)] = []byte("other")
		return sigManifest(layerOf(simpleSigning, text, s.sign(text)))
	})
	add("the blob is longer than declared", false, func(s *signer, r *repository, digest string) string {
		layer := good(s, r, digest)
		return sigManifest(strings.Replace(layer, fmt.Sprintf(`"size":%d`, len(payload(digest))), `"size":5`, 1))
	})
	return all
}

func twoDigests(first, second string) string {
	return strings.Replace(string(payload(second)), `"image":{`, `"image":{"docker-manifest-digest":"`+first+`",`, 1)
}

// strangers are layers with signatures by nobody we know.
func strangers(r *repository, digest string, n int) []string {
	text := payload(digest)
	r.blob(text)
	var layers []string
	for i := range n {
		layers = append(layers, layerOf(simpleSigning, text, fmt.Sprintf("MAYCAQ%02dACAQ==", i%100)))
	}
	return layers
}

func bigPayload(s *signer, r *repository, digest string, size int) string {
	text := payload(digest)
	text = append(text, strings.Repeat(" ", size-len(text))...)
	r.blob(text)
	return sigManifest(layerOf(simpleSigning, text, s.sign(text)))
}

// fixed answers every request with one document.
func fixed(d document) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answer(w, d) }
}
