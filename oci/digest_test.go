package oci_test

import (
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"vouchsafe/oci"
)

func TestParseDigest(t *testing.T) {
	for _, s := range []string{hexA, hexB, "sha256:" + strings.Repeat("0123456789abcdef", 4)} {
		d, err := oci.ParseDigest(s)
		if err != nil || d.String() != s {
			t.Errorf("%s: got %s, %v", s, d, err)
		}
		if got := d.Algorithm() + ":" + d.Hex(); got != s {
			t.Errorf("%s: the parts are those of %s", s, got)
		}
	}
	for _, s := range []string{
		"", ":", "sha256", "sha256:", ":" + strings.Repeat("a", 64), strings.Repeat("a", 64), "md5:" + strings.Repeat("a", 32),
		"sha384:" + strings.Repeat("a", 96), "SHA256:" + strings.Repeat("a", 64), "sha256:" + strings.Repeat("a", 63),
		"sha256:" + strings.Repeat("a", 65), "sha256:" + strings.Repeat("A", 64), "sha256:" + strings.Repeat("g", 64),
		hexA + "\n", " " + hexA, "sha256:" + strings.Repeat("a", 128), "sha512:" + strings.Repeat("b", 64),
		"sha256:../../../etc/passwd", "sha256:" + strings.Repeat("é", 32), "sha256:" + strings.Repeat("a", 63) + "\x00",
	} {
		if d, err := oci.ParseDigest(s); err == nil {
			t.Errorf("%q: got %s, want an error", s, d)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the message has two lines: %q", s, err)
		}
	}
}

func TestDigestMatchesContent(t *testing.T) {
	content := []byte("content")
	sum := sha512.Sum512(content)
	for _, d := range []oci.Digest{oci.SHA256(content), mustDigest("sha512:" + hex.EncodeToString(sum[:]))} {
		if !d.Matches(content) || d.Matches([]byte("other")) || d.Matches(nil) {
			t.Errorf("%s matches other content, or not its own", d)
		}
		h := d.NewHash()
		h.Write(content)
		if !d.MatchesSum(h) {
			t.Errorf("%s does not match the running hash", d)
		}
	}
	h := oci.SHA256(nil).NewHash()
	if mustDigest(hexB).MatchesSum(h) {
		t.Error("a sha512 digest matches a sha256 hash")
	}
}

func TestZeroDigestMatchesNothing(t *testing.T) {
	var zero oci.Digest
	if zero.Matches(nil) || zero.MatchesSum(nil) || zero.MatchesSum(oci.SHA256(nil).NewHash()) || zero.NewHash() != nil {
		t.Error("the zero value matches something")
	}
	if mustDigest(hexA).MatchesSum(nil) {
		t.Error("a nil hash matches")
	}
	if !zero.IsZero() || zero.String()+zero.Algorithm()+zero.Hex()+zero.TagName()+zero.Short() != "" {
		t.Error("the zero value prints as something")
	}
}

func TestDigestForms(t *testing.T) {
	d := mustDigest(hexA)
	if got, want := d.TagName(), "sha256-"+strings.Repeat("a", 64); got != want {
		t.Errorf("got tag name %s, want %s", got, want)
	}
	if got, want := d.Short(), "sha256:aaaaaaaaaaaa…"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDigestInJSON(t *testing.T) {
	type document struct{ Digest oci.Digest }
	for _, want := range []document{{}, {mustDigest(hexA)}} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got document
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			t.Errorf("got %v, %v from %s", got, err, b)
		}
	}
	if err := json.Unmarshal([]byte(`{"Digest":"sha256:1"}`), &document{}); err == nil {
		t.Error("a bad digest is decoded")
	}
}

// FuzzParseDigest: what is accepted prints as it was and is harmless in a path.
func FuzzParseDigest(f *testing.F) {
	for _, s := range []string{hexA, hexB, "sha256:", "md5:" + strings.Repeat("a", 32), "sha256:../", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := oci.ParseDigest(s)
		if err != nil {
			if !d.IsZero() {
				t.Fatalf("%q: an error and the digest %s", s, d)
			}
			return
		}
		if d.String() != s || d.NewHash() == nil || strings.Trim(s, "abcdefhs0123456789:") != "" {
			t.Fatalf("%q is accepted as %s", s, d)
		}
		if err := oci.CheckTag(d.TagName() + ".sig"); err != nil && d.Algorithm() == "sha256" {
			t.Fatal(err)
		}
	})
}
