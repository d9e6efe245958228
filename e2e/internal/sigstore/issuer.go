package sigstore

import (
	"crypto/ecdsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	audience = "sigstore"
	keyID    = "e2e"
)

// Issuers are issuers of OpenID Connect tokens on one host.
type Issuers struct {
	// People vouches for addresses of e-mail, Workflows for workflows as GitHub
	// Actions does, Pipelines for pipelines as GitLab does.
	People, Workflows, Pipelines string

	host   string
	key    *ecdsa.PrivateKey
	signer jose.Signer
}

// newIssuers starts the issuers; the end of the test ends them.
func newIssuers(tb testing.TB) *Issuers {
	tb.Helper()
	i := &Issuers{key: newKey(tb)}
	var err error
	i.signer, err = jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: keyID}},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	check(tb, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("GET /{issuer}/.well-known/openid-configuration", i.discovery)
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	i.host = server.URL
	i.People, i.Workflows, i.Pipelines = i.host+"/people", i.host+"/workflows", i.host+"/pipelines"
	return i
}

func (i *Issuers) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: i.key.Public(), KeyID: keyID, Algorithm: string(jose.ES256), Use: "sig"},
	}})
}

// discovery implements OpenID Connect Discovery 1.0, 4 as far as Fulcio reads it.
func (i *Issuers) discovery(w http.ResponseWriter, r *http.Request) {
	issuer := i.host + "/" + r.PathValue("issuer")
	answer(w, map[string]any{
		"issuer":                                issuer,
		"jwks_uri":                              i.host + "/keys",
		"authorization_endpoint":                issuer + "/authorize",
		"token_endpoint":                        issuer + "/token",
		"response_types_supported":              []string{"id_token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []jose.SignatureAlgorithm{jose.ES256},
	})
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

// Person returns a token of somebody with an address of e-mail.
func (i *Issuers) Person(tb testing.TB, email string) string {
	tb.Helper()
	return i.token(tb, i.People, map[string]any{"sub": email, "email": email, "email_verified": true})
}

// Workflow is a run of a workflow as GitHub Actions describes it.
type Workflow struct {
	// Repository is "owner/name".
	Repository string
	// File is the path of the workflow in its repository.
	File string
	// Ref is what it ran on, "refs/heads/main".
	Ref string
	// Trigger is the event that started it, "push".
	Trigger string
}

// Identity is the name that Fulcio gives the workflow in a certificate.
func (w Workflow) Identity() string { return "https://github.com/" + w.path() }

func (w Workflow) path() string { return w.Repository + "/" + w.File + "@" + w.Ref }

// Workflow returns a token of a workflow.
func (i *Issuers) Workflow(tb testing.TB, w Workflow) string {
	tb.Helper()
	owner, _, _ := strings.Cut(w.Repository, "/")
	commit := strings.Repeat("0123456789", 4)
	return i.token(tb, i.Workflows, map[string]any{
		"sub": "repo:" + w.Repository + ":ref:" + w.Ref, "event_name": w.Trigger,
		"sha": commit, "workflow": "release", "repository": w.Repository, "ref": w.Ref,
		"job_workflow_ref": w.path(), "job_workflow_sha": commit,
		"workflow_ref": w.path(), "workflow_sha": commit,
		"repository_id": "1", "repository_owner": owner, "repository_owner_id": "2",
		"repository_visibility": "public", "runner_environment": "github-hosted",
		"run_id": "7", "run_attempt": "1",
	})
}

// Pipeline returns a token of a job of GitLab that runs for a tag of a project,
// "group/name", by the project's own .gitlab-ci.yml.
func (i *Issuers) Pipeline(tb testing.TB, project, tag string) string {
	tb.Helper()
	namespace, _, _ := strings.Cut(project, "/")
	commit := strings.Repeat("0123456789", 4)
	return i.token(tb, i.Pipelines, map[string]any{
		"sub":          "project_path:" + project + ":ref_type:tag:ref:" + tag,
		"project_path": project, "project_id": "1", "project_visibility": "public",
		"namespace_path": namespace, "namespace_id": "2", "pipeline_source": "push", "job_id": "7",
		"ref": tag, "ref_type": "tag", "sha": commit, "runner_environment": "gitlab-hosted",
		"ci_config_ref_uri": "gitlab.com/" + project + "//.gitlab-ci.yml@refs/tags/" + tag, "ci_config_sha": commit,
	})
}

func (i *Issuers) token(tb testing.TB, issuer string, claims map[string]any) string {
	tb.Helper()
	now := time.Now()
	claims["iss"], claims["aud"] = issuer, audience
	claims["iat"], claims["nbf"] = now.Add(-5*time.Second).Unix(), now.Add(-5*time.Second).Unix()
	claims["exp"] = now.Add(10 * time.Minute).Unix()
	token, err := jwt.Signed(i.signer).Claims(claims).Serialize()
	check(tb, err)
	return token
}
