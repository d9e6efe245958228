package inventory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// period is that of newBench.
const period = 54 * time.Minute

func TestEachChangeOfAStatusIsToldOnceAndIsReversible(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	policies := []*policy.Policy{newPolicy(t, "prod-signed", "**", in)}
	for _, test := range []struct {
		name     string
		first    verify.Result
		then     verify.Result
		told     string
		back     string
		level    string
		violated bool
		verdict  policy.Verdict
	}{
		{"a signature is withdrawn", verified, unsigned, "Verified>Unsigned", "Unsigned>Verified", "WARN", true, policy.Deny},
		{"a key is replaced at the signer", verified, otherKey, "Verified>Untrusted", "Untrusted>Verified", "WARN", true, policy.Deny},
		{"an unsigned image is signed", unsigned, verified, "Unsigned>Verified", "Verified>Unsigned", "INFO", false, policy.Allow},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, inventory.ReverifyConfig{}, policies, in)
				defer b.stop()
				img := some(t, "a")
				b.results.say(img.Reference.Digest, "release-team", test.first)
				b.pull(img)
				time.Sleep(period)
				if got := b.records.taken(); len(got) != 0 {
					t.Errorf("told without a change: %s", got[0].Message)
				}
				b.results.say(img.Reference.Digest, "release-team", test.then)
				time.Sleep(period)
				got := b.records.taken()
				if len(got) != 1 || b.records.requests[0].Kind != policy.KindReverification {
					t.Fatalf("got %d records", len(got))
				}
				from, to, _ := strings.Cut(test.told, ">")
				want := fmt.Sprintf("%s@%s: release-team was %s, now %s", api, img.Reference.Digest, from, to)
				if test.then.Reason != "" {
					want += " (" + string(test.then.Reason) + ")"
				}
				if want += " (decision " + got[0].ID + ")"; got[0].Message != want {
					t.Errorf("message\n%s, want\n%s", got[0].Message, want)
				}
				if got[0].Verdict != test.verdict || got[0].Results[0].Status != test.then.Status {
					t.Errorf("got %v, %v", got[0].Verdict, got[0].Results[0].Status)
				}
				if metric, want := b.changes.taken(), "release-team "+test.told; metric != want {
					t.Errorf("metric %q, want %q", metric, want)
				}
				if log := b.log.taken(); strings.Count(log, "status changed") != 1 || !strings.Contains(log, "level="+test.level) {
					t.Errorf("log: %s", log)
				}
				if n := b.memory.Counts().Violations["prod-signed"]; (n == 1) != test.violated {
					t.Errorf("%d violations are open", n)
				}
				b.results.say(img.Reference.Digest, "release-team", test.first)
				time.Sleep(period)
				if metric, want := b.changes.taken(), "release-team "+test.back; metric != want || len(b.records.taken()) != 1 {
					t.Errorf("back: metric %q, want %q", metric, want)
				}
				if n := b.memory.Counts().Violations["prod-signed"]; (n == 1) == test.violated {
					t.Errorf("back: %d violations are open", n)
				}
			})
		})
	}
}

func TestAnOutageTakesAVerifiedAwayAtItsEndAlone(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	policies := []*policy.Policy{newPolicy(t, "prod-signed", "**", in)}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, policies, in)
		defer b.stop()
		img := some(t, "a")
		b.results.say(img.Reference.Digest, "release-team", verified)
		b.pull(img)
		time.Sleep(period)
		b.results.asked()
		collected := result(t, b.memory, img, "release-team").CheckedAt
		b.results.say(img.Reference.Digest, "release-team", unavailable)
		time.Sleep(time.Until(collected.Add(time.Hour)) - time.Nanosecond)
		synctest.Wait()
		r := result(t, b.memory, img, "release-team")
		if r.Status != verify.Verified || r.LastAttemptFailed != verify.Timeout || !r.LastAttempt.After(collected) {
			t.Errorf("before the end: %+v", r)
		}
		if got := b.records.taken(); len(got) > 0 {
			t.Errorf("told before the end: %s", got[0].Message)
		}
		if got, _ := b.memory.Image(api, img.Reference.Digest); got.LastVerdict != policy.Allow {
			t.Errorf("before the end: the verdict is %v", got.LastVerdict)
		}
		if n := len(b.memory.Violations()); n != 0 {
			t.Errorf("an outage opened %d violations", n)
		}
		var gaps []time.Duration
		at := collected.Add(period)
		for _, q := range b.results.asked() {
			gaps = append(gaps, q.at.Sub(at))
			at = q.at
		}
		if want := []time.Duration{0, time.Minute, 2 * time.Minute}; !slices.Equal(gaps, want) {
			t.Errorf("tries after %v, want %v", gaps, want)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if got := b.changes.taken(); got != "release-team Verified>Unavailable" {
			t.Errorf("at its end: told %q", got)
		}
		if got := b.records.taken(); len(got) != 1 || got[0].Verdict != policy.Unavailable {
			t.Errorf("at its end: %d records", len(got))
		}
		b.results.say(img.Reference.Digest, "release-team", verified)
		time.Sleep(period / 4)
		synctest.Wait()
		if got := b.changes.taken(); got != "release-team Unavailable>Verified" {
			t.Errorf("the registry is back: told %q", got)
		}
	})
}

