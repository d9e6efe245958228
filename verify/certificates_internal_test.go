package verify

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

func at(days int) time.Time { return labNow.AddDate(0, 0, days) }

// TestTimeOfTheChain has chains of which parts are over, and proofs of when a
// signature was made.
func TestTimeOfTheChain(t *testing.T) {
	long := newAuthority(t, span{}, span{})
	middleOver := newAuthority(t, span{}, span{-100, -20})
	rootOver := newAuthority(t, span{-100, -20}, span{})
	apart := newAuthority(t, span{}, span{-100, -50})
	log, otherLog := newLog(t), newLog(t)
	logged := func(s labSigner, when ...int) Item {
		item := s.image(t)
		if len(when) > 0 {
			item = log.logged(t, s, item, at(when[0]))
		}
		return item
	}
	short, current := long.leaf(t, span{-40, -30}), long.leaf(t, span{-40, 30})

	for _, c := range []struct {
		name      string
		authority *labAuthority
		item      Item
		demand    bool
		want      Reason
		ends      time.Time
	}{
		{"valid now, no proof", long, logged(current), false, "", at(30)},
		{"valid now, proven", long, logged(current, -1), false, "", time.Time{}},
		{"over, no proof", long, logged(short), false, CertificateExpired, time.Time{}},
		{"over, signed in time", long, logged(short, -35), false, "", time.Time{}},
		{"over, signed in its first second", long, logged(short, -40), false, "", time.Time{}},
		{"over, signed after its end", long, logged(short, -29), false, CertificateExpired, time.Time{}},
		{"over, signed before its beginning", long, logged(short, -41), false, CertificateExpired, time.Time{}},
		{"over, signed in time, logged in a log that is not trusted", long, otherLog.logged(t, short, short.image(t), at(-35)), false, CertificateExpired, time.Time{}},
		{"valid now, signed after its end, as a proof says", long, logged(current, 31), false, "", at(30)},
		{"a log demanded, over, signed in time", long, logged(short, -35), true, "", time.Time{}},
		{"a log demanded, valid now, signed after its end", long, logged(current, 31), true, CertificateExpired, time.Time{}},

		{"an intermediate is over, no proof", middleOver, logged(middleOver.leaf(t, span{-40, 30})), false, CertificateExpired, time.Time{}},
		{"an intermediate is over, signed in time", middleOver, logged(middleOver.leaf(t, span{-40, 30}), -25), false, "", time.Time{}},
		{"an intermediate was over when it was signed", middleOver, logged(middleOver.leaf(t, span{-40, 30}), -10), false, CertificateExpired, time.Time{}},
		{"the root is over, no proof", rootOver, logged(rootOver.leaf(t, span{-40, 30})), false, CertificateExpired, time.Time{}},
		{"the root was over when it was signed", rootOver, logged(rootOver.leaf(t, span{-40, 30}), -10), false, CertificateExpired, time.Time{}},
		{"the root is over, signed in time", rootOver, logged(rootOver.leaf(t, span{-40, 30}), -25), false, "", time.Time{}},
		{"leaf and intermediate never valid together", apart, logged(apart.leaf(t, span{-40, 30}), -30), false, CertificateExpired, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			trusted := trust{certificates: []*certificateRule{c.authority.rule()}, logs: log.trusted(), demandLog: c.demand}
			got := Judge(labEvidence(c.item), integrationOf("lab", trusted), labNow)
			if c.want == "" && got.Status != Verified || c.want != "" && (got.Status != Untrusted || got.Reason != c.want) {
				t.Fatalf("got %v %s: %s, want %q", got.Status, got.Reason, got.Message, c.want)
			}
			if !got.EndsAt.Equal(c.ends) {
				t.Errorf("ends at %v, want %v", got.EndsAt, c.ends)
			}
		})
	}
}

