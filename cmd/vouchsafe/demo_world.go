package main

import (
	"context"

	"vouchsafe/internal/lab"
	"vouchsafe/oci"
	"vouchsafe/policy"
)

// demoRegistry is the name under which the demo's registry is listed.
const demoRegistry = "acme.test"

// Who may sign: a workflow that an issuer vouches for, and a person whom the own
// authority knows.
const (
	demoIssuer   = "https://ci.acme.test"
	demoWorkflow = "https://ci.acme.test/release.yml@refs/heads/main"
	demoPerson   = "builder@acme.test"
)

// world is what the demo pulls from: a registry in this process, those who are
// trusted and strangers, and images signed in each way.
type world struct {
	registry *lab.Registry
	// release is the trusted key, other a stranger's.
	release, other *lab.Key
	// sigstore is the instance that the trusted root describes, foreign another
	// one, which certifies the same names.
	sigstore, foreign *lab.Sigstore
	// authority is the organization's own.
	authority *lab.Authority
	// way is the way of signing that pulls are added to.
	way   string
	pulls []pull
	err   error
}

// pull is one image to pull, and what must come of it.
type pull struct {
	// repository and reference as a client asks the gateway for them.
	repository, reference string
	// way is how the image should be signed and by whom, found what is there.
	way, found string
	// status, verdict and reason that must come of it. A verdict of zero means
	// that no decision is made.
	status  int
	verdict policy.Verdict
	reason  string
	// before happens just before the pull; may be nil.
	before func() error
}

// newWorld starts the registry, makes keys, authorities and logs, and signs the
// images.
func newWorld(ctx context.Context) (*world, error) {
	registry, err := lab.NewRegistry(ctx, lab.RegistryConfig{Referrers: true})
	if err != nil {
		return nil, err
	}
	w := &world{registry: registry}
	w.release = made(w, lab.NewKey)
	w.other = made(w, lab.NewKey)
	w.sigstore = made(w, func() (*lab.Sigstore, error) { return lab.NewSigstore("sigstore of acme.test") })
	w.foreign = made(w, func() (*lab.Sigstore, error) { return lab.NewSigstore("sigstore of other.test") })
	w.authority = made(w, func() (*lab.Authority, error) { return lab.NewAuthority("acme.test") })
	if w.err == nil {
		w.fill()
	}
	if w.err != nil {
		registry.Close()
		return nil, w.err
	}
	return w, nil
}

// made returns what f makes and keeps the first error.
func made[T any](w *world, f func() (T, error)) T {
	one, err := f()
	w.do(err)
	return one
}

// add appends a pull from the demo's registry.
func (w *world) add(p pull, status int, verdict policy.Verdict, reason string) {
	p.repository, p.way = demoRegistry+"/"+p.repository, w.way
	p.status, p.verdict, p.reason = status, verdict, reason
	w.pulls = append(w.pulls, p)
}

func (w *world) image(repository, tag string) oci.Reference {
	ref, err := w.registry.PushImage(repository, tag, repository)
	w.do(err)
	return ref
}

// do keeps the first error.
func (w *world) do(err error) {
	if w.err == nil {
		w.err = err
	}
}
