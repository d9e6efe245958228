package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vouchsafe/upstream"
)

// rekor is a log that finds entries as a Rekor does: by all of what is proposed.
type rekor struct {
	t      *testing.T
	log    labLog
	server *httptest.Server
	// bodies are what was logged; asked counts requests.
	bodies []string
	asked  atomic.Int64
	// prefix is the path below which its API is.
	prefix string
	// answer, when not nil, is given in place of what is true.
	answer http.HandlerFunc
}

func newRekor(t *testing.T) *rekor {
	t.Helper()
	r := &rekor{t: t, log: newLog(t), prefix: "/log"}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

func (r *rekor) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.asked.Add(1)
	if request.Method != http.MethodPost || request.URL.Path != r.prefix+"/api/v1/log/entries/retrieve" || request.UserAgent() != "vouchsafe/test" {
		r.t.Errorf("got %s %s by %s", request.Method, request.URL, request.UserAgent())
	}
	if r.answer != nil {
		r.answer(w, request)
		return
	}
	var query struct{ Entries []json.RawMessage }
	if err := json.NewDecoder(request.Body).Decode(&query); err != nil || len(query.Entries) == 0 {
		r.t.Errorf("got a question that cannot be read: %v", err)
	}
	found := []any{}
	for _, proposed := range query.Entries {
		for _, body := range r.bodies {
			if same(r.t, proposed, []byte(body)) {
				found = append(found, r.log.answer(r.t, body, labNow))
			}
		}
	}
	writeAnswer(w, found...)
}

// same reports whether two entries are one, whatever the order of their keys.
func same(t *testing.T, a, b []byte) bool {
	var one, other any
	if json.Unmarshal(a, &one) != nil || json.Unmarshal(b, &other) != nil {
		t.Errorf("an entry cannot be read: %s", a)
	}
	return bytes.Equal(must(json.Marshal(one))(t), must(json.Marshal(other))(t))
}

func writeAnswer(w http.ResponseWriter, found ...any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(append([]any{}, found...))
}

// answer is the log's answer for body, in a tree of one leaf.
func (l labLog) answer(t *testing.T, body string, at time.Time) map[string]any {
	t.Helper()
	leaf := sha256.Sum256(append([]byte{0}, body...))
	var attached struct{ SignedEntryTimestamp []byte }
	if err := json.Unmarshal([]byte(l.entry(t, body, at)), &attached); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"24296fb24b8ad77a" + hex.EncodeToString(leaf[:]): map[string]any{
		"body": base64.StdEncoding.EncodeToString([]byte(body)), "integratedTime": at.Unix(), "logID": l.id, "logIndex": 7,
		"verification": map[string]any{
			"signedEntryTimestamp": attached.SignedEntryTimestamp,
			"inclusionProof": map[string]any{
				"checkpoint": l.checkpoint(t, leaf[:]), "hashes": []string{}, "logIndex": 0, "rootHash": hex.EncodeToString(leaf[:]), "treeSize": 1,
			},
		},
	}}
}

// within is a map inside answer, to be spoilt.
func within(answer map[string]any, path ...string) map[string]any {
	for _, inner := range answer {
		answer = inner.(map[string]any)
	}
	for _, name := range path {
		answer = answer[name].(map[string]any)
	}
	return answer
}

// asking is a verifier that asks logs by client.
func asking(t *testing.T, client LogClient, timeout time.Duration) *Verifier {
	t.Helper()
	v := New(nil, NewLRU(10, nil), Config{Logs: client, UserAgent: "vouchsafe/test", Timeout: timeout})
	t.Cleanup(v.Close)
	return v
}

