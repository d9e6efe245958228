package verify

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestAForeignTimestampIsCalledOne has a keyless signature that is stamped, where
// nobody, another authority or the right one is trusted to stamp.
func TestAForeignTimestampIsCalledOne(t *testing.T) {
	const foreign = "the timestamp does not count: it is of an authority that is not trusted"
	rule := &certificateRule{
		identity: matcher{exact: devIdentity}, issuer: matcher{exact: devIssuer},
		authorities: authorityOf(recordedCertificates(t, "fulcio-chain.pem")),
	}
	right := stampers(recordedCertificates(t, "tsa-chain.pem"))
	other := stampers(recordedCertificates(t, "wrong-root.pem"))
	// While its certificate was valid, so that nothing but the time is missing.
	within := time.Date(2026, 11, 23, 7, 50, 0, 0, time.UTC)
	for _, c := range []struct {
		name    string
		image   string
		trust   trust
		status  Status
		reason  Reason
		message string
	}{
		{"nobody is trusted to stamp", "keyless-tsa", trust{}, Untrusted, TimestampInvalid, foreign + ", and nothing else proves when it was signed"},
		{"another is trusted to stamp", "keyless-tsa", trust{authorities: other}, Untrusted, TimestampInvalid, foreign},
		{"two others are trusted to stamp", "keyless-tsa", trust{authorities: append(other[:1:1], other...)}, Untrusted, TimestampInvalid, foreign},
		{"another is trusted, and a token is demanded", "keyless-tsa", trust{authorities: other, demandToken: true}, Untrusted, TimestampInvalid, foreign},
		{"the right one among others", "keyless-tsa", trust{authorities: append(other[:1:1], right...)}, Verified, "", "signed by"},
		{"nothing is attached", "keyless", trust{authorities: right}, Untrusted, TimestampMissing, "nothing proves when it was signed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.trust.certificates = []*certificateRule{rule}
			got := Judge(recording(t, c.image), integrationOf("x", c.trust), within)
			if got.Status != c.status || got.Reason != c.reason || !strings.Contains(got.Message, c.message) {
				t.Errorf("got %v %s: %s", got.Status, got.Reason, got.Message)
			}
		})
	}
}

// TestWhatIsWrongWithAnOwnTimestampIsSaid: a token of a trusted authority that is
// bad is not called foreign because another authority is trusted too.
func TestWhatIsWrongWithAnOwnTimestampIsSaid(t *testing.T) {
	for text, want := range map[string]bool{
		"pkcs7: failed to verify certificate chain: x509: certificate signed by unknown authority": true,
		"pkcs7: failed to verify certificate chain: x509: certificate has expired":                 false,
		"hashed messages don't match": false,
	} {
		if got := foreignStamp(errors.New(text)); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
}
