package corpus

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
)

// bundles are hostile Sigstore bundles, found by the referrers API.
func bundles() []evidence {
	var all []evidence
	add := func(name string, allowed bool, make func(s *signer, digest string) string) {
		all = append(all, evidence{"bundles", name, func(s *signer, r *repository, digest string) {
			entry := attach(r, []byte(make(s, digest)), digest)
			r.referrers = fixed(document{[]byte(listOf(entry)), ociIndex})
		}, allowed})
	}
	good := func(s *signer, digest string) string { return bundle(s.envelope(statement(digest, signPredicate))) }
	add("a good one", true, good)
	for name, text := range map[string]string{
		"empty": "", "null": "null", "array": "[]", "empty object": "{}", "string": `"x"`, "no text": "\x00\xff", "gzip": "\x1f\x8b\x08", "nested arrays": strings.Repeat("[", 300_000), "nested objects": strings.Repeat(`{"a":`, 100_000),
		"many values": `{"a":` + repeated("0", 400_000) + "}", "many objects": `{"a":` + repeated("{}", 300_000) + "}", "only a media type": object("mediaType", quote(bundleType)), "over 1 MiB": object("x", quote(strings.Repeat("a", 1<<20))),
	} {
		add(name, false, func(*signer, string) string { return text })
	}
	// Edits of a good one. What protocol buffers' JSON does not take must not
	// pass for a part of the good one.
	for name, edit := range map[string]func(b string) string{
		"data behind": func(b string) string { return b + "{}" }, "byte order mark": func(b string) string { return "\xef\xbb\xbf" + b }, "cut": func(b string) string { return b[:len(b)-3] },
		"unknown media type": func(b string) string {
			return strings.Replace(b, bundleType, "application/vnd.dev.sigstore.bundle.v9+json", 1)
		}, "media type null": func(b string) string { return strings.Replace(b, quote(bundleType), "null", 1) },
		"media type a number": func(b string) string { return strings.Replace(b, quote(bundleType), "1", 1) },
		"no verification material": func(b string) string {
			return strings.Replace(b, `"verificationMaterial":{"publicKey":{"hint":"any"}},`, "", 1)
		},
		"verification material of another type": func(b string) string { return strings.Replace(b, `{"publicKey":{"hint":"any"}}`, "[]", 1) },
		"hint a number":                         func(b string) string { return strings.Replace(b, `"any"`, "1", 1) },
		"key and certificate": func(b string) string {
			return strings.Replace(b, `"publicKey":`, `"certificate":{"rawBytes":"AA=="},"publicKey":`, 1)
		},
		"no signatures":        func(b string) string { return b[:strings.Index(b, `"signatures":`)] + `"signatures":[]}}` },
		"signature of nothing": func(b string) string { return b[:strings.Index(b, `"signatures":`)] + `"signatures":[{"sig":""}]}}` },
		"signature null":       func(b string) string { return b[:strings.Index(b, `"signatures":`)] + `"signatures":[null]}}` },
		"10,000 signatures": func(b string) string {
			return b[:strings.Index(b, `"signatures":`)] + `"signatures":` + repeated(`{"sig":"AA=="}`, 10_000) + "}}"
		},
		"another payload type": func(b string) string { return strings.Replace(b, payloadType, "text/plain", 1) },
		"payload no base64":    func(b string) string { return strings.Replace(b, `"payload":"`, `"payload":"!`, 1) },
		"payload twice":        func(b string) string { return strings.Replace(b, `"payload":`, `"payload":"e30=","payload":`, 1) },
		"envelope twice":       func(b string) string { return strings.TrimSuffix(b, "}") + `,"dsseEnvelope":{}}` },
		"envelope and message": func(b string) string { return strings.TrimSuffix(b, "}") + `,"messageSignature":{"signature":"AA=="}}` },
		"a message alone": func(b string) string {
			return b[:strings.Index(b, `"dsseEnvelope"`)] + `"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"AA=="},"signature":"AA=="}}`
		},
		"33 log entries": func(b string) string {
			return strings.Replace(b, `"verificationMaterial":{`, `"verificationMaterial":{"tlogEntries":`+repeated("{}", 33)+`,`, 1)
		},
		"100,000 log entries": func(b string) string {
			return strings.Replace(b, `"verificationMaterial":{`, `"verificationMaterial":{"tlogEntries":`+repeated("{}", 100_000)+`,`, 1)
		},
		"33 log entries by the other name": func(b string) string {
			return strings.Replace(b, `"verificationMaterial":{`, `"verificationMaterial":{"tlog_entries":`+repeated("{}", 33)+`,`, 1)
		},
		"17 timestamps": func(b string) string {
			return strings.Replace(b, `"verificationMaterial":{`, `"verificationMaterial":{"timestampVerificationData":{"rfc3161Timestamps":`+repeated("{}", 17)+`},`, 1)
		},
		"unknown field": func(b string) string { return strings.Replace(b, "{", `{"x":1,`, 1) },
	} {
		add("good but "+name, false, func(s *signer, digest string) string { return edit(good(s, digest)) })
	}
	// Statements under a good signature.
	for name, text := range map[string]func(digest string) string{
		"empty": func(string) string { return "" }, "null": func(string) string { return "null" }, "no subject": func(string) string { return string(statement("", signPredicate)) },
		"another subject": func(string) string { return string(statement(sha([]byte("another")), signPredicate)) }, "provenance": func(d string) string { return string(statement(d, "https://slsa.dev/provenance/v1")) },
		"subject null": func(d string) string {
			return strings.Replace(string(statement(d, signPredicate)), `"subject":[`, `"subject":[null],"x":[`, 1)
		},
		"old statement type": func(d string) string {
			return strings.Replace(string(statement(d, signPredicate)), "Statement/v1", "Statement/v0.1", 1)
		},
		"digest in upper case": func(d string) string { return string(statement("sha256:"+strings.ToUpper(d[7:]), signPredicate)) },
		"predicate type twice": func(d string) string {
			return strings.Replace(string(statement(d, "https://slsa.dev/provenance/v1")), `"predicate":`, `"predicateType":"x","predicate":`, 1)
		},
		"nested too deep": func(string) string { return strings.Repeat("[", 100_000) },
		"100,000 subjects": func(string) string {
			return strings.Replace(string(statement(sha([]byte("another")), signPredicate)), `"subject":[`, `"subject":[`+strings.Repeat("{},", 100_000), 1)
		},
	} {
		// Hex digits are the same bytes in either letter case.
		add("statement "+name, name == "digest in upper case", func(s *signer, digest string) string { return bundle(s.envelope([]byte(text(digest)))) })
	}
	return all
}