func operatorClient(t *testing.T) *http.Client {
	t.Helper()
	client := upstream.NewOperatorClient(time.Minute, nil)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func (v *Verifier) judgeFresh(t *testing.T, evidence Evidence, in *Integration) Result {
	t.Helper()
	evidence.CollectedAt = time.Now()
	return must(v.judge(t.Context(), landed(subject{evidence.Repository, evidence.Digest, evidence.Repository}, evidence), in))(t)
}

func (r *rekor) keyTrust(s labSigner) trust {
	return trust{keys: s.trusted(r.t, window{}), logs: r.log.trusted(), demandLog: true, askLog: r.server.URL + "/log"}
}

func TestALogIsAskedForWhatIsNotAttached(t *testing.T) {
	s := labSigner{key: labKey(t)}
	item := s.image(t)
	body := entryBody(item, publicPEM(t, s.key.Public()))
	spoilt := func(change func(map[string]any)) func(*rekor) {
		return func(r *rekor) {
			r.answer = func(w http.ResponseWriter, _ *http.Request) {
				one := r.log.answer(r.t, body, labNow)
				change(one)
				writeAnswer(w, one)
			}
		}
	}
	text := func(kind, body string) func(*rekor) {
		return func(r *rekor) {
			r.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				_, _ = w.Write([]byte(body))
			}
		}
	}
	status := func(code int) func(*rekor) {
		return func(r *rekor) { r.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) } }
	}
	elsewhere := newRekor(t)
	for _, c := range []struct {
		name   string
		set    func(*rekor)
		status Status
		reason Reason
		asked  int64
	}{
		{"the log has it", func(r *rekor) { r.bodies = []string{body} }, Verified, "", 1},
		{"the log has none", func(*rekor) {}, Untrusted, TlogMissing, 1},
		{"the log gives the entry of another signature", func(r *rekor) {
			r.answer = func(w http.ResponseWriter, _ *http.Request) {
				writeAnswer(w, r.log.answer(r.t, entryBody(s.image(r.t), publicPEM(r.t, s.key.Public())), labNow))
			}
		}, Untrusted, TlogInvalid, 1},
		{"the log gives the entry of another key", func(r *rekor) {
			r.answer = func(w http.ResponseWriter, _ *http.Request) {
				writeAnswer(w, r.log.answer(r.t, entryBody(item, publicPEM(r.t, labKey(r.t).Public())), labNow))
			}
		}, Untrusted, TlogInvalid, 1},
		{"the entry is of another log", func(r *rekor) {
			r.answer = func(w http.ResponseWriter, _ *http.Request) { writeAnswer(w, newLog(r.t).answer(r.t, body, labNow)) }
		}, Untrusted, TlogInvalid, 1},
		{"a good entry after a foreign one", func(r *rekor) {
			r.answer = func(w http.ResponseWriter, _ *http.Request) {
				writeAnswer(w, newLog(r.t).answer(r.t, body, labNow), r.log.answer(r.t, body, labNow))
			}
		}, Verified, "", 1},
		{"no signed entry timestamp", spoilt(func(a map[string]any) { delete(within(a, "verification"), "signedEntryTimestamp") }), Untrusted, TlogInvalid, 1},
		{"no inclusion proof", spoilt(func(a map[string]any) { delete(within(a, "verification"), "inclusionProof") }), Untrusted, TlogInvalid, 1},
		{"no proof at all", spoilt(func(a map[string]any) { delete(within(a), "verification") }), Untrusted, TlogInvalid, 1},
		{"another time than was signed", spoilt(func(a map[string]any) { within(a)["integratedTime"] = labNow.Unix() + 1 }), Untrusted, TlogInvalid, 1},
		{"a proof of another leaf", spoilt(func(a map[string]any) {
			within(a, "verification", "inclusionProof")["rootHash"] = strings.Repeat("00", 32)
		}), Untrusted, TlogInvalid, 1},
		{"a checkpoint that another log signed", func(r *rekor) {
			leaf := sha256.Sum256(append([]byte{0}, body...))
			spoilt(func(a map[string]any) {
				within(a, "verification", "inclusionProof")["checkpoint"] = newLog(r.t).checkpoint(r.t, leaf[:])
			})(r)
		}, Untrusted, TlogInvalid, 1},
		{"half an entry", spoilt(func(a map[string]any) { delete(within(a), "logID") }), Unavailable, TlogUnavailable, 1},
		{"a body that is no text", spoilt(func(a map[string]any) { within(a)["body"] = map[string]any{} }), Unavailable, TlogUnavailable, 1},
		{"more entries than were asked for", func(r *rekor) {
			r.answer = func(w http.ResponseWriter, _ *http.Request) {
				many := make([]any, MaxLogAnswers+1)
				for i := range many {
					many[i] = r.log.answer(r.t, body, labNow)
				}
				writeAnswer(w, many...)
			}
		}, Unavailable, TlogUnavailable, 1},
		{"an answer that is too large", text("application/json", "["+strings.Repeat(" ", MaxLogAnswerBytes)+"]"), Unavailable, TlogUnavailable, 1},
		{"an answer of too many values", text("application/json", "["+strings.Repeat("{},", maxBundleValues)+"{}]"), Unavailable, TlogUnavailable, 1},
		{"an answer that is no JSON", text("application/json", "<html>"), Unavailable, TlogUnavailable, 1},
		{"an answer of another type", text("text/html", "[]"), Unavailable, TlogUnavailable, 2},
		{"a refusal", status(http.StatusBadRequest), Unavailable, TlogUnavailable, 1},
		{"no such place", status(http.StatusNotFound), Unavailable, TlogUnavailable, 1},
		{"trouble that stays", status(http.StatusInternalServerError), Unavailable, TlogUnavailable, 2},
		{"trouble that passes", func(r *rekor) {
			r.bodies = []string{body}
			r.answer = func(w http.ResponseWriter, _ *http.Request) {
				r.answer = nil
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}, Verified, "", 2},
		{"a redirect to another host", func(r *rekor) {
			r.answer = func(w http.ResponseWriter, request *http.Request) {
				http.Redirect(w, request, elsewhere.server.URL+request.URL.Path, http.StatusTemporaryRedirect)
			}
		}, Unavailable, TlogUnavailable, 2},
		{"a log that is away", func(r *rekor) { r.server.Close() }, Unavailable, TlogUnavailable, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRekor(t)
			c.set(r)
			v := asking(t, operatorClient(t), 0)
			got := v.judgeFresh(t, labEvidence(item), integrationOf("a", r.keyTrust(s)))
			if got.Status != c.status || got.Reason != c.reason || r.asked.Load() != c.asked {
				t.Errorf("got %v %s (%s) after %d requests, want %v %s after %d", got.Status, got.Reason, got.Message, r.asked.Load(), c.status, c.reason, c.asked)
			}
			if c.status == Verified && (got.LogIndex == nil || *got.LogIndex != 7) {
				t.Errorf("got log index %v, want 7", got.LogIndex)
			}
		})
	}
	if elsewhere.asked.Load() != 0 {
		t.Error("a redirect was followed to another host")
	}
}