func TestTriesAreAtMostAQuarterOfThePeriodApart(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, nil, in)
		defer b.stop()
		img := some(t, "a")
		b.results.say(img.Reference.Digest, "release-team", unavailable)
		b.pull(img)
		time.Sleep(4 * period)
		queries := b.results.asked()
		var last time.Duration
		for i := 1; i < len(queries); i++ {
			gap := queries[i].at.Sub(queries[i-1].at)
			last = max(last, gap)
			if q := queries[i]; q.MaxAge <= 0 || q.MaxAge > time.Millisecond {
				t.Errorf("try %d takes evidence of %v", i, q.MaxAge)
			}
		}
		if last != period/4 || len(queries) < 12 {
			t.Errorf("%d tries, at most %v apart", len(queries), last)
		}
	})
}

func TestAVerifiedThatEndsIsCheckedBeforeAndAtItsEnd(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	policies := []*policy.Policy{newPolicy(t, "prod-signed", "**", in)}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, policies, in)
		defer b.stop()
		img := some(t, "a")
		// The first point of the grid is behind the end.
		ends := time.Now().Add(10 * time.Minute)
		windowed := verified
		windowed.EndsAt = ends
		expired := verify.Result{Status: verify.Untrusted, Reason: verify.KeyExpired}
		b.results.setHook(func(verify.Query) {
			if !time.Now().Before(ends) {
				b.results.say(img.Reference.Digest, "release-team", expired)
			}
		})
		b.results.say(img.Reference.Digest, "release-team", windowed)
		b.pull(img)
		b.results.asked()
		time.Sleep(10*time.Minute - time.Second)
		synctest.Wait()
		if n := len(b.results.asked()); n != 1 {
			t.Errorf("%d checks before the end, want 1", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := b.records.taken()
		if len(got) != 1 || !strings.Contains(got[0].Message, "was Verified, now Untrusted (KEY_EXPIRED)") {
			t.Fatalf("at the end: %v", got)
		}
		b.results.setHook(nil)
		b.results.say(img.Reference.Digest, "release-team", verified)
		time.Sleep(period)
		synctest.Wait()
		if got := b.changes.taken(); got != "release-team Verified>Untrusted, release-team Untrusted>Verified" {
			t.Errorf("told %q", got)
		}
	})
}

func TestAChangeThatAPullFindsIsToldFromWhatThePullFound(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	policies := []*policy.Policy{newPolicy(t, "prod-signed", "**", in)}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, policies, in)
		defer b.stop()
		img := some(t, "a")
		b.pull(img)
		time.Sleep(time.Minute)
		b.results.say(img.Reference.Digest, "release-team", verified)
		b.results.asked()
		found := time.Now()
		b.pull(img)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := b.changes.taken(); got != "release-team Unsigned>Verified" {
			t.Errorf("told %q", got)
		}
		queries := b.results.asked()
		if len(queries) != 2 || queries[1].at.Add(-queries[1].MaxAge).After(found) {
			t.Errorf("%d questions, evidence of %v on does not count", len(queries), found)
		}
	})
}

