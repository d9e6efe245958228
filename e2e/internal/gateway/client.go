package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Answer is what the gateway said to one request for a manifest.
type Answer struct {
	Status int
	// Digest is the header Docker-Content-Digest.
	Digest string
	// Decision and Verdict are the two parts of the header Vouchsafe-Decision.
	Decision, Verdict string
	// Message is that of the first error.
	Message string
	// Asked and Done are when the request was sent and its answer read.
	Asked, Done time.Time
}

// Manifest asks for a manifest by the path form: method is GET or HEAD, name
// "docker.io/acme/app", reference a tag or digest.
func (g *Gateway) Manifest(client *http.Client, method, name, reference string) (Answer, error) {
	request, err := http.NewRequest(method, "http://"+g.Host+"/v2/"+name+"/manifests/"+reference, nil) //nolint:noctx // loopback, and go test's own time limit holds
	if err != nil {
		return Answer{}, err
	}
	request.Header.Set("Accept", "*/*")
	answer := Answer{Asked: time.Now()}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	body, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	if err != nil {
		return Answer{}, err
	}
	answer.Done = time.Now()
	answer.Status = response.StatusCode
	answer.Digest = response.Header.Get("Docker-Content-Digest")
	answer.Decision, answer.Verdict, _ = strings.Cut(response.Header.Get("Vouchsafe-Decision"), " ")
	var refusal struct {
		Errors []struct{ Message string }
	}
	if json.Unmarshal(body, &refusal) == nil && len(refusal.Errors) > 0 {
		answer.Message = refusal.Errors[0].Message
	}
	return answer, nil
}

// Metrics returns the page of metrics.
func (g *Gateway) Metrics(tb testing.TB) string {
	tb.Helper()
	response, err := http.Get("http://" + g.Ops + "/metrics") //nolint:noctx // loopback, and go test's own time limit holds
	if err != nil {
		tb.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	page, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(page)
}
