package kube_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/kube"
)

const day = 24 * time.Hour

func newReplica(c *cluster, cfg kube.AuthorityConfig) *kube.Authority {
	cfg.Configurations = c
	return kube.NewAuthority(c, cfg)
}

func TestOverTwoYearsEachReplicaShowsWhatEveryConfigurationTrusts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("mutate", "validate")
		var replicas []*kube.Authority
		for i := range 3 {
			r := newReplica(c, kube.AuthorityConfig{Poll: time.Duration(50+10*i) * time.Minute})
			replicas = append(replicas, r)
			start(t, r.Run)
		}
		time.Sleep(time.Minute)
		v := newVerifier(t, c)
		for end := time.Now().Add(2 * 365 * day); time.Now().Before(end); time.Sleep(20 * time.Minute) {
			for i, r := range replicas {
				if err := v.holds(r); err != nil {
					t.Fatalf("replica %d at %v: %v", i, time.Now(), err)
				}
			}
		}
		for i, r := range replicas {
			if err := r.Problem(); err != nil {
				t.Errorf("replica %d: %v", i, err)
			}
			if left := time.Until(r.NotAfter()); left < 29*day {
				t.Errorf("replica %d shows a certificate that ends in %v", i, left)
			}
		}
		// 730 days: certificates of 60 days each, authorities at 0, 243 and 487.
		if n := len(v.leaves); n < 12 || n > 14 {
			t.Errorf("%d certificates were shown in two years", n)
		}
		for _, name := range []string{"mutate", "validate"} {
			if n, bundles := c.written(name); n != bundles || n < 4 || n > 6 {
				t.Errorf("%s was written %d times, for %d bundles", name, n, bundles)
			}
		}
		_, saves := c.kept()
		t.Logf("%d certificates, %d writes of the Secret", len(v.leaves), saves)
	})
}

func TestReplicasThatComeAndGoNeverShowWhatIsNotTrusted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("validate")
		v := newVerifier(t, c)
		var last *kube.Authority
		var stop func()
		for end := time.Now().Add(2 * 365 * day); time.Now().Before(end); {
			next := newReplica(c, kube.AuthorityConfig{Poll: time.Hour})
			end := start(t, next.Run)
			time.Sleep(10 * time.Second)
			if err := v.holds(next); err != nil {
				t.Fatalf("at %v a fresh replica: %v", time.Now(), err)
			}
			// A rollout: for a day the old one and the new one both answer.
			for range 24 {
				time.Sleep(time.Hour)
				for _, r := range []*kube.Authority{last, next} {
					if r == nil {
						continue
					}
					if err := v.holds(r); err != nil {
						t.Fatalf("at %v: %v", time.Now(), err)
					}
				}
			}
			if stop != nil {
				stop()
			}
			last, stop = next, end
			time.Sleep(10 * day)
		}
	})
}

func TestABundleThatIsResetIsBackWithinThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("validate")
		var written atomic.Int64
		start(t, newReplica(c, kube.AuthorityConfig{BundleWritten: func() { written.Add(1) }}).Run)
		time.Sleep(time.Hour)
		if n, _ := c.written("validate"); n != 1 || written.Load() != 1 {
			t.Fatalf("the bundle was written %d times, observed %d", n, written.Load())
		}
		want := c.bundlesNow()[0]
		for _, bad := range [][]byte{nil, []byte("another"), append([]byte("# more\n"), want...)} {
			c.do(func() { c.set(0, bad) })
			time.Sleep(30 * time.Second)
			if got := c.bundlesNow()[0]; !bytes.Equal(got, want) {
				t.Fatalf("after 30 s the bundle is %.40q", got)
			}
			time.Sleep(time.Hour)
		}
		if n := written.Load(); n != 4 {
			t.Errorf("the bundle was written %d times", n)
		}
	})
}

func TestWhoeverFightsForTheBundleIsNotRaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("validate")
		lines := &logLines{}
		r := newReplica(c, kube.AuthorityConfig{Log: newLog(lines)})
		start(t, r.Run)
		fought := false
		for range 3600 {
			time.Sleep(time.Second)
			c.do(func() { c.set(0, nil) })
			if err := r.Problem(); err != nil && strings.Contains(err.Error(), "resets the CA bundle") {
				fought = true
			}
		}
		if n, _ := c.written("validate"); n > 64 || n < 55 {
			t.Errorf("the bundle was written %d times in an hour of resets", n)
		}
		if !fought {
			t.Error("no problem was shown")
		}
	})
}