func TestALogAtALinkLocalAddressIsNotReached(t *testing.T) {
	r, s := newRekor(t), labSigner{key: labKey(t)}
	trusted := r.keyTrust(s)
	trusted.askLog = "http://169.254.169.254"
	got := asking(t, operatorClient(t), 0).judgeFresh(t, labEvidence(s.image(t)), integrationOf("a", trusted))
	if got.Status != Unavailable || got.Reason != TlogUnavailable || strings.Contains(got.Message, "answered") {
		t.Errorf("got %v %s (%s)", got.Status, got.Reason, got.Message)
	}
}

// TestTheRecordingWithoutAttachedEntry: cosign logged it and attached nothing.
func TestTheRecordingWithoutAttachedEntry(t *testing.T) {
	r, image := newRekor(t), recording(t, "key-online")
	r.prefix, r.bodies = "", []string{entryBody(image.Items[0], string(recordedTrust(t, "k1.pub")))}
	trusted := trust{keys: []*trustedKey{recordedKey(t, "k1")}, logs: r.log.trusted(), demandLog: true, askLog: r.server.URL}
	v := asking(t, operatorClient(t), 0)
	if got := v.judgeFresh(t, image, integrationOf("a", trusted)); got.Status != Verified || got.Signer != "k1" {
		t.Errorf("got %v %s (%s)", got.Status, got.Reason, got.Message)
	}
	if image.Items[0].answer != nil {
		t.Error("the evidence itself was changed")
	}
}

