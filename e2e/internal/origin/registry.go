package origin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/token" // the token access controller
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the storage below
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/sirupsen/logrus"
)

// Registry is a registry on loopback with its record.
type Registry struct {
	*Recorder
	// Host is "127.0.0.1:port".
	Host string
	// Tokens is the token service in front of the registry; nil when everybody
	// may read and write.
	Tokens *TokenService
}

// Distribution serves distribution's registry from a folder of its own. With
// tokens, only those who got a token there are let in.
func Distribution(tb testing.TB, tokens *TokenService) *Registry {
	tb.Helper()
	config := &configuration.Configuration{
		Version: configuration.CurrentVersion,
		Storage: configuration.Storage{
			"filesystem":  configuration.Parameters{"rootdirectory": tb.TempDir()},
			"maintenance": configuration.Parameters{"uploadpurging": map[any]any{"enabled": false}},
		},
	}
	config.HTTP.Secret = "used for the state of uploads only"
	server := httptest.NewUnstartedServer(nil)
	mux := http.NewServeMux()
	if tokens != nil {
		if tokens.Host == "" {
			tokens.Host = server.Listener.Addr().String()
			mux.HandleFunc("/token", tokens.answer)
		}
		config.Auth = configuration.Auth{"token": tokens.parameters(tb)}
	}
	// Its own log, which goes to the process's standard logger, says what the
	// record says, at length.
	logrus.SetOutput(io.Discard)
	ctx, cancel := context.WithCancel(context.Background())
	tb.Cleanup(cancel)
	mux.Handle("/", handlers.NewApp(ctx, config))
	r := serve(tb, server, mux)
	r.Tokens = tokens
	return r
}

// Referrers serves a registry that has the referrers API.
func Referrers(tb testing.TB) *Registry {
	tb.Helper()
	return serve(tb, httptest.NewUnstartedServer(nil), registry.New(
		registry.WithReferrersSupport(true),
		registry.Logger(log.New(io.Discard, "", 0)),
	))
}

func serve(tb testing.TB, server *httptest.Server, handler http.Handler) *Registry {
	tb.Helper()
	recorder := &Recorder{next: handler}
	server.Config.Handler = recorder
	server.Start()
	tb.Cleanup(server.Close)
	return &Registry{Recorder: recorder, Host: strings.TrimPrefix(server.URL, "http://")}
}

// pusher returns what whoever fills the registry presents.
func (r *Registry) pusher() authn.Authenticator {
	if r.Tokens == nil {
		return authn.Anonymous
	}
	return &authn.Basic{Username: Pusher, Password: r.Tokens.passwords[Pusher]}
}

// PusherEnv writes a docker configuration for programs that push and returns
// the environment that names it.
func (r *Registry) PusherEnv(tb testing.TB) []string {
	tb.Helper()
	if r.Tokens == nil {
		return nil
	}
	login := base64.StdEncoding.EncodeToString([]byte(Pusher + ":" + r.Tokens.passwords[Pusher]))
	config, err := json.Marshal(map[string]any{"auths": map[string]any{r.Host: map[string]string{"auth": login}}})
	if err != nil {
		tb.Fatal(err)
	}
	folder := tb.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "config.json"), config, 0o600); err != nil {
		tb.Fatal(err)
	}
	return []string{"DOCKER_CONFIG=" + folder}
}
