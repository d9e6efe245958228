package verify_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"vouchsafe/verify"
)

// TestTrustedRootFiles has the files that people name as a trusted root.
func TestTrustedRootFiles(t *testing.T) {
	good := trustFile(t, "trusted_root.json")
	const head = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"`
	weak := base64.StdEncoding.EncodeToString(pkix(t, smallRSA(t).Public()))
	log := head + `,"tlogs":[{"baseUrl":"http://l.example","hashAlgorithm":"SHA2_256","publicKey":{"rawBytes":"` + weak +
		`","keyDetails":"PKIX_RSA_PKCS1V15_2048_SHA256","validFor":{"start":"2021-01-12T11:53:27Z"}},"logId":{"keyId":"aaaa"}}]}`
	leaf := base64.StdEncoding.EncodeToString(newSpecPKI(t).tsa.certificate.Raw)
	for _, c := range []struct{ name, text, want string }{
		{"one that cosign made", good, ""},
		{"one with blanks around it", "\n\n" + good + "\n", ""},
		{"nothing", " \n", "the file is empty (cosign trusted-root create makes one)"},
		{"more than a mebibyte", good + strings.Repeat(" ", 1<<20), "more than 1024 KiB"},
		{"PEM", trustFile(t, "fulcio-chain.pem"), "holds PEM, wanted a trusted root in JSON"},
		{"a private key", block("EC PRIVATE KEY", []byte("hunter2")), "holds a private key"},
		{"TUF metadata", `{"signed":{"_type":"root"},"signatures":[]}`, "metadata of a TUF repository (root.json)"},
		{"a signing config", trustFile(t, "signing_config.json"), "a signing config, wanted a trusted root"},
		{"other JSON", `{"auths":{"docker.io":{"auth":"hunter2"}}}`, "has no mediaType"},
		{"JSON of another shape", `["hunter2"]`, "is JSON, but no trusted root"},
		{"a number", `17`, "is JSON, but no trusted root"},
		{"cut JSON", good[:len(good)/2], "not JSON: an error at byte"},
		{"text", "hunter2", "not JSON: an error at byte 1"},
		{"a later version", strings.Replace(good, "version=0.1", "version=0.9", 1), "the media type \"application/vnd.dev.sigstore.trustedroot+json;version=0.9\" is not known"},
		{"an unknown field", head + `,"extra":[]}`, `unknown field \"extra\"`},
		{"a field twice", head + `,"tlogs":[],"tlogs":[]}`, "duplicate field"},
		{"a log without a key", head + `,"tlogs":[{"hashAlgorithm":"SHA2_256","logId":{"keyId":"aaaa"}}]}`, "tlog missing public key"},
		{"an authority without certificates", head + `,"certificateAuthorities":[{}]}`, "missing cert chain"},
		{"a log with a weak key", log, "a transparency log's key: RSA of 1024 bits"},
		{"a timestamp authority without root", head + `,"timestampAuthorities":[{"certChain":{"certificates":[{"rawBytes":"` + leaf + `"}]}}]}`, "timestamp authority 1 has no root certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := verify.Spec{
				PublicKeys:      []verify.PublicKeySpec{{Name: "a", Key: newSigner(t).pem(t)}},
				TransparencyLog: logged(), TrustedRoot: &verify.TrustedRootSpec{File: "root.json"},
			}
			want := c.want
			if want != "" {
				want = "spec.trustedRoot.file: " + want
			}
			in, err := loaded(spec, map[string]string{"root.json": c.text})
			wantProblem(t, in, err, want)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message echoes the file: %v", err)
			}
		})
	}
}

func TestATrustedRootNeedsFiles(t *testing.T) {
	in, err := verify.NewIntegration("release", verify.Spec{
		PublicKeys:      []verify.PublicKeySpec{{Name: "a", Key: newSigner(t).pem(t)}},
		TransparencyLog: logged(), TrustedRoot: &verify.TrustedRootSpec{File: "root.json"},
	})
	wantProblem(t, in, err, "spec.trustedRoot.file: files cannot be read here")
}

// TestABrokenTrustedRootIsOneMistake: what would come from it is not reported as
// missing too.
func TestABrokenTrustedRootIsOneMistake(t *testing.T) {
	in, err := loaded(verify.Spec{
		Certificates:    []verify.CertificateSpec{keyless()},
		TransparencyLog: logged(), TimestampAuthority: stamped(), TrustedRoot: &verify.TrustedRootSpec{File: "root.json"},
	}, map[string]string{"root.json": "{"})
	wantProblem(t, in, err, "spec.trustedRoot.file: not JSON")
}

// TestEmbeddedTrustedRootIsTheOneOfItsDate: the snapshot is byte for byte what the
// module ships that was released on that day.
func TestEmbeddedTrustedRootIsTheOneOfItsDate(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-json", "github.com/sigstore/sigstore-go").Output()
	check(t, err)
	var module struct {
		Dir  string
		Time time.Time
	}
	check(t, json.Unmarshal(out, &module))
	want, err := os.ReadFile(module.Dir + "/examples/trusted-root-public-good.json")
	check(t, err)
	got, err := os.ReadFile("trustedroot/public-good.json")
	check(t, err)
	if string(got) != string(want) {
		t.Error("the snapshot is not the module's: copy it, and set its date")
	}
	if day := module.Time.UTC().Format(time.DateOnly); day != verify.EmbeddedTrustedRootDate {
		t.Errorf("got the date %s, the module is of %s", verify.EmbeddedTrustedRootDate, day)
	}
}