// forbidden is a client that must not be used.
type forbidden struct{ t *testing.T }

func (f forbidden) Do(r *http.Request) (*http.Response, error) {
	f.t.Errorf("a call went to %s", r.URL)
	return nil, errors.New("forbidden")
}

// TestALogIsAskedForAStatement has bundles without an entry. The log is asked by the
// whole envelope and the key, and its entry holds neither of these but their hashes.
func TestALogIsAskedForAStatement(t *testing.T) {
	s := labSigner{key: labKey(t)}
	item := s.statementBundle(t, signStatement(labDigest))
	var bundle struct{ DSSEEnvelope json.RawMessage }
	if err := json.Unmarshal(item.Payload, &bundle); err != nil {
		t.Fatal(err)
	}
	intoto := fmt.Sprintf(`{"apiVersion":"0.0.2","kind":"intoto","spec":{"content":{"envelope":{"payloadType":%q,"signatures":[{"publicKey":"","sig":""}]},"hash":{"algorithm":"sha256","value":%q}}}}`,
		intotoPayload, strings.Repeat("0", 64))
	for _, c := range []struct {
		name   string
		body   string
		status Status
		reason Reason
	}{
		{"the log has it", dsseBody(t, s, item), Verified, ""},
		{"the log has none", "", Untrusted, TlogMissing},
		{"the log gives the entry of another statement", dsseBody(t, s, s.statementBundle(t, signStatement(recording(t, "key-log").Digest))), Untrusted, TlogInvalid},
		{"the log gives the entry of another envelope around the statement", dsseBody(t, s, s.statementBundle(t, signStatement(labDigest))), Untrusted, TlogInvalid},
		{"the log gives the entry of another key", dsseBody(t, labSigner{key: labKey(t)}, item), Untrusted, TlogInvalid},
		{"the log gives an entry of another kind", intoto, Untrusted, TlogInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRekor(t)
			r.answer = func(w http.ResponseWriter, request *http.Request) {
				r.checkStatementQuestion(request, bundle.DSSEEnvelope, publicPEM(t, s.key.Public()))
				if c.body == "" {
					writeAnswer(w)
					return
				}
				writeAnswer(w, r.log.answer(t, c.body, labNow))
			}
			got := asking(t, operatorClient(t), 0).judgeFresh(t, labEvidence(item), integrationOf("a", r.keyTrust(s)))
			if got.Status != c.status || got.Reason != c.reason || r.asked.Load() != 1 {
				t.Errorf("got %v %s (%s) after %d requests, want %v %s", got.Status, got.Reason, got.Message, r.asked.Load(), c.status, c.reason)
			}
		})
	}
}

// checkStatementQuestion demands that a log is asked for the entry of one envelope
// by one key, in the two forms in which it may have been hashed, and for nothing
// else.
func (r *rekor) checkStatementQuestion(request *http.Request, envelope []byte, key string) {
	var query struct {
		Entries []struct {
			Kind, APIVersion string
			Spec             struct {
				ProposedContent struct {
					Envelope  string
					Verifiers [][]byte
				}
			}
		}
	}
	if err := json.NewDecoder(request.Body).Decode(&query); err != nil || len(query.Entries) != 2 {
		r.t.Errorf("got a question that cannot be read: %v", err)
		return
	}
	if query.Entries[0].Spec.ProposedContent.Envelope == query.Entries[1].Spec.ProposedContent.Envelope {
		r.t.Error("the log was asked for the same form twice")
	}
	for _, one := range query.Entries {
		r.checkEnvelope(one.Kind+" "+one.APIVersion, one.Spec.ProposedContent.Envelope, one.Spec.ProposedContent.Verifiers, envelope, key)
	}
}

