package verify_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// most is how far the peak of resident memory may rise over idle.
const most = shadow * 64 << 20

// scenario is what the child is told.
type scenario struct {
	Host   string
	Digest oci.Digest
	Key    string
}

// measured is what the child answers.
type measured struct {
	Status        string
	Reason        verify.Reason
	Items         int
	Idle, Peak    int64
	Before, After int
}

func init() { child = runChild }

// TestMemoryOfHostileEvidence has each input by which somebody who may push beside an
// image could try to end or to fill a process that verifies with cosign 2.6.5.
func TestMemoryOfHostileEvidence(t *testing.T) {
	s := newSigner(t)
	digest := someImage("a")
	for name, set := range hostile(t, s, digest) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			set(w)
			w.sig("calm", digest, s.layer(t, digest))
			got := inChild(t, scenario{Host: w.host(), Digest: digest, Key: s.pem(t)})
			t.Logf("%s %s, %d items, %d MiB over idle", got.Status, got.Reason, got.Items, (got.Peak-got.Idle)>>20)
			if got.Status != verify.Verified.String() {
				t.Errorf("got %s %q: the good signature must count", got.Status, got.Reason)
			}
			if over := got.Peak - got.Idle; over > most {
				t.Errorf("memory rose by %d MiB, at most %d are right", over>>20, most>>20)
			}
			if got.After > got.Before {
				t.Errorf("%d goroutines before, %d after", got.Before, got.After)
			}
		})
	}
}

