package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"vouchsafe/config"
	"vouchsafe/policy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// demoTrustedRoot is the name by which the demo's documents call the trusted root
// of the Sigstore in this process.
const demoTrustedRoot = "trusted_root.json"

// snapshot is what documents would say: one registry, and an integration and a
// policy for each way of signing, with one more policy that only warns.
func (w *world) snapshot() (*config.Snapshot, error) {
	// A tag is asked for at each pull, so that the moved one is seen at once.
	ttl := upstream.Duration(time.Millisecond)
	registry, err := upstream.NewRegistry(demoRegistry, upstream.Spec{
		Endpoint: "http://" + w.registry.Host(), PlainHTTP: true, AllowPrivateAddresses: true, TagTTL: &ttl,
	}, nil)
	if err != nil {
		return nil, err
	}
	integrations, err := w.integrations()
	if err != nil {
		return nil, err
	}
	snapshot := &config.Snapshot{
		Revision: "demo", LoadedAt: time.Now(),
		Registries:   map[string]*upstream.Registry{demoRegistry: registry},
		Integrations: map[string]*verify.Integration{},
		Rules:        policy.Rules{Revision: "demo", WhenNoPolicy: policy.Deny, Integrations: integrations},
	}
	for _, in := range integrations {
		snapshot.Integrations[in.Name()] = in
	}
	snapshot.Rules.Policies, err = demoPolicies(snapshot.Integrations)
	return snapshot, err
}

// integrations are those of the documents, in the order of their names. The
// trusted root is read as a document's file is.
func (w *world) integrations() ([]*verify.Integration, error) {
	trustedRoot, err := w.sigstore.TrustedRoot()
	if err != nil {
		return nil, err
	}
	files := func(name string) ([]byte, error) {
		if name != demoTrustedRoot {
			return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		return trustedRoot, nil
	}
	offline := true
	keys := []verify.PublicKeySpec{{Name: "release-2026", Key: w.release.PublicPEM()}}
	log := &verify.TransparencyLogSpec{Enabled: true, Offline: &offline}
	ours := &verify.TrustedRootSpec{File: demoTrustedRoot}
	var all []*verify.Integration
	for _, one := range []struct {
		name string
		spec verify.Spec
	}{
		{"it-department", verify.Spec{Certificates: []verify.CertificateSpec{
			{Identity: demoPerson, AnyIssuer: true, Chain: w.authority.ChainPEM()},
		}}},
		{"release-flow", verify.Spec{
			Certificates:    []verify.CertificateSpec{{OIDCIssuer: demoIssuer, Identity: demoWorkflow}},
			TransparencyLog: log, TrustedRoot: ours,
		}},
		{"release-logged", verify.Spec{PublicKeys: keys, TransparencyLog: log, TrustedRoot: ours}},
		{"release-team", verify.Spec{PublicKeys: keys}},
	} {
		// A remark on one of these is a mistake of the demo's.
		in, err := verify.LoadIntegration(one.name, one.spec, verify.LoadOptions{Files: files})
		if err != nil {
			return nil, fmt.Errorf("integration %s of the demo: %w", one.name, err)
		}
		all = append(all, in)
	}
	return all, nil
}

// demoPolicies are in the order of their names.
func demoPolicies(integrations map[string]*verify.Integration) ([]*policy.Policy, error) {
	signers := func(name string) (*verify.Integration, bool) { in, ok := integrations[name]; return in, ok }
	listed := func(registry string) bool { return registry == demoRegistry }
	var all []*policy.Policy
	var problems []error
	add := func(name, images, signer, behavior string, exclude ...string) {
		made, err := policy.New(name, policy.Spec{
			Images: []string{demoRegistry + images}, Exclude: exclude, Signers: []string{signer}, Behavior: behavior,
		}, signers, listed)
		all, problems = append(all, made), append(problems, err)
	}
	const enforced = "InformAndEnforce"
	add("corp-signed", "/corp/**", "it-department", enforced)
	add("dev-signed", "/dev/**", "release-team", "Inform")
	add("flow-signed", "/flow/**", "release-flow", enforced)
	add("ledger-signed", "/ledger/**", "release-logged", enforced)
	add("prod-signed", "/**", "release-team", enforced,
		demoRegistry+"/corp/**", demoRegistry+"/dev/**", demoRegistry+"/flow/**", demoRegistry+"/ledger/**")
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("policies of the demo: %w", err)
	}
	return all, nil
}