func TestASpoiltSecretIsReplacedAndNobodyIsLeftWithoutTrust(t *testing.T) {
	another := strangers(t)
	spoil := map[string]func(parts map[string][]byte) map[string][]byte{
		"deleted":                       func(map[string][]byte) map[string][]byte { return nil },
		"emptied":                       func(map[string][]byte) map[string][]byte { return map[string][]byte{} },
		"a key of another certificate":  func(p map[string][]byte) map[string][]byte { p["tls.key"] = p["ca.key"]; return p },
		"half a certificate":            func(p map[string][]byte) map[string][]byte { p["tls.crt"] = p["tls.crt"][:100]; return p },
		"an authority that signed none": func(p map[string][]byte) map[string][]byte { p["ca.crt"] = another; return p },
		"a certificate as authority":    func(p map[string][]byte) map[string][]byte { p["ca.crt"] = p["tls.crt"]; return p },
		"text":                          func(p map[string][]byte) map[string][]byte { p["ca.crt"] = []byte("by hand"); return p },
		"too much":                      func(p map[string][]byte) map[string][]byte { p["ca.crt"] = make([]byte, 1<<20); return p },
	}
	for name, spoil := range spoil {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster("validate")
				lines := &logLines{}
				one := newReplica(c, kube.AuthorityConfig{Log: newLog(lines)})
				two := newReplica(c, kube.AuthorityConfig{Log: newLog(lines)})
				start(t, one.Run)
				start(t, two.Run)
				time.Sleep(time.Minute)
				before, err := one.GetCertificate(nil)
				check(t, err)
				c.do(func() { c.parts = spoil(c.parts) })
				v := newVerifier(t, c)
				for range 600 {
					time.Sleep(time.Second)
					check(t, v.holds(one))
					check(t, v.holds(two))
				}
				after, err := one.GetCertificate(nil)
				check(t, err)
				if after.Leaf.Equal(before.Leaf) {
					t.Error("what somebody had his hands on is shown on")
				}
				if n := strings.Count(lines.String(), "were made anew"); n != 1 {
					t.Errorf("said %d times", n)
				}
				if strings.Contains(lines.String(), "PRIVATE") {
					t.Error("the log has a key")
				}
				check(t, one.Problem())
			})
		})
	}
}

// strangers is an authority that has nothing to do with anything here.
func strangers(t testing.TB) []byte {
	t.Helper()
	folder := kube.NewFolderStore(t.TempDir())
	a := kube.NewAuthority(folder, kube.AuthorityConfig{})
	stop := start(t, a.Run)
	eventually(t, "a certificate", func() bool { return a.Problem() == nil })
	stop()
	kept, err := folder.Load(t.Context())
	check(t, err)
	return kept.Parts["ca.crt"]
}

func TestAnAPIServerThatIsAwayAtTheStartIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("validate")
		c.away = true
		lines := &logLines{}
		r := newReplica(c, kube.AuthorityConfig{Log: newLog(lines)})
		start(t, r.Run)
		time.Sleep(time.Hour)
		if _, err := r.GetCertificate(nil); !errors.Is(err, kube.ErrNoCertificate) {
			t.Errorf("got %v", err)
		}
		if err := r.Problem(); !errors.Is(err, errAway) {
			t.Errorf("the problem is %v", err)
		}
		if n := strings.Count(lines.String(), "\n"); n != 1 {
			t.Errorf("an hour of it is %d lines:\n%s", n, lines)
		}
		c.do(func() { c.away = false })
		time.Sleep(5 * time.Second)
		check(t, r.Problem())
		check(t, newVerifier(t, c).holds(r))
		// Away again: what is shown stays, and the problem says so.
		c.do(func() { c.away = true })
		time.Sleep(day)
		check(t, newVerifier(t, c).holds(r))
		if err := r.Problem(); !errors.Is(err, errAway) {
			t.Errorf("the problem is %v", err)
		}
	})
}

func TestAConfigurationThatIsMissingIsAProblemUntilItExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		r := newReplica(c, kube.AuthorityConfig{})
		start(t, r.Run)
		time.Sleep(time.Minute)
		if err := r.Problem(); !errors.Is(err, kube.ErrNoConfiguration) || !strings.Contains(err.Error(), "vouchsafe") {
			t.Errorf("the problem is %v", err)
		}
		c.do(func() { c.configurations = newCluster("vouchsafe").configurations })
		time.Sleep(5 * time.Second)
		check(t, r.Problem())
		check(t, newVerifier(t, c).holds(r))
	})
}