// hostile returns worlds in which one signature of the image is good.
func hostile(t *testing.T, s signer, digest oci.Digest) map[string]func(*world) {
	good := s.layer(t, digest)
	worlds := map[string]func(*world){
		"1 MiB of gzip as a bundle": func(w *world) {
			var entries []object
			bomb := gzipBomb(t)
			for i := range byte(8) {
				entries = append(entries, w.referrer("app", digest, append(bomb[:len(bomb):len(bomb)], i)))
			}
			w.api("app", digest, append(entries, w.referrer("app", digest, s.bundle(t, digest)))...)
		},
		"1,000 layers that say 128 MiB": func(w *world) {
			all := []layer{good}
			for i := range 999 {
				all = append(all, layer{payload: fmt.Append(nil, i), size: 128 << 20})
			}
			w.sig("app", digest, all...)
		},
		"referrers without end": func(w *world) {
			w.answer("app/referrers/"+digest.String(), endless(w, digest))
			w.sig("app", digest, good)
		},
		"100,000 entries in API and tag": func(w *world) {
			entry := w.referrer("app", digest, []byte("{}"))
			body, err := json.Marshal(entry)
			check(t, err)
			list := `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageIndex + `","manifests":[` +
				strings.TrimSuffix(strings.Repeat(string(body)+",", 100_000), ",") + `]}`
			w.set("app/manifests/"+digest.TagName(), oci.MediaTypeImageIndex, []byte(list))
			w.set("app/referrers/"+digest.String(), oci.MediaTypeImageIndex, []byte(list))
			w.sig("app", digest, good)
		},
		"64 referrers of 4 MiB": func(w *world) {
			var entries []object
			for i := range 64 {
				body := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"x":"%d%s"}`, oci.MediaTypeImageManifest, i, strings.Repeat("x", oci.MaxManifestBytes-200))
				d := oci.SHA256(body)
				w.set("app/manifests/"+d.String(), oci.MediaTypeImageManifest, body)
				entries = append(entries, object{"mediaType": oci.MediaTypeImageManifest, "digest": d, "size": 500, "artifactType": bundleV03})
			}
			w.api("app", digest, entries...)
			w.sig("app", digest, good)
		},
		"bundles that unfold when they are parsed": func(w *world) {
			var entries []object
			for i, form := range []string{
				`{"verificationMaterial":{"tlogEntries":[%s]}}`, `{"verificationMaterial":{"tlog_entries":[%s]}}`,
				`{"verificationMaterial":{"x509CertificateChain":{"certificates":[%s]}}}`,
				`{"verificationMaterial":{"timestampVerificationData":{"rfc3161Timestamps":[%s]}}}`,
				`{"dsseEnvelope":{"signatures":[%s]}}`, `[%s]`,
			} {
				body := fmt.Appendf(nil, form, strings.Repeat("{},", (verify.MaxSignatureBytes-200)/3)+fmt.Sprintf(`{"x":%d}`, i))
				entries = append(entries, w.referrer("app", digest, body))
			}
			w.api("app", digest, append(entries, w.referrer("app", digest, s.bundle(t, digest)))...)
		},
		"payloads of 1 MiB that unfold": func(w *world) {
			all := []layer{good}
			for i := range 7 {
				body := fmt.Appendf(nil, `{"critical":{"type":"cosign container image signature"},"optional":{"a":[%s%d]}}`,
					strings.Repeat("[],", (verify.MaxSignatureBytes-300)/3), i)
				all = append(all, layer{payload: body, annotations: map[string]string{signatureAnnotation: "AAAA"}})
			}
			w.sig("app", digest, all...)
		},
	}
	for name, annotations := range panicInputs() {
		worlds["panic: "+name] = func(w *world) {
			w.sig("app", digest, layer{payload: []byte("{}"), annotations: annotations}, good)
		}
	}
	return worlds
}

// gzipBomb returns just under 1 MiB that unfolds to a gibibyte.
func gzipBomb(t *testing.T) []byte {
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestSpeed)
	check(t, err)
	for z.Len() < verify.MaxSignatureBytes-64<<10 {
		_, _ = w.Write(make([]byte, 1<<20))
		check(t, w.Flush())
	}
	check(t, w.Close())
	return z.Bytes()
}

func inChild(t *testing.T, s scenario) measured {
	t.Helper()
	say, err := json.Marshal(s)
	check(t, err)
	self, err := os.Executable()
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(say))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the process died: %v\n%.2000s", err, stderr.String())
	}
	var got measured
	check(t, json.Unmarshal(out, &got))
	return got
}

// runChild judges a calm image to warm up, then the hostile one three times.
func runChild(say string) int {
	var s scenario
	if err := json.Unmarshal([]byte(say), &s); err != nil {
		return 2
	}
	in, err := verify.NewIntegration("k", verify.Spec{PublicKeys: []verify.PublicKeySpec{{Name: "k", Key: s.Key}}})
	if err != nil {
		return 2
	}
	source := newSource()
	v := verify.New(source, verify.NewLRU(10, nil), verify.Config{})
	ask := func(path string) verify.Result {
		got, err := v.Results(context.Background(), verify.Query{
			Repository: oci.Repository{Registry: s.Host, Path: path}, Digest: s.Digest, Needed: []*verify.Integration{in}, MaxAge: time.Nanosecond,
		})
		if err != nil {
			panic(err)
		}
		return got[0]
	}
	ask("calm")
	v.Close()
	source.close()
	runtime.GC()
	var m measured
	m.Before = settledGoroutines(1)
	peakRSS()
	m.Idle = peakRSS()
	for range 3 {
		got := ask("app")
		m.Status, m.Reason, m.Items = got.Status.String(), got.Reason, len(got.Signatures)
	}
	m.Peak = peakRSS()
	v.Close()
	source.close()
	m.After = settledGoroutines(m.Before)
	_ = json.NewEncoder(os.Stdout).Encode(m)
	return 0
}

// settledGoroutines waits until there are at most want goroutines, or 2 s.
func settledGoroutines(want int) int {
	for end := time.Now().Add(2 * time.Second); runtime.NumGoroutine() > want && time.Now().Before(end); {
		runtime.Gosched()
	}
	return runtime.NumGoroutine()
}

// peakRSS returns the peak of resident memory since it was last asked.
func peakRSS() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				panic(err)
			}
			return kib << 10
		}
	}
	panic("no VmHWM")
}