// referrerAnswers are what a registry may say to the question who refers to an
// image, each alone and beside a good signature elsewhere.
func referrerAnswers() []evidence {
	entry := descriptor(ociManifest, "r", "artifactType", quote(bundleType))
	link := func(target string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "<"+target+">; rel=\"next\"")
			answer(w, document{[]byte(listOf(entry)), ociIndex})
		}
	}
	answers := map[string]http.HandlerFunc{
		"10,000 entries": fixed(document{[]byte(object("schemaVersion", "2", "manifests", repeated(entry, 10_000))), ociIndex}), "over 4 MiB": fixed(document{[]byte(listOf(strings.Repeat(entry+",", 30_000) + entry)), ociIndex}),
		"a million empty entries": fixed(document{[]byte(object("manifests", repeated("{}", 1_000_000))), ociIndex}), "entries of other types": fixed(document{[]byte(object("manifests", `[1,null,"x",[],true]`)), ociIndex}),
		"link to itself": func(w http.ResponseWriter, r *http.Request) { link(r.URL.RequestURI())(w, r) }, "link to another host": link("http://127.0.0.1:1/v2/x"), "link to a file": link("file:///etc/passwd"), "link that is none": link("://"),
		"link without end": func(w http.ResponseWriter, r *http.Request) { link(r.URL.Path+"?n="+r.URL.Query().Get("n")+"1")(w, r) },
		"server error":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			answer(w, document{[]byte(`{"manifests":[`), ociIndex})
		},
	}
	for name, body := range map[string]string{
		"empty": "", "null": "null", "array": "[]", "text": "hello", "HTML": "<html>", "empty object": "{}", "no list": object("schemaVersion", "2"), "list null": object("manifests", "null"), "list a string": object("manifests", quote("x")),
		"an image": image(), "list twice": `{"manifests":[],"manifests":[` + entry + `]}`, "list twice by case": `{"Manifests":[` + entry + `],"manifests":[]}`, "nested": strings.Repeat(`{"a":`, 10_000), "nested in an entry": `{"manifests":[{"a":` + strings.Repeat("[", 100_000),
		"zero bytes": strings.Repeat("\x00", 4096), "byte order mark": "\xef\xbb\xbf" + listOf(entry), "UTF-16": "\xff\xfe{\x00}\x00", "an entry that is not there": listOf(entry), "the same entry 1,000 times": object("manifests", repeated(entry, 1000)),
		"1,001 entries": object("manifests", repeated(entry, 1001)), "a digest that is a path": listOf(strings.Replace(entry, sha([]byte("r")), "sha256:../../../x", 1)), "a negative size": listOf(strings.Replace(entry, `"size":100`, `"size":-1`, 1)),
		"a huge size": listOf(strings.Replace(entry, `"size":100`, `"size":9223372036854775807`, 1)), "an index among them": listOf(descriptor(ociIndex, "r", "artifactType", quote(bundleType))), "a field of 3 MiB before": object("x", quote(strings.Repeat("a", 3<<20)), "manifests", array(entry)),
	} {
		answers[name] = fixed(document{[]byte(body), ociIndex})
	}
	var all []evidence
	for name, handler := range answers {
		all = append(all, evidence{"referrers", name, func(_ *signer, r *repository, _ string) { r.referrers = handler }, false})
		all = append(all, evidence{"referrers", name + " beside a good signature", func(s *signer, r *repository, digest string) {
			r.referrers = handler
			s.signTag(r, digest)
		}, true})
	}
	// The same lists under the tag that stands in for the API.
	for _, name := range []string{"an image", "list twice", "1,001 entries", "HTML"} {
		all = append(all, evidence{"referrers", name + " under the referrers tag", func(_ *signer, r *repository, digest string) {
			r.manifests[strings.Replace(digest, ":", "-", 1)] = recorded(answers[name])
		}, false})
	}
	all = append(all, subjects()...)
	return all
}

// subjects are good bundles in manifests that refer to something else, or to
// nothing: what a bundle is about is what it says itself.
func subjects() []evidence {
	var all []evidence
	for name, subject := range map[string]string{"another subject": sha([]byte("another")), "its own subject": ""} {
		all = append(all, evidence{"referrers", fmt.Sprintf("a good bundle with %s", name), func(s *signer, r *repository, digest string) {
			if subject == "" {
				subject = digest
			}
			entry := attach(r, []byte(bundle(s.envelope(statement(digest, signPredicate)))), subject)
			r.referrers = fixed(document{[]byte(listOf(entry, entry, entry)), ociIndex})
		}, true})
	}
	return all
}

// recorded is what a handler answers.
func recorded(handler http.HandlerFunc) document {
	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest(http.MethodGet, "/", nil))
	return document{w.Body.Bytes(), w.Header().Get("Content-Type")}
}
