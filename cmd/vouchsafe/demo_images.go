package main

import (
	"net/http"

	"vouchsafe/internal/lab"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// fill pushes and signs. The order is that of the table.
func (w *world) fill() {
	w.way = "A public key: release-team"
	w.byKey()
	w.byIndex()
	w.unsigned()
	w.way = "Keyless, a short-lived certificate and an entry in a log: release-flow"
	w.keyless()
	w.way = "A certificate of an own authority: it-department"
	w.certified()
	w.way = "A public key and an entry in a log: release-logged"
	w.logged()
	w.pulls = append(w.pulls, pull{
		repository: "other.test/app", reference: "1.0", way: "A registry that is not listed", found: "not asked",
		status: http.StatusNotFound, reason: "NAME_UNKNOWN",
	})
}

func (w *world) allow(p pull) { w.add(p, http.StatusOK, policy.Allow, "") }

func (w *world) deny(p pull, reason string) { w.add(p, http.StatusForbidden, policy.Deny, reason) }

// signed pushes an image, signs it, and wants it served.
func (w *world) signed(repository, tag, found string, sign func(*lab.Registry, oci.Reference) error) oci.Reference {
	image := w.image(repository, tag)
	w.do(sign(w.registry, image))
	w.allow(pull{repository: repository, reference: tag, found: found})
	return image
}

// missigned pushes an image, signs it, and wants it refused.
func (w *world) missigned(repository, found string, reason verify.Reason, sign func(*lab.Registry, oci.Reference) error) {
	const tag = "1.0"
	w.do(sign(w.registry, w.image(repository, tag)))
	w.deny(pull{repository: repository, reference: tag, found: found}, string(reason))
}

func (w *world) byKey() {
	api := w.signed("api", "1.0", "right key, .sig tag", w.release.SignTag)
	w.signed("web", "2.1", "right key, bundle", w.release.SignBundle)
	w.missigned("cron", "another key", verify.KeyMismatch, w.other.SignTag)
	w.missigned("fake", "copied from api:1.0", verify.DigestMismatch, func(r *lab.Registry, fake oci.Reference) error {
		return lab.CopySignature(r, api, fake)
	})
}

func (w *world) byIndex() {
	index, children, err := w.registry.PushIndex("tools", "3", "tools")
	w.do(err)
	if err == nil {
		w.do(w.release.SignTag(w.registry, index))
		w.allow(pull{repository: "tools", reference: "3", found: "right key, on index"})
		w.allow(pull{repository: "tools", reference: children[0].Digest.String(), found: "its index is signed"})
	}
}

// unsigned has images without a signature: what is beside some of them is none.
func (w *world) unsigned() {
	w.image("batch", "1.0")
	w.deny(pull{repository: "batch", reference: "1.0", found: "no signature"}, policy.ReasonUnsigned)

	built := w.image("built", "1.0")
	w.do(w.release.AttestBundle(w.registry, built))
	w.deny(pull{repository: "built", reference: "1.0", found: "attestation alone"}, policy.ReasonUnsigned)

	w.deny(pull{repository: "api", reference: "1.0", found: "tag moved, unsigned", before: func() error {
		_, err := w.registry.PushImage("api", "1.0", "another")
		return err
	}}, policy.ReasonUnsigned)

	w.image("dev/app", "1.0")
	w.add(pull{repository: "dev/app", reference: "1.0", found: "no signature"},
		http.StatusOK, policy.Warn, policy.ReasonUnsigned)
}

// keyless has what a workflow signs whom the issuer vouches for, and what others
// sign. The stranger with the right name has an entry in the right log, so that
// his certificate alone can tell.
func (w *world) keyless() {
	right := made(w, func() (*lab.Key, error) { return w.sigstore.Certify(demoIssuer, demoWorkflow) })
	branch := made(w, func() (*lab.Key, error) {
		return w.sigstore.Certify(demoIssuer, "https://ci.acme.test/release.yml@refs/heads/dev")
	})
	forged := made(w, func() (*lab.Key, error) { return w.foreign.Certify(demoIssuer, demoWorkflow) })
	if w.err != nil {
		return
	}
	w.signed("flow/api", "1.0", "right identity, bundle", right.SignBundle)
	w.signed("flow/web", "1.0", "right identity, .sig tag", right.SignTag)
	w.missigned("flow/cron", "another identity", verify.IdentityMismatch, branch.SignBundle)
	w.missigned("flow/fake", "right identity, other CA", verify.ChainInvalid, forged.LoggedIn(w.sigstore.Log()).SignBundle)
}

// certified has what is signed with certificates of the own authority, which has
// no log and names no issuer.
func (w *world) certified() {
	person := made(w, func() (*lab.Key, error) { return w.authority.Certify(demoPerson) })
	intern := made(w, func() (*lab.Key, error) { return w.authority.Certify("intern@acme.test") })
	if w.err != nil {
		return
	}
	w.signed("corp/erp", "1.0", "right person, .sig tag", person.SignTag)
	w.missigned("corp/crm", "another person", verify.IdentityMismatch, intern.SignBundle)
}

// logged has what the trusted key signs, with an entry in the log and without.
func (w *world) logged() {
	w.signed("ledger/app", "1.0", "right key, logged", w.release.LoggedIn(w.sigstore.Log()).SignBundle)
	w.missigned("ledger/db", "right key, not logged", verify.TlogMissing, w.release.SignBundle)
}