// TestOneProvenTime has two proofs of time, each of which finds a part of the chain
// valid and none the whole: a log's while the leaf was, an authority's later.
func TestOneProvenTime(t *testing.T) {
	evidence := recording(t, "b-keyless") // logged in Rekor v1, and stamped
	fulcio := recordedCertificates(t, "fulcio-chain.pem")
	rule := &certificateRule{identity: matcher{exact: devIdentity}, issuer: matcher{exact: devIssuer}, authorities: authorityOf(fulcio)}
	trusted := trust{certificates: []*certificateRule{rule}, logs: recordedLogs(t, "rekor.pub"), authorities: stampers(recordedCertificates(t, "tsa-chain.pem"))}
	judge := func() Result { return Judge(evidence, integrationOf("x", trusted), afterRecording) }
	got := judge()
	if got.Status != Verified || len(got.Signatures[0].Timestamps) != 1 || got.Signatures[0].RekorBundle == nil {
		t.Fatalf("got %v: %s", got.Status, got.Message)
	}
	// An authority that the trusted root has for other times only.
	for name, validity := range map[string][2]time.Time{
		"before": {time.Unix(1, 0), time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)},
		"after":  {time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), time.Time{}},
	} {
		rule.authorities = []root.CertificateAuthority{&root.FulcioCertificateAuthority{
			Root: fulcio[1], Intermediates: fulcio[:1], ValidityPeriodStart: validity[0], ValidityPeriodEnd: validity[1],
		}}
		if got := judge(); got.Status != Untrusted || got.Reason != ChainInvalid {
			t.Errorf("%s: got %v %s: %s", name, got.Status, got.Reason, got.Message)
		}
	}
}

// TestKeyWindows rotates a key, with and without proofs of when was signed.
func TestKeyWindows(t *testing.T) {
	signer := labSigner{key: labKey(t)}
	log := newLog(t)
	old, both, coming := window{notAfter: at(-10)}, window{at(-20), at(20)}, window{notBefore: at(10)}
	for _, c := range []struct {
		name   string
		window window
		when   []int
		want   Reason
		ends   time.Time
	}{
		{"no window", window{}, nil, "", time.Time{}},
		{"open now, no proof", both, nil, "", at(20)},
		{"over, no proof", old, nil, KeyExpired, time.Time{}},
		{"over, signed in time", old, []int{-11}, "", time.Time{}},
		{"over, signed at its very end", old, []int{-10}, "", time.Time{}},
		{"over, signed afterwards", old, []int{-9}, KeyExpired, time.Time{}},
		{"open now, signed before", both, []int{-30}, KeyExpired, time.Time{}},
		{"open now, signed in time", both, []int{-5}, "", time.Time{}},
		{"to come, no proof", coming, nil, KeyExpired, time.Time{}},
		{"open from some time on, no proof", window{notBefore: at(-1)}, nil, "", time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			item := signer.image(t)
			if c.when != nil {
				item = log.logged(t, signer, item, at(c.when[0]))
			}
			trusted := trust{keys: signer.trusted(t, c.window), logs: log.trusted()}
			got := Judge(labEvidence(item), integrationOf("lab", trusted), labNow)
			if c.want == "" && got.Status != Verified || c.want != "" && (got.Status != Untrusted || got.Reason != c.want) {
				t.Fatalf("got %v %s: %s, want %q", got.Status, got.Reason, got.Message, c.want)
			}
			if !got.EndsAt.Equal(c.ends) {
				t.Errorf("ends at %v, want %v", got.EndsAt, c.ends)
			}
		})
	}
	t.Run("of two windows the one that lasts counts", func(t *testing.T) {
		keys := append(signer.trusted(t, both), signer.trusted(t, window{notAfter: at(200)})...)
		got := Judge(labEvidence(signer.image(t)), integrationOf("lab", trust{keys: keys}), labNow)
		if got.Status != Verified || !got.EndsAt.Equal(at(200)) {
			t.Errorf("got %v until %v", got.Status, got.EndsAt)
		}
	})
	t.Run("of two signatures the one that lasts counts", func(t *testing.T) {
		other := labSigner{key: labKey(t)}
		keys := append(signer.trusted(t, both), other.trusted(t, window{})...)
		got := Judge(labEvidence(signer.image(t), other.image(t)), integrationOf("lab", trust{keys: keys}), labNow)
		if got.Status != Verified || !got.EndsAt.IsZero() {
			t.Errorf("got %v until %v", got.Status, got.EndsAt)
		}
	})
}

