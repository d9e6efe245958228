package report

import (
	"strconv"
	"strings"
	"time"

	"vouchsafe/verify"
)

// essence is what a signature proves, in the few words that fit a line: of its
// certificate and of when and where it was logged. Each may be empty.
type essence struct {
	identity, issuer string
	// repository, ref, workflow and trigger are of the build that signed.
	repository, ref, workflow, trigger string
	// signedAt is when the log took it, else the first timestamp, RFC 3339.
	signedAt, logIndex string
}

// essenceOf takes what was proven; all of it may be nil.
func essenceOf(certificate *verify.Certificate, stamps []verify.Timestamp, entry *verify.RekorBundle) essence {
	var e essence
	if certificate != nil {
		first := func(names ...string) string {
			for _, name := range names {
				if value := certificate.Extensions[name]; value != "" {
					return value
				}
			}
			return ""
		}
		e.identity, e.issuer = certificate.Identity, certificate.Issuer
		e.repository = first("sourceRepositoryURI", "githubWorkflowRepository")
		e.ref = first("sourceRepositoryRef", "githubWorkflowRef")
		e.workflow = first("buildConfigURI", "githubWorkflowName")
		e.trigger = first("buildTrigger", "githubWorkflowTrigger")
	}
	if len(stamps) > 0 {
		e.signedAt = instant(stamps[0].Time)
	}
	if entry != nil {
		e.logIndex = strconv.FormatInt(entry.LogIndex, 10)
		if entry.IntegratedTime > 0 {
			e.signedAt = instant(time.Unix(entry.IntegratedTime, 0))
		}
	}
	return e
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// behind is the signature that makes r what it is: the one that verified, else
// the nearest miss.
func behind(r verify.Result) (verify.Signature, bool) {
	for _, s := range r.Signatures {
		signer := ""
		switch {
		case s.Key != nil:
			signer = s.Key.Name
		case s.Certificate != nil:
			signer = s.Certificate.Identity
		}
		good := r.Status == verify.Verified && s.Status == verify.Verified && signer == r.Signer
		miss := r.Status != verify.Verified && s.Status == r.Status && s.Reason == r.Reason && strings.HasPrefix(r.Message, s.Message)
		if good || miss {
			return s, true
		}
	}
	return verify.Signature{}, false
}

// prove adds the essence of the signature behind r. What a signature that does not
// count names itself is called found: nobody signed with it.
func (f *finding) prove(r verify.Result) {
	s, ok := behind(r)
	e := essenceOf(s.Certificate, s.Timestamps, s.RekorBundle)
	if r.Status == verify.Verified {
		f.add("signer", r.Signer)
		f.add("issuer", r.Issuer)
	} else {
		f.add("foundIdentity", e.identity)
		f.add("foundIssuer", e.issuer)
	}
	if !ok {
		return
	}
	f.add("sourceRepository", e.repository)
	f.add("sourceRef", e.ref)
	f.add("workflow", e.workflow)
	f.add("trigger", e.trigger)
	f.add("signedAt", e.signedAt)
	f.add("logIndex", e.logIndex)
}