func TestWithoutTheRightToWriteConfigurationsNothingIsShownThatTheyDoNotHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("validate")
		c.frozen = true
		r := newReplica(c, kube.AuthorityConfig{Poll: time.Hour})
		start(t, r.Run)
		time.Sleep(day)
		if pair, err := r.GetCertificate(nil); err == nil {
			t.Errorf("%v is shown, and no configuration knows its authority", pair.Leaf.Subject)
		}
		if err := r.Problem(); !errors.Is(err, kube.ErrForbidden) {
			t.Errorf("the problem is %v", err)
		}
		c.do(func() { c.frozen = false })
		time.Sleep(day)
		// From now on the authority of today must do, to the end of its life.
		c.do(func() { c.frozen = true })
		v := newVerifier(t, c)
		for range 362 {
			if err := v.holds(r); err != nil {
				t.Fatalf("at %v: %v", time.Now(), err)
			}
			time.Sleep(day)
		}
		if err := r.Problem(); !errors.Is(err, kube.ErrForbidden) {
			t.Errorf("the problem is %v", err)
		}
		// The next one takes over as soon as it may.
		c.do(func() { c.frozen = false })
		time.Sleep(day)
		check(t, v.holds(r))
		check(t, r.Problem())
	})
}

func TestAnotherServiceNameBringsAnotherCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("validate")
		r := newReplica(c, kube.AuthorityConfig{})
		start(t, r.Run)
		time.Sleep(time.Minute)
		c.do(func() {
			for _, host := range []string{"other.ns.svc", "192.0.2.9", "not a name", "2001:db8::1"} {
				w := c.configurations[0].Webhooks[0]
				w.Hosts = []string{host}
				c.configurations[0].Webhooks = append(c.configurations[0].Webhooks, w)
			}
		})
		time.Sleep(30 * time.Second)
		pair, err := r.GetCertificate(nil)
		check(t, err)
		for _, name := range []string{"other.ns.svc", "192.0.2.9", "[2001:db8::1]", "webhook.vouchsafe.svc"} {
			if err := pair.Leaf.VerifyHostname(name); err != nil {
				t.Error(err)
			}
		}
		_, before := c.kept()
		time.Sleep(day)
		if _, after := c.kept(); after != before {
			t.Errorf("a name that no certificate can have cost %d more", after-before)
		}
	})
}

func TestKeysOfAuthoritiesThatSignNoMoreAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("validate")
		start(t, newReplica(c, kube.AuthorityConfig{Poll: time.Hour}).Run)
		twice := false
		for range 400 {
			time.Sleep(day)
			parts, _ := c.kept()
			authorities, keys := count(parts["ca.crt"]), count(parts["ca.key"])
			if keys > authorities || keys == 0 {
				t.Fatalf("%d keys of %d authorities", keys, authorities)
			}
			if authorities == 2 && keys == 1 {
				twice = true
			}
		}
		if !twice {
			t.Error("an old authority kept its key as long as it lived")
		}
	})
}

func count(b []byte) (n int) {
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		n++
	}
	return n
}

func TestACertificateIsForServersAloneAndItsAuthorityForNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("validate")
		r := newReplica(c, kube.AuthorityConfig{})
		start(t, r.Run)
		time.Sleep(time.Minute)
		pair, err := r.GetCertificate(nil)
		check(t, err)
		if pair.Leaf.IsCA || len(pair.Leaf.ExtKeyUsage) != 1 || pair.Leaf.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
			t.Errorf("the certificate may be used for %v", pair.Leaf.ExtKeyUsage)
		}
		if life := time.Until(r.NotAfter()); life > 90*day || life < 89*day {
			t.Errorf("it lives %v", life)
		}
		block, _ := pem.Decode(c.bundlesNow()[0])
		authority, err := x509.ParseCertificate(block.Bytes)
		check(t, err)
		if !authority.IsCA || !authority.MaxPathLenZero || authority.KeyUsage != x509.KeyUsageCertSign {
			t.Errorf("the authority may be used for %v, path %d", authority.KeyUsage, authority.MaxPathLen)
		}
	})
}
