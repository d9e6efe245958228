package verify

import (
	"os"
	"testing"

	"vouchsafe/oci"
)

// FuzzJudgeBundle: no change of a good bundle makes it Verified for another file,
// and none makes a parser fail.
func FuzzJudgeBundle(f *testing.F) {
	const recorded = "../cmd/vouchsafe/testdata/bundles/"
	good := must(oci.ParseDigest("sha256:6ae8a75555209fd6c44157c0aed8016e763ff435a19cf186f76863140143ff72"))(f)
	other := oci.SHA256([]byte("another file"))
	key := PublicKeySpec{Name: "k", Key: string(must(os.ReadFile(recorded + "key-stamped.pub"))(f))}
	in := must(NewIntegration("k", Spec{PublicKeys: []PublicKeySpec{key}}))(f)
	for _, name := range []string{"key-stamped", "othername", "provenance", "provenance-v0.2", "two-signatures"} {
		f.Add(must(os.ReadFile(recorded + name + ".json"))(f))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := JudgeBundle(data, File{Digests: []oci.Digest{other}, Bytes: []byte("another file"), Whole: true}, in, afterRecording); got.Status != Untrusted || got.Reason == "" {
			t.Errorf("got %+v for another file", got)
		}
		if got := JudgeBundle(data, File{Digests: []oci.Digest{good}}, in, afterRecording); got.Status == Verified && got.Key == nil {
			t.Errorf("got %+v", got)
		}
		if got := JudgeBundle(data, File{}, in, afterRecording); got.Status != Untrusted {
			t.Errorf("got %+v for no file", got)
		}
	})
}
