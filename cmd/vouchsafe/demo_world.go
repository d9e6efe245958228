package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"vouchsafe/config"
	"vouchsafe/internal/lab"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// demoRegistry is the name under which the demo's registry is listed.
const demoRegistry = "acme.test"

// world is what the demo pulls from: a registry in this process, the key that is
// trusted and another one, and images signed in each way.
type world struct {
	registry       *lab.Registry
	release, other *lab.Key
	pulls          []pull
	err            error
}

// pull is one image to pull, and what must come of it.
type pull struct {
	// repository and reference as a client asks the gateway for them.
	repository, reference string
	// wanted is the signer whom the policy wants, found what is there.
	wanted, found string
	// status, verdict and reason that must come of it. A verdict of zero means
	// that no decision is made.
	status  int
	verdict policy.Verdict
	reason  string
	// before happens just before the pull; may be nil.
	before func() error
}

// newWorld starts the registry, makes the keys and signs the images.
func newWorld(ctx context.Context) (*world, error) {
	registry, err := lab.NewRegistry(ctx, lab.RegistryConfig{Referrers: true})
	if err != nil {
		return nil, err
	}
	w := &world{registry: registry}
	w.release, w.err = lab.NewKey()
	if w.err == nil {
		w.other, w.err = lab.NewKey()
	}
	if w.err == nil {
		w.fill()
	}
	if w.err != nil {
		registry.Close()
		return nil, w.err
	}
	return w, nil
}

// fill pushes and signs. The order is that of the table.
func (w *world) fill() {
	const team = "release-team"
	allow := func(p pull) { w.add(p, http.StatusOK, policy.Allow, "") }
	deny := func(p pull, reason string) { w.add(p, http.StatusForbidden, policy.Deny, reason) }

	api := w.image("api", "1.0")
	w.do(w.release.SignTag(w.registry, api))
	allow(pull{repository: "api", reference: "1.0", wanted: team, found: "right key, .sig tag"})

	web := w.image("web", "2.1")
	w.do(w.release.SignBundle(w.registry, web))
	allow(pull{repository: "web", reference: "2.1", wanted: team, found: "right key, bundle"})

	index, children, err := w.registry.PushIndex("tools", "3", "tools")
	w.do(err)
	if err == nil {
		w.do(w.release.SignTag(w.registry, index))
		allow(pull{repository: "tools", reference: "3", wanted: team, found: "right key, on index"})
		allow(pull{repository: "tools", reference: children[0].Digest.String(), wanted: team, found: "its index is signed"})
	}

	cron := w.image("cron", "1.0")
	w.do(w.other.SignTag(w.registry, cron))
	deny(pull{repository: "cron", reference: "1.0", wanted: team, found: "another key"}, string(verify.KeyMismatch))

	w.image("batch", "1.0")
	deny(pull{repository: "batch", reference: "1.0", wanted: team, found: "no signature"}, policy.ReasonUnsigned)

	fake := w.image("fake", "1.0")
	w.do(lab.CopySignature(w.registry, api, fake))
	deny(pull{repository: "fake", reference: "1.0", wanted: team, found: "copied from api:1.0"}, string(verify.DigestMismatch))

	built := w.image("built", "1.0")
	w.do(w.release.AttestBundle(w.registry, built))
	deny(pull{repository: "built", reference: "1.0", wanted: team, found: "attestation alone"}, policy.ReasonUnsigned)

	deny(pull{repository: "api", reference: "1.0", wanted: team, found: "tag moved, unsigned", before: func() error {
		_, err := w.registry.PushImage("api", "1.0", "another")
		return err
	}}, policy.ReasonUnsigned)

	w.image("dev/app", "1.0")
	w.add(pull{repository: "dev/app", reference: "1.0", wanted: team, found: "no signature"},
		http.StatusOK, policy.Warn, policy.ReasonUnsigned)

	w.pulls = append(w.pulls, pull{
		repository: "other.test/app", reference: "1.0", found: "not asked",
		status: http.StatusNotFound, reason: "NAME_UNKNOWN",
	})
}

// add appends a pull from the demo's registry.
func (w *world) add(p pull, status int, verdict policy.Verdict, reason string) {
	p.repository = demoRegistry + "/" + p.repository
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

// snapshot is what documents would say: one registry, one integration and two
// policies, the second of which only warns.
func (w *world) snapshot() (*config.Snapshot, error) {
	team, err := verify.NewIntegration("release-team", verify.Spec{
		PublicKeys: []verify.PublicKeySpec{{Name: "release-2026", Key: w.release.PublicPEM()}},
	})
	if err != nil {
		return nil, err
	}
	// A tag is asked for at each pull, so that the moved one is seen at once.
	ttl := upstream.Duration(time.Millisecond)
	registry, err := upstream.NewRegistry(demoRegistry, upstream.Spec{
		Endpoint: "http://" + w.registry.Host(), PlainHTTP: true, AllowPrivateAddresses: true, TagTTL: &ttl,
	}, nil)
	if err != nil {
		return nil, err
	}
	policies, err := demoPolicies(team)
	if err != nil {
		return nil, err
	}
	return &config.Snapshot{
		Revision: "demo", LoadedAt: time.Now(),
		Registries:   map[string]*upstream.Registry{demoRegistry: registry},
		Integrations: map[string]*verify.Integration{team.Name(): team},
		Rules: policy.Rules{
			Revision: "demo", WhenNoPolicy: policy.Deny,
			Policies: policies, Integrations: []*verify.Integration{team},
		},
	}, nil
}

func demoPolicies(team *verify.Integration) ([]*policy.Policy, error) {
	signers := func(name string) (*verify.Integration, bool) { return team, name == team.Name() }
	listed := func(registry string) bool { return registry == demoRegistry }
	dev, err := policy.New("dev-signed", policy.Spec{
		Images: []string{demoRegistry + "/dev/**"}, Signers: []string{team.Name()}, Behavior: "Inform",
	}, signers, listed)
	prod, err2 := policy.New("prod-signed", policy.Spec{
		Images: []string{demoRegistry + "/**"}, Exclude: []string{demoRegistry + "/dev/**"},
		Signers: []string{team.Name()}, Behavior: "InformAndEnforce",
	}, signers, listed)
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("policies of the demo: %w", err)
	}
	return []*policy.Policy{dev, prod}, nil
}