// TestCertificates has certificates that are wrong in themselves, and names and
// issuers in each form.
func TestCertificates(t *testing.T) {
	authority := newAuthority(t, span{}, span{})
	plainIssuer := pkix.Extension{Id: oidIssuerV1, Value: []byte(ownIssuer)}
	older := func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{plainIssuer} }
	issuer := func(extensions ...pkix.Extension) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtraExtensions = extensions }
	}
	v2 := func(text string) pkix.Extension {
		return pkix.Extension{Id: oidIssuer, Value: must(asn1.MarshalWithParams(text, "utf8"))(t)}
	}
	user := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: otherName(t, "builder!corp.example")}
	weak := must(rsa.GenerateKey(rand.Reader, 1024))(t)
	weakLeaf := labCertificate(t, span{}, func(c *x509.Certificate) { c.EmailAddresses = []string{ownIdentity} }, authority.middle, weak.Public(), authority.middleKey)
	signer := authority.leaf(t, span{})
	lower := &labAuthority{root: authority.middle, rootKey: authority.middleKey, middleKey: labKey(t)}
	lower.middle = labCertificate(t, span{}, func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid, c.KeyUsage = "lower", true, true, x509.KeyUsageCertSign
	}, authority.middle, lower.middleKey.Public(), authority.middleKey)
	below := lower.leaf(t, span{})

	for _, c := range []struct {
		name    string
		item    Item
		rule    func(*certificateRule)
		want    Reason
		message string
	}{
		{"a good one", signer.image(t), nil, "", "signed by builder@corp.example"},
		{"a blank certificate", annotated(signer.image(t), leafAnnotation, " \n"), nil, KeyMismatch, "signed with a key"},
		{"no PEM", annotated(signer.image(t), leafAnnotation, "hello"), nil, Malformed, "holds 0 certificates"},
		{"two certificates", annotated(signer.image(t), leafAnnotation, certificatePEM(signer.leaf)+certificatePEM(signer.leaf)), nil, Malformed, "holds 2 certificates"},
		{"no DER", annotated(signer.image(t), leafAnnotation, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), nil, Malformed, "cannot be parsed"},
		{"a megabyte", annotated(signer.image(t), leafAnnotation, strings.Repeat("-----BEGIN CERTIFICATE-----\n", 40_000)), nil, Malformed, "larger than any"},
		{"a key that is too short", annotated(signer.image(t), leafAnnotation, certificatePEM(weakLeaf)), nil, Malformed, "RSA of 1024 bits"},
		{"not for signing code", authority.leaf(t, span{}, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }).image(t), nil, ChainInvalid, "incompatible key usage"},
		{"an extension nobody knows, critical", authority.leaf(t, span{}, func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}})
		}).image(t), nil, ChainInvalid, "unhandled critical extension"},

		{"the older form of the issuer", authority.leaf(t, span{}, older).image(t), nil, "", ""},
		{"both forms, equal", authority.leaf(t, span{}, issuer(v2(ownIssuer), plainIssuer)).image(t), nil, "", ""},
		{"both forms, different", authority.leaf(t, span{}, issuer(v2("https://evil.example"), plainIssuer)).image(t), nil, IssuerMismatch, "names two issuers"},
		{"an issuer that cannot be read", authority.leaf(t, span{}, issuer(pkix.Extension{Id: oidIssuer, Value: []byte("x")})).image(t), nil, IssuerMismatch, "cannot be read"},
		{"no issuer", authority.leaf(t, span{}, issuer()).image(t), nil, IssuerMismatch, "names no issuer"},
		{"no issuer, any will do", authority.leaf(t, span{}, issuer()).image(t), func(r *certificateRule) { r.anyIssuer = true }, "", ""},
		{"the issuer matches in part", signer.image(t), func(r *certificateRule) { r.issuer = whole(t, `https://ci\.corp`) }, IssuerMismatch, "matches a part only: expressions match the whole string; identity equal"},

		{"a URI", authority.leaf(t, span{}, withURI(t, ghaIdentity)).image(t), func(r *certificateRule) { r.identity = matcher{exact: ghaIdentity} }, "", "signed by " + ghaIdentity},
		{"a DNS name", authority.leaf(t, span{}, func(c *x509.Certificate) { c.DNSNames = []string{"build.corp.example"} }).image(t), func(r *certificateRule) { r.identity = matcher{exact: "build.corp.example"} }, "", "signed by build.corp.example"},
		{"a user name of Fulcio", authority.leaf(t, span{}, func(c *x509.Certificate) {
			c.EmailAddresses, c.ExtraExtensions = nil, append(c.ExtraExtensions, user)
		}).image(t), func(r *certificateRule) { r.identity = matcher{exact: "builder!corp.example"} }, "", "signed by builder!corp.example"},
		{"no name", authority.leaf(t, span{}, func(c *x509.Certificate) { c.EmailAddresses = nil }).image(t), nil, IdentityMismatch, "has no identity"},
		{"another ref", authority.leaf(t, span{}, withURI(t, strings.Replace(ghaIdentity, "main", "dev", 1))).image(t), func(r *certificateRule) { r.identity = matcher{exact: ghaIdentity} }, IdentityMismatch, "issuer equal; identity differs from character 70: found"},
		{"a host in front", authority.leaf(t, span{}, withURI(t, "https://evil.example/https://github.com/acme/")).image(t), func(r *certificateRule) { r.identity = whole(t, `https://github\.com/acme/.*`) }, IdentityMismatch, "matches a part only"},
		{"a line feed in the name", authority.leaf(t, span{}, func(c *x509.Certificate) { c.EmailAddresses = []string{"a@b\nc@d"} }).image(t), nil, IdentityMismatch, `found "a@b\nc@d"`},

		{"the chain is attached", annotated(below.image(t), chainAnnotation, certificatePEM(lower.middle)), nil, "", ""},
		{"the chain is attached, with nonsense", annotated(below.image(t), chainAnnotation, certificatePEM(signer.leaf)+certificatePEM(lower.middle)), nil, "", ""},
		{"the chain is attached, for Fulcio", annotated(below.image(t), chainAnnotation, certificatePEM(lower.middle)), func(r *certificateRule) { r.ownChain = false }, ChainInvalid, "unknown authority"},
		{"the chain is configured", below.image(t), func(r *certificateRule) { r.extra = []*x509.Certificate{lower.middle} }, "", ""},
		{"the chain is nowhere", below.image(t), nil, ChainInvalid, "unknown authority"},
		{"a root that the signature brings", annotated(newAuthority(t, span{}, span{}).leaf(t, span{}).image(t), chainAnnotation, certificatePEM(authority.root)), nil, ChainInvalid, "unknown authority"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rule := authority.rule()
			if c.rule != nil {
				c.rule(rule)
			}
			got := Judge(labEvidence(c.item), integrationOf("lab", trust{certificates: []*certificateRule{rule}}), labNow)
			if c.want == "" && got.Status != Verified || c.want != "" && (got.Status != Untrusted || got.Reason != c.want) {
				t.Errorf("got %v %s: %s, want %q", got.Status, got.Reason, got.Message, c.want)
			}
			contains(t, got.Message, c.message)
		})
	}
}