func (r *rekor) checkEnvelope(kind, asks string, verifiers [][]byte, envelope []byte, key string) {
	if kind != "dsse 0.0.1" || len(verifiers) != 1 || string(verifiers[0]) != key {
		r.t.Errorf("got the question %s by %q", kind, verifiers)
	}
	var asked, signed struct {
		PayloadType, Payload string
		Signatures           []struct{ Sig string }
	}
	if json.Unmarshal([]byte(asks), &asked) != nil || json.Unmarshal(envelope, &signed) != nil ||
		asked.Payload != signed.Payload || asked.PayloadType != signed.PayloadType || !slices.Equal(asked.Signatures, signed.Signatures) {
		r.t.Errorf("the log was asked for another envelope: %s", asks)
	}
}

// TestNoLogIsAskedInVain: an entry is asked for only where it is all that lacks.
func TestNoLogIsAskedInVain(t *testing.T) {
	r, s, ca := newRekor(t), labSigner{key: labKey(t)}, newAuthority(t, span{}, span{})
	leaf := ca.leaf(t, span{})
	rule := ca.rule()
	rule.identity = matcher{exact: "other@corp.example"}
	online := r.keyTrust(s)
	offline := online
	offline.askLog = ""
	certified := online
	certified.keys, certified.certificates = nil, []*certificateRule{rule}
	logged := r.log.logged(t, s, s.image(t), labNow)
	for _, c := range []struct {
		name   string
		items  []Item
		trust  trust
		status Status
		reason Reason
	}{
		{"offline", []Item{s.image(t)}, offline, Untrusted, TlogMissing},
		{"an entry is attached", []Item{logged}, online, Verified, ""},
		{"an entry is attached to one of two", []Item{s.image(t), logged}, online, Verified, ""},
		{"a signature by a stranger", []Item{labSigner{key: labKey(t)}.image(t)}, online, Untrusted, KeyMismatch},
		{"a signature of another image", []Item{s.sign(t, labPayload(recording(t, "key-log").Digest, "registry.test/app"))}, online, Untrusted, DigestMismatch},
		{"another identity", []Item{leaf.image(t)}, certified, Untrusted, IdentityMismatch},
		{"no signature", nil, online, Unsigned, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := asking(t, forbidden{t}, 0).judgeFresh(t, labEvidence(c.items...), integrationOf("a", c.trust))
			if got.Status != c.status || got.Reason != c.reason {
				t.Errorf("got %v %s (%s), want %v %s", got.Status, got.Reason, got.Message, c.status, c.reason)
			}
		})
	}
}

// TestCertificatesInALog: the entry proves when a certificate was used.
func TestCertificatesInALog(t *testing.T) {
	ca := newAuthority(t, span{}, span{})
	leaf := ca.leaf(t, span{-1, 1})
	item := leaf.image(t)
	for _, c := range []struct {
		name   string
		up     bool
		status Status
		reason Reason
	}{{"the log has it", true, Verified, ""}, {"the log is away", false, Unavailable, TlogUnavailable}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRekor(t)
			r.bodies = []string{entryBody(item, certificatePEM(leaf.leaf))}
			trusted := trust{certificates: []*certificateRule{ca.rule()}, logs: r.log.trusted(), demandLog: true, askLog: r.server.URL + "/log"}
			if !c.up {
				r.server.Close()
			}
			got := asking(t, operatorClient(t), 0).judgeFresh(t, labEvidence(item), integrationOf("a", trusted))
			if got.Status != c.status || got.Reason != c.reason {
				t.Errorf("got %v %s (%s), want %v %s", got.Status, got.Reason, got.Message, c.status, c.reason)
			}
		})
	}
}

