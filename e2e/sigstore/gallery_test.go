package sigstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/sigstore"
)

// Who signs.
const (
	developer = "dev@corp.example"
	builder   = "builder@corp.example"
	// builderIssuer is what the organisation's own certificates say of who
	// vouches for the builder.
	builderIssuer = "https://ci.corp.example"
)

var releaseWorkflow = sigstore.Workflow{
	Repository: "acme/app", File: ".github/workflows/release.yml", Ref: "refs/heads/main", Trigger: "push",
}

// shortLife is how long the certificate lasts, at first, that ends while the tests
// run: longer than it takes to sign with it.
const shortLife = 5 * time.Second

// gallery is a Sigstore, a registry, and the images that were signed so far.
type gallery struct {
	*sigstore.Stack
	at *origin.Registry
	// one and two are keys, own is the issuing authority of an organisation, and
	// foreign is one that nobody trusts.
	one, two     sigstore.Key
	own, foreign *sigstore.Certificate
	// leaf is the builder's certificate by own, anonymous one that names no
	// issuer, late one that ended yesterday, brief one that ends soon.
	leaf, anonymous, late, brief *sigstore.Certificate
	// those who hold them, and the builder of the foreign authority.
	byLeaf, byAnonymous, byLate, byBrief, byForeign sigstore.Holder

	starting sync.Mutex // held while a gateway starts

	mu     sync.Mutex // guards images
	images map[string]*picture
	// root is the trusted root of the whole stack.
	root string
	// ownRoot is the file of one whose authority is own: cosign 3 makes no bundle
	// that it cannot verify.
	ownRoot string
}

// picture is an image that is signed once, by the first who wants it.
type picture struct {
	mu    sync.Mutex // guards image
	image origin.Image
}

func newGallery(tb testing.TB) *gallery {
	tb.Helper()
	g := &gallery{
		Stack:   sigstore.Start(tb),
		at:      origin.Referrers(tb),
		one:     sigstore.NewKey(tb),
		two:     sigstore.NewKey(tb),
		own:     sigstore.NewIssuing(tb, "own"),
		foreign: sigstore.NewIssuing(tb, "foreign"),
		images:  map[string]*picture{},
	}
	g.root = g.TrustedRoot(tb, g.Trust(tb))
	trust := g.Trust(tb)
	trust.Fulcio, trust.CertificateLog = g.own.Chain(), ""
	g.ownRoot = filepath.Join(tb.TempDir(), rootFile)
	if err := os.WriteFile(g.ownRoot, []byte(g.TrustedRoot(tb, trust)), 0o600); err != nil {
		tb.Fatal(err)
	}
	g.leaf = g.own.Sign(tb, sigstore.Signer{Email: builder, Issuer: builderIssuer})
	g.anonymous = g.own.Sign(tb, sigstore.Signer{Email: builder})
	yesterday := time.Now().AddDate(0, 0, -1)
	g.late = g.own.Sign(tb, sigstore.Signer{Email: builder, Issuer: builderIssuer, NotBefore: yesterday.AddDate(0, 0, -1), NotAfter: yesterday})
	g.byLeaf, g.byAnonymous, g.byLate = sigstore.Hold(tb, g.leaf), sigstore.Hold(tb, g.anonymous), sigstore.Hold(tb, g.late)
	g.byForeign = sigstore.Hold(tb, g.foreign.Sign(tb, sigstore.Signer{Email: builder, Issuer: builderIssuer}))
	// All that is signed here is signed before the brief certificate ends.
	for _, name := range []string{"key", "key logged", "key stamped", "bundle key v2"} {
		g.image(tb, name)
	}
	g.signBriefly(tb)
	return g
}

// signBriefly signs with a certificate that ends soon, and anew with one that
// lasts longer where the machine was too slow for it.
func (g *gallery) signBriefly(tb testing.TB) {
	tb.Helper()
	for life := shortLife; ; life *= 2 {
		g.brief = g.own.Sign(tb, sigstore.Signer{Email: builder, Issuer: builderIssuer, NotAfter: time.Now().Add(life)})
		g.byBrief = sigstore.Hold(tb, g.brief)
		for _, name := range []string{"own brief", "own brief logged", "own brief stamped"} {
			delete(g.images, name)
			g.image(tb, name)
		}
		if time.Now().Before(g.brief.X509.NotAfter) {
			return
		}
	}
}

// image returns a signed image by its name in the list of [gallery.sign].
func (g *gallery) image(tb testing.TB, name string) origin.Image {
	tb.Helper()
	g.mu.Lock()
	one := g.images[name]
	if one == nil {
		one = &picture{}
		g.images[name] = one
	}
	g.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.image.Digest == "" {
		one.image = g.push(tb, name)
	}
	return one.image
}

// push pushes an image into a repository of its own, and signs it. Names with
// "index" in them are those of indexes.
func (g *gallery) push(tb testing.TB, name string) origin.Image {
	tb.Helper()
	sign := g.forms()[name]
	if sign == nil {
		tb.Fatalf("no image is called %q", name)
	}
	repository := "acme/" + strings.ReplaceAll(name, " ", "-")
	push := g.at.Push
	if strings.Contains(name, "index") {
		push = g.at.PushIndex
	}
	image := push(tb, repository, "1")
	sign(tb, image)
	return image
}

// signing signs one image.
type signing func(tb testing.TB, image origin.Image)

func (g *gallery) by(who sigstore.Signatory, form sigstore.Form, more ...string) signing {
	return func(tb testing.TB, image origin.Image) {
		tb.Helper()
		g.Sign(tb, g.at, image, who, form, more...)
	}
}

func (g *gallery) byPerson(form sigstore.Form) signing {
	return func(tb testing.TB, image origin.Image) {
		tb.Helper()
		g.Sign(tb, g.at, image, sigstore.Keyless(tb, g.Issuers.Person(tb, developer)), form)
	}
}

func (g *gallery) byWorkflow(form sigstore.Form) signing {
	return func(tb testing.TB, image origin.Image) {
		tb.Helper()
		g.Sign(tb, g.at, image, sigstore.Keyless(tb, g.Issuers.Workflow(tb, releaseWorkflow)), form)
	}
}

// then does one after the other.
func then(steps ...signing) signing {
	return func(tb testing.TB, image origin.Image) {
		tb.Helper()
		for _, step := range steps {
			step(tb, image)
		}
	}
}
