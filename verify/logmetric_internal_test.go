package verify

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEachRequestToALogIsObserved has the outcome of each try, with the host that
// the operator wrote.
func TestEachRequestToALogIsObserved(t *testing.T) {
	s := labSigner{key: labKey(t)}
	item := s.image(t)
	body := entryBody(item, publicPEM(t, s.key.Public()))
	answering := func(status int, text string) func(*rekor) {
		return func(r *rekor) {
			r.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				_, _ = w.Write([]byte(text))
			}
		}
	}
	for _, c := range []struct {
		name string
		set  func(*rekor)
		want []string
	}{
		{"the log has it", func(r *rekor) { r.bodies = []string{body} }, []string{"ok"}},
		{"the log has none", func(*rekor) {}, []string{"not_found"}},
		{"a refusal", answering(http.StatusForbidden, ""), []string{"refused"}},
		{"trouble that stays", answering(http.StatusBadGateway, ""), []string{"refused", "refused"}},
		{"half an answer", answering(http.StatusOK, `[{"x":{"body":7}}]`), []string{"invalid"}},
		{"too large an answer", answering(http.StatusOK, "["+strings.Repeat(" ", MaxLogAnswerBytes)+"]"), []string{"invalid"}},
		{"too many entries", answering(http.StatusOK, `[`+strings.Repeat(`{"x":{"body":"e30=","integratedTime":1,"logID":"00","logIndex":1}},`, MaxLogAnswers)+`{"x":{"body":"e30=","integratedTime":1,"logID":"00","logIndex":1}}]`), []string{"invalid"}},
		{"a log that is away", func(r *rekor) { r.server.Close() }, []string{"error", "error"}},
		{"a log that hangs", func(r *rekor) {
			r.answer = func(_ http.ResponseWriter, request *http.Request) {
				_, _ = io.Copy(io.Discard, request.Body) // or the server would not see that the client left
				<-request.Context().Done()
			}
		}, []string{"timeout"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRekor(t)
			c.set(r)
			var got []string
			v := New(nil, NewLRU(10, nil), Config{
				Logs: operatorClient(t), UserAgent: "vouchsafe/test", Timeout: 500 * time.Millisecond,
				ObserveLog: func(host, outcome string) {
					if !strings.HasSuffix(r.server.URL, "://"+host) {
						t.Errorf("got the host %q", host)
					}
					got = append(got, outcome)
				},
			})
			v.judgeFresh(t, labEvidence(item), integrationOf("a", r.keyTrust(s)))
			v.Close()
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