func TestNoMoreThanEightSignaturesAreAskedFor(t *testing.T) {
	r, s := newRekor(t), labSigner{key: labKey(t)}
	var items []Item
	for range maxAsked + 1 {
		items = append(items, s.image(t))
	}
	got := asking(t, operatorClient(t), 0).judgeFresh(t, labEvidence(items...), integrationOf("a", r.keyTrust(s)))
	if got.Status != Untrusted || got.Reason != OverLimit || r.asked.Load() != maxAsked {
		t.Errorf("got %v %s (%s) after %d requests", got.Status, got.Reason, got.Message, r.asked.Load())
	}
	r.bodies = []string{entryBody(items[3], publicPEM(t, s.key.Public()))}
	if got := asking(t, operatorClient(t), 0).judgeFresh(t, labEvidence(items...), integrationOf("a", r.keyTrust(s))); got.Status != Verified {
		t.Errorf("with one that is logged: got %v %s (%s)", got.Status, got.Reason, got.Message)
	}
}

func TestASlowLogIsUnavailableAndKeepsNobodyFromJudging(t *testing.T) {
	r, s := newRekor(t), labSigner{key: labKey(t)}
	begun, over := make(chan struct{}), make(chan struct{})
	r.answer = func(_ http.ResponseWriter, request *http.Request) {
		close(begun)
		<-over
		_ = request.Body.Close()
	}
	v := asking(t, operatorClient(t), time.Second)
	item := s.image(t)
	var slow Result
	var all sync.WaitGroup
	all.Go(func() { slow = v.judgeFresh(t, labEvidence(item), integrationOf("slow", r.keyTrust(s))) })
	<-begun
	plain := integrationOf("plain", trust{keys: s.trusted(t, window{})})
	if got := v.judgeFresh(t, labEvidence(item), plain); got.Status != Verified || len(v.judging) != 0 {
		t.Errorf("beside it: got %v, and %d are judging", got.Status, len(v.judging))
	}
	all.Wait()
	close(over)
	if slow.Status != Unavailable || slow.Reason != Timeout {
		t.Errorf("got %v %s (%s)", slow.Status, slow.Reason, slow.Message)
	}
}

// TestOneQuestionForAllCallers also holds that an answer is kept as a result and
// nowhere else.
func TestOneQuestionForAllCallers(t *testing.T) {
	r, s := newRekor(t), labSigner{key: labKey(t)}
	item := s.image(t)
	r.bodies = []string{entryBody(item, publicPEM(t, s.key.Public()))}
	v := asking(t, operatorClient(t), 0)
	in, evidence := integrationOf("a", r.keyTrust(s)), labEvidence(item)
	evidence.CollectedAt = time.Now()
	about := subject{evidence.Repository, evidence.Digest, evidence.Repository}
	v.evidence.put(about, evidence, time.Time{})
	var all sync.WaitGroup
	statuses := make([]Status, 50)
	for i := range statuses {
		all.Go(func() { statuses[i] = must(v.judge(t.Context(), landed(about, evidence), in))(t).Status })
	}
	all.Wait()
	if slices.ContainsFunc(statuses, func(s Status) bool { return s != Verified }) || r.asked.Load() != 1 || len(v.asking) != 0 {
		t.Errorf("got %v after %d requests", statuses, r.asked.Load())
	}
	other := integrationOf("b", r.keyTrust(s))
	if _, counts, err := v.judgeKept(t.Context(), landed(about, evidence), other); err != nil || counts || r.asked.Load() != 1 {
		t.Errorf("kept evidence that lacks an entry: counts %v, %v after %d requests; want a new collection", counts, err, r.asked.Load())
	}
}

type panicking struct{}

func (panicking) Do(*http.Request) (*http.Response, error) { panic("hostile") }

func TestAPanicWhileALogIsAskedAllowsNothing(t *testing.T) {
	r, s := newRekor(t), labSigner{key: labKey(t)}
	for name, client := range map[string]LogClient{"panics": panicking{}, "is not there": nil} {
		got := asking(t, client, 0).judgeFresh(t, labEvidence(s.image(t)), integrationOf("a", r.keyTrust(s)))
		if got.Status != Unavailable || got.Reason == "" {
			t.Errorf("a client that %s: got %v %s (%s)", name, got.Status, got.Reason, got.Message)
		}
	}
}