// otherName is a subject alternative name in Fulcio's own form.
func otherName(t *testing.T, name string) []byte {
	t.Helper()
	type other struct {
		ID    asn1.ObjectIdentifier
		Value string `asn1:"utf8,explicit,tag:0"`
	}
	one := must(asn1.MarshalWithParams(other{append(append(asn1.ObjectIdentifier{}, fulcioArc...), 7), name}, "tag:0"))(t)
	return must(asn1.Marshal([]asn1.RawValue{{FullBytes: one}}))(t)
}

// TestNearestMiss has several rules of which the one that came furthest speaks.
func TestNearestMiss(t *testing.T) {
	authority, stranger := newAuthority(t, span{}, span{}), newAuthority(t, span{}, span{})
	signer := authority.leaf(t, span{}, withURI(t, ghaIdentity))
	with := func(a *labAuthority, issuer, identity string) *certificateRule {
		rule := a.rule()
		rule.issuer, rule.identity = matcher{exact: issuer}, matcher{exact: identity}
		return rule
	}
	rules := []*certificateRule{
		with(stranger, ownIssuer, ghaIdentity),
		with(authority, "https://elsewhere.example", ghaIdentity),
		with(authority, ownIssuer, "https://gitlab.com/acme"),
		with(authority, ownIssuer, strings.Replace(ghaIdentity, "release.yml", "deploy.yml", 1)),
	}
	trusted := trust{certificates: rules, keys: labSigner{key: labKey(t)}.trusted(t, window{})}
	got := Judge(labEvidence(signer.image(t)), integrationOf("lab", trusted), labNow)
	if got.Status != Untrusted || got.Reason != IdentityMismatch {
		t.Fatalf("got %v %s: %s", got.Status, got.Reason, got.Message)
	}
	const want = `issuer equal; identity differs from character 47: found "` + ghaIdentity + `", wanted "`
	contains(t, got.Message, want)
	contains(t, got.Message, "deploy.yml")
	if c := got.Signatures[0].Certificate; c == nil || c.Identity != ghaIdentity || c.Issuer != ownIssuer {
		t.Errorf("got certificate %+v, want what its chain proves", c)
	}
}
