package admission_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vouchsafe/admission"
	"vouchsafe/oci"
	"vouchsafe/policy"
)

const maxReview = 40 << 20

// sized is a review of exactly n bytes.
func sized(t testing.TB, n int) []byte {
	t.Helper()
	body := review(t, create("Pod", pod("containers", signed)))
	return append(body, bytes.Repeat([]byte(" "), n-len(body))...)
}

// TestWhatIsNoReviewIsRefused: where there is a uid to answer to, as a review, since
// failurePolicy Ignore admits what has an HTTP error.
func TestWhatIsNoReviewIsRefused(t *testing.T) {
	w := newWorld(t)
	good := string(review(t, create("Pod", pod("containers", unsigned))))
	replace := func(old, new string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("%s is not there", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"40 MiB":                               {string(sized(t, maxReview)), 200},
		"40 MiB and one byte":                  {string(sized(t, maxReview+1)), 413},
		"nothing":                              {"", 400},
		"no JSON":                              {"{", 400},
		"null":                                 {"null", 400},
		"a list":                               {"[]", 400},
		"two documents":                        {good + good, 400},
		"no request":                           {`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`, 400},
		"another version":                      {replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1"), 400},
		"another kind":                         {replace("AdmissionReview", "Status"), 400},
		"no uid":                               {replace(`"uid":"0b7f"`, `"uid":""`), 400},
		"no operation":                         {replace("CREATE", ""), 400},
		"an operation that does not exist":     {replace("CREATE", "PATCH"), 400},
		"no object":                            {replace(`"object":`, `"Object":`), 400},
		"an object that is null":               {replace(`"object":{`, `"object":null,"x":{`), 400},
		"an object that is a list":             {replace(`"object":{`, `"object":[],"x":{`), 400},
		"containers that are an object":        {replace(`"containers":[`, `"containers":{},"x":[`), 400},
		"an image that is a number":            {replace(`"image":"`, `"image":1,"x":"`), 400},
		"no namespace":                         {strings.ReplaceAll(good, `"namespace":"prod"`, `"namespace":""`), 400},
		"an image twice":                       {replace(`"image":"`, `"image":"`+signed+`","image":"`), 400},
		"an image twice, the good one last":    {replace(unsigned+`"`, unsigned+`","image":"`+signed+`"`), 400},
		"containers twice":                     {replace(`"containers":[`, `"containers":[],"containers":[`), 400},
		"a spec twice":                         {replace(`"spec":{`, `"spec":{},"spec":{`), 400},
		"an object twice":                      {replace(`"object":{`, `"object":{},"object":{`), 400},
		"a request twice":                      {replace(`"request":{`, `"request":{},"request":{`), 400},
		"an operation twice":                   {replace(`"operation":"CREATE"`, `"operation":"DELETE","operation":"CREATE"`), 400},
		"nesting without end":                  {strings.Repeat(`{"a":`, 20_000), 400},
		"a name of other letter case is other": {replace(`"image":"`, `"Image":"`+signed+`","image":"`), 200},
		"fields that nobody knows":             {replace(`"uid"`, `"x":{"y":[1,null,{}]},"uid"`), 200},
	} {
		for _, target := range []string{"/validate", "/mutate"} {
			got := w.post(target, []byte(c.body))
			if c.want != 200 && !withoutUID[name] {
				w.unjudged(name, target, got, c.want)
				continue
			}
			if got.Code != c.want {
				t.Errorf("%s at %s: HTTP %d, want %d: %.200s", name, target, got.Code, c.want, got.Body)
			}
			if got.Code != 200 && strings.Contains(got.Body.String(), "allowed") {
				t.Errorf("%s at %s: got %s", name, target, got.Body)
			}
			if strings.Contains(name, "letter case") && target == "/validate" && !strings.Contains(got.Body.String(), `"allowed":false`) {
				t.Errorf("%s: got %s", name, got.Body)
			}
		}
	}
}

// withoutUID are those that cannot be answered.
var withoutUID = map[string]bool{
	"nothing": true, "no JSON": true, "null": true, "a list": true, "no request": true, "no uid": true, "nesting without end": true,
}

// unjudged checks the answer to a review that was not judged.
func (w *world) unjudged(name, target string, got *httptest.ResponseRecorder, code int) {
	w.t.Helper()
	var v struct{ Response answer }
	if err := json.Unmarshal(got.Body.Bytes(), &v); err != nil || got.Code != 200 || v.Response.UID != "0b7f" {
		w.t.Errorf("%s at %s: HTTP %d %.200s, want an answer", name, target, got.Code, got.Body)
		return
	}
	mutates := strings.HasPrefix(target, "/mutate")
	if v.Response.Allowed != mutates || v.Response.Patch != nil || !mutates && v.Response.Status.Code != code {
		w.t.Errorf("%s at %s: got %+v, want %d", name, target, v.Response, code)
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	w := newWorld(t)
	body := review(t, create("Pod", pod("containers", signed)))
	for name, c := range map[string]struct {
		method, path, contentType, encoding string
		want                                int
	}{
		"another page":          {"POST", "/", "application/json", "", 404},
		"a page below":          {"POST", "/validate/x", "application/json", "", 404},
		"a GET":                 {"GET", "/validate", "application/json", "", 405},
		"a PUT":                 {"PUT", "/mutate", "application/json", "", 405},
		"no content type":       {"POST", "/validate", "", "", 415},
		"another content type":  {"POST", "/validate", "application/yaml", "", 415},
		"compressed":            {"POST", "/validate", "application/json", "gzip", 415},
		"with a character set":  {"POST", "/validate", "application/json; charset=utf-8", "", 200},
		"a timeout of nonsense": {"POST", "/validate?timeout=x", "application/json", "", 200},
		"a negative timeout":    {"POST", "/validate?timeout=-1s", "application/json", "", 200},
		"a timeout of a day":    {"POST", "/validate?timeout=24h", "application/json", "", 200},
	} {
		r := httptest.NewRequest(c.method, c.path, bytes.NewReader(body))
		r.Header.Set("Content-Type", c.contentType)
		if c.encoding != "" {
			r.Header.Set("Content-Encoding", c.encoding)
		}
		got := httptest.NewRecorder()
		w.handler.ServeHTTP(got, r)
		if got.Code != c.want {
			t.Errorf("%s: HTTP %d, want %d: %s", name, got.Code, c.want, got.Body)
		}
		if c.want == 405 && got.Header().Get("Allow") != "POST" {
			t.Errorf("%s: Allow %q", name, got.Header().Get("Allow"))
		}
	}
}

// endless is a body of 1 GiB that counts what is read of it.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.read.Load() > 1<<30 {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = ' '
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func TestABodyWithoutEndIsNotReadToItsEnd(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	body := &endless{}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/validate", body)
	check(t, err)
	r.Header.Set("Content-Type", "application/json")
	if answer, err := server.Client().Do(r); err == nil {
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("HTTP %d", answer.StatusCode)
		}
	}
	if read := body.read.Load(); read > 64<<20 {
		t.Errorf("%d bytes were taken", read)
	}
}

func TestABodyThatNeverComesIsGivenUp(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	body, hold := io.Pipe()
	defer hold.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/validate?timeout=1s", body)
	check(t, err)
	r.Header.Set("Content-Type", "application/json")
	begin := time.Now()
	answer, err := server.Client().Do(r)
	if err == nil {
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest {
			t.Errorf("HTTP %d", answer.StatusCode)
		}
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it was waited for %v", took)
	}
}

// decider is one of a test.
type decider func(ctx context.Context, request policy.Request, image oci.Image) (policy.Decision, error)

func (d decider) Decide(ctx context.Context, request policy.Request, image oci.Image) (policy.Decision, error) {
	return d(ctx, request, image)
}

// TestWhatGoesWrongAllowsNothing has every part below fail in every way.
func TestWhatGoesWrongAllowsNothing(t *testing.T) {
	w := newWorld(t)
	allow := func(q policy.Request, image oci.Image) policy.Decision {
		return policy.Decision{ID: decisionID, Verdict: policy.Allow, Image: image.Reference, Name: q.Unresolved.Name, Revision: w.current().Revision}
	}
	for name, d := range map[string]decider{
		"a panic": func(context.Context, policy.Request, oci.Image) (policy.Decision, error) { panic("boom") },
		"an error": func(_ context.Context, q policy.Request, i oci.Image) (policy.Decision, error) {
			return allow(q, i), errors.New("a bug")
		},
		"no decision": func(context.Context, policy.Request, oci.Image) (policy.Decision, error) {
			return policy.Decision{}, nil
		},
		"a decision about another image": func(_ context.Context, q policy.Request, i oci.Image) (policy.Decision, error) {
			other := allow(q, i)
			other.Image.Digest = oci.SHA256([]byte("other"))
			return other, nil
		},
		"no verdict": func(_ context.Context, q policy.Request, i oci.Image) (policy.Decision, error) {
			none := allow(q, i)
			none.Verdict = 0
			return none, nil
		},
		"a verdict that is none": func(_ context.Context, q policy.Request, i oci.Image) (policy.Decision, error) {
			none := allow(q, i)
			none.Verdict = 99
			return none, nil
		},
		"an old revision for ever": func(_ context.Context, q policy.Request, i oci.Image) (policy.Decision, error) {
			old := allow(q, i)
			old.Revision = "another"
			return old, nil
		},
		"nothing, for ever": func(context.Context, policy.Request, oci.Image) (policy.Decision, error) {
			select {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := admission.New(w.resolver, d, d, admission.Config{ContactRegistries: true, PullHost: pullHost, Pin: true, Listed: isListed, Revision: func() string { return w.current().Revision }})
			for _, image := range []string{signed, unlisted, noName} {
				one := &world{t: t, handler: h}
				begin := time.Now()
				got := one.post("/validate?timeout=1s", review(t, create("Pod", pod("containers", image, "nginx@sha256:"+strings.Repeat("a", 64)))))
				if strings.Contains(got.Body.String(), `"allowed":true`) || time.Since(begin) > 990*time.Millisecond {
					t.Errorf("%s after %v: HTTP %d: %s", image, time.Since(begin), got.Code, got.Body)
				}
				if name == "nothing, for ever" {
					continue // To mutate relies on a decider that answers what is known.
				}
				if got := one.post("/mutate?timeout=1s", review(t, create("Pod", pod("containers", image)))); strings.Contains(got.Body.String(), `"allowed":false`) {
					t.Errorf("%s: to mutate refuses: HTTP %d: %s", image, got.Code, got.Body)
				}
			}
		})
	}
}

func TestAResolverThatPanicsAllowsNothing(t *testing.T) {
	w := newWorld(t)
	h := admission.New(broken{}, w.engine, w.engine, admission.Config{ContactRegistries: true, Listed: isListed, Revision: func() string { return w.current().Revision }})
	t.Cleanup(h.Close)
	got := (&world{t: t, handler: h}).validate(create("Pod", pod("containers", signed)))
	if got.Status.Code != http.StatusServiceUnavailable {
		t.Errorf("got %+v", got)
	}
}

type broken struct{}

func (broken) Resolve(context.Context, oci.Reference) (oci.Image, error) { panic("boom") }
func (broken) Known(oci.Reference) (oci.Image, bool)                     { return oci.Image{}, false }

// TestRulesThatChangeAreAskedAgain changes them while a review is judged.
func TestRulesThatChangeAreAskedAgain(t *testing.T) {
	for changes, want := range map[int]struct {
		code  int
		asked int
	}{0: {0, 1}, 1: {0, 2}, 2: {0, 3}, 3: {http.StatusServiceUnavailable, 4}, 100: {http.StatusServiceUnavailable, 4}} {
		t.Run(fmt.Sprintf("%d times", changes), func(t *testing.T) {
			w := newWorld(t)
			w.known(signed)
			asked, left := 0, changes
			var superseded []bool
			d := decider(func(ctx context.Context, q policy.Request, i oci.Image) (policy.Decision, error) {
				asked++
				superseded = append(superseded, q.Superseded)
				decision, err := w.engine.Decide(ctx, q, i)
				if left > 0 {
					left--
					w.set(func(*policy.Rules) {})
				}
				return decision, err
			})
			h := admission.New(w.resolver, d, w.engine, admission.Config{ContactRegistries: true, Listed: isListed, Revision: func() string { return w.current().Revision }})
			got := (&world{t: t, handler: h}).validate(create("Pod", pod("containers", signed)))
			if got.Status.Code != want.code || asked != want.asked || slices.Contains(superseded[:min(3, asked)], true) {
				t.Errorf("got %+v after %d questions, superseded %v", got, asked, superseded)
			}
			if want.code != 0 {
				contains(t, got.Status.Message, "SUPERSEDED")
			}
		})
	}
}

func TestADryRunIsJudgedWithoutMemory(t *testing.T) {
	w := newWorld(t)
	h := admission.New(w.resolver, decider(func(context.Context, policy.Request, oci.Image) (policy.Decision, error) {
		panic("the recording decider was asked")
	}), w.engine, admission.Config{ContactRegistries: true, Listed: isListed, Revision: func() string { return w.current().Revision }})
	one := &world{t: t, handler: h}
	for image, code := range map[string]int{signed: 0, unsigned: 403, missing: 503} {
		if got := one.validate(with(create("Pod", pod("containers", image)), "dryRun", true)); got.Status.Code != code {
			t.Errorf("%s: got %+v", image, got)
		}
	}
}

func TestLongAnswersAreCut(t *testing.T) {
	w := newWorld(t)
	var images []string
	for i := range 200 {
		images = append(images, fmt.Sprintf("docker.io/team/%s-%d@sha256:%s", strings.Repeat("a", 100), i, strings.Repeat("0", 64)))
	}
	got := w.validate(create("Pod", pod("containers", append(images, unlisted, noName)...)))
	total := 0
	for _, text := range got.Warnings {
		if len(text) > 256 || !strings.HasSuffix(text, "(decision "+decisionID+")") && !strings.HasPrefix(text, "… and ") {
			t.Errorf("a warning of %d bytes: %s", len(text), text)
		}
		total += len(text)
	}
	if total > 4096 || len(got.Warnings) < 10 || !strings.HasPrefix(got.Warnings[len(got.Warnings)-1], "… and ") {
		t.Errorf("%d bytes in %d warnings", total, len(got.Warnings))
	}
	if len(got.Status.Message) > 2000 {
		t.Errorf("a message of %d bytes", len(got.Status.Message))
	}
}

func TestReviewsAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	body := review(t, create("Deployment", pod("containers", signed, unsigned, watched)))
	done := make(chan string)
	w2 := admission.New(w.resolver, w.engine, w.engine, admission.Config{ContactRegistries: true, Listed: isListed, Revision: func() string { return w.current().Revision }})
	t.Cleanup(w2.Close)
	const reviews = 50
	for range reviews {
		go func() { done <- (&world{t: t, handler: w2}).post("/validate", body).Body.String() }()
	}
	first := <-done
	for range reviews - 1 {
		if got := <-done; got != first {
			t.Errorf("got %s\nand %s", got, first)
		}
	}
}

func TestRulesThatPanicAllowNothing(t *testing.T) {
	w := newWorld(t, func(c *admission.Config) { c.Revision = func() string { panic("no revision") } })
	got := w.post("/validate", review(t, create("Pod", pod("containers", signed))))
	if !strings.Contains(got.Body.String(), `"allowed":false`) {
		t.Errorf("got %s", got.Body)
	}
}