func TestARecordThatCannotBeWrittenIsWrittenLater(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, nil, in)
		defer b.stop()
		img := some(t, "a")
		b.results.say(img.Reference.Digest, "release-team", verified)
		b.pull(img)
		time.Sleep(period)
		b.records.setBroken(true)
		b.results.say(img.Reference.Digest, "release-team", unsigned)
		time.Sleep(period)
		if got := b.changes.taken(); got != "" {
			t.Errorf("counted without a record: %s", got)
		}
		b.records.setBroken(false)
		time.Sleep(period / 4)
		synctest.Wait()
		if got := b.changes.taken(); got != "release-team Verified>Unsigned" || len(b.records.taken()) != 1 {
			t.Errorf("told %q", got)
		}
	})
}

func TestAPanicAboutOneImageEndsNothing(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, nil, in)
		defer b.stop()
		bad, good := some(t, "bad"), some(t, "good")
		b.results.say(good.Reference.Digest, "release-team", verified)
		b.pull(bad)
		b.pull(good)
		time.Sleep(period)
		b.results.setHook(func(q verify.Query) {
			if q.Digest == bad.Reference.Digest {
				panic("boom")
			}
		})
		b.results.say(good.Reference.Digest, "release-team", unsigned)
		time.Sleep(period)
		if got := b.changes.taken(); got != "release-team Verified>Unsigned" {
			t.Errorf("told %q of the other image", got)
		}
		if log := b.log.taken(); !strings.Contains(log, "image not judged again") || !strings.Contains(log, "boom") {
			t.Errorf("log: %s", log)
		}
		b.results.setHook(nil)
		b.results.say(bad.Reference.Digest, "release-team", verified)
		time.Sleep(period / 4)
		synctest.Wait()
		if got := b.changes.taken(); got != "release-team Unsigned>Verified" {
			t.Errorf("afterwards: told %q", got)
		}
	})
}

func TestSignatureArtifactsAreRememberedAndNeverJudgedAgain(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, nil, in)
		defer b.stop()
		signature := parse(t, api, map[string]any{
			"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
			"config": descriptor("application/vnd.oci.empty.v1+json", digest("{}")),
			"layers": []any{descriptor("application/vnd.dev.sigstore.bundle.v0.3+json", digest("bundle"))},
		})
		if d := b.pull(signature); !d.Exempt {
			t.Fatal("not exempt")
		}
		time.Sleep(3 * period)
		if n := len(b.results.asked()); n != 0 {
			t.Errorf("asked %d times", n)
		}
		if got, found := b.memory.Image(api, signature.Reference.Digest); !found || !got.Exempt || len(got.Results) != 0 {
			t.Errorf("remembered as %+v", got)
		}
	})
}

func TestTenThousandImagesAreSpreadOverThePeriod(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	const images, interval, window = 10_000, 600 * time.Second, 10 * time.Second
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{Interval: interval}, nil, in)
		defer b.stop()
		one := some(t, "a")
		start := time.Now()
		for i := range images {
			one.Reference.Digest = digest(fmt.Sprint(i))
			b.pull(one)
		}
		b.results.asked()
		const periods = 3
		time.Sleep(periods * interval * 9 / 10)
		load := map[int]int{}
		queries := b.results.asked()
		for _, q := range queries {
			load[int(q.at.Sub(start)/window)]++
		}
		// Within a period each image has one turn.
		if n := len(queries); n < periods*images-1 || n > periods*images {
			t.Errorf("%d checks in %d periods of %d images", n, periods, images)
		}
		mean := float64(images) * window.Seconds() / (0.9 * interval.Seconds())
		most := 0
		for _, n := range load {
			most = max(most, n)
		}
		t.Logf("mean %.0f in 10 s, most %d (%.2f times)", mean, most, float64(most)/mean)
		if float64(most) > 1.5*mean {
			t.Errorf("a window carries %d checks, the mean is %.0f", most, mean)
		}
		if lag := b.again.Lag(); lag > 2*time.Second {
			t.Errorf("lag is %v", lag)
		}
	})
}

func TestRunReturnsWhenItsChecksHaveEnded(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, nil, in)
		b.pull(some(t, "a"))
		ended := false
		b.results.setHook(func(verify.Query) {
			time.Sleep(5 * time.Second)
			ended = true
		})
		for b.again.Due() == 0 {
			time.Sleep(time.Second)
		}
		time.Sleep(time.Second)
		b.stop()
		if !ended {
			t.Error("Run returned while an image was being checked")
		}
	})
}
