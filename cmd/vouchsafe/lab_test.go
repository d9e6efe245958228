package main

import (
	"context"
	"os"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"vouchsafe/internal/lab"
)

// labs are the registries of the running scripts, by address.
var labs sync.Map

// startLab starts a registry on loopback that ends with the script. $REGISTRY is
// its address; release.pub and other.pub are keys. Its images, all with tag 1:
//
//	signed      by the release key, .sig tag
//	bundled     by the release key, bundle
//	stranger    by the other key
//	both        by both keys
//	unsigned    by nobody
//	stolen      has the signature of "signed"
//	attested    has an attestation alone
//	index       signed index, its children are not
func startLab(ts *testscript.TestScript, _ bool, _ []string) {
	r, err := lab.NewRegistry(context.Background(), lab.RegistryConfig{Referrers: true})
	ts.Check(err)
	labs.Store(r.Host(), r)
	ts.Defer(func() { labs.Delete(r.Host()); r.Close() })
	release, err := lab.NewKey()
	ts.Check(err)
	other, err := lab.NewKey()
	ts.Check(err)

	signed, err := r.PushImage("acme/signed", "1", "signed")
	ts.Check(err)
	ts.Check(release.SignTag(r, signed))
	for repository, sign := range map[string][]*lab.Key{"bundled": {release}, "both": {other, release}} {
		image, err := r.PushImage("acme/"+repository, "1", repository)
		ts.Check(err)
		for _, key := range sign {
			ts.Check(key.SignBundle(r, image))
		}
	}
	stranger, err := r.PushImage("acme/stranger", "1", "stranger")
	ts.Check(err)
	ts.Check(other.SignTag(r, stranger))
	_, err = r.PushImage("acme/unsigned", "1", "unsigned")
	ts.Check(err)
	stolen, err := r.PushImage("acme/stolen", "1", "stolen")
	ts.Check(err)
	ts.Check(lab.CopySignature(r, signed, stolen))
	attested, err := r.PushImage("acme/attested", "1", "attested")
	ts.Check(err)
	ts.Check(release.AttestBundle(r, attested))
	index, children, err := r.PushIndex("acme/index", "1", "index")
	ts.Check(err)
	ts.Check(release.SignTag(r, index))

	ts.Setenv("REGISTRY", r.Host())
	ts.Setenv("CHILD", children[0].Digest.String())
	ts.Check(os.WriteFile(ts.MkAbs("release.pub"), []byte(release.PublicPEM()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("other.pub"), []byte(other.PublicPEM()), 0o600))
}

// move lets tag 1 of a repository of the lab name an image that nobody signed.
func move(ts *testscript.TestScript, neg bool, args []string) {
	r, ok := labs.Load(ts.Getenv("REGISTRY"))
	if neg || len(args) != 1 || !ok {
		ts.Fatalf("usage, after lab: move REPOSITORY")
	}
	_, err := r.(*lab.Registry).PushImage(args[0], "1", "moved")
	ts.Check(err)
}

// fill replaces in each file $REGISTRY, and a line that is the name
// of a key file between double angle brackets by the key, as deep as it stands.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		var b strings.Builder
		for line := range strings.Lines(ts.ReadFile(name)) {
			file, isKey := strings.CutPrefix(strings.TrimSpace(line), "<<")
			if !isKey {
				b.WriteString(strings.NewReplacer("$REGISTRY", ts.Getenv("REGISTRY")).Replace(line))
				continue
			}
			indent := line[:strings.Index(line, "<<")]
			for pem := range strings.Lines(ts.ReadFile(strings.TrimSuffix(file, ">>"))) {
				b.WriteString(indent + pem)
			}
		}
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(b.String()), 0o600))
	}
}
