package upstream

import (
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Spec is the spec of a Registry document, as far as it is built.
type Spec struct {
	// Endpoint is where the registry is; empty means "https://<name>", or
	// "http://<name>" with PlainHTTP (for docker.io, registry-1.docker.io). A
	// path prefix is allowed.
	Endpoint string `json:"endpoint,omitempty"`
	// PlainHTTP allows an endpoint without TLS; must agree with its scheme.
	PlainHTTP bool `json:"plainHTTP,omitempty"`
	// Credentials are what the gateway itself presents.
	Credentials *CredentialsSpec `json:"credentials,omitempty"`
	// Access is "Shared": every client of the gateway may read what the
	// gateway may. Must be written when there are credentials.
	Access string `json:"access,omitempty"`
	// TagTTL is how long a resolved tag is not asked for again; nil means 30 s.
	TagTTL *Duration `json:"tagTTL,omitempty"`
	// StaleTagTTL is how long the last resolution of a tag may serve while the
	// registry fails; nil means 1 h, zero never.
	StaleTagTTL *Duration `json:"staleTagTTL,omitempty"`
	// TokenHosts are further hosts, "host" or "host:port", that may receive the
	// credentials for a token. Without a port it is the scheme's own.
	TokenHosts []string `json:"tokenHosts,omitempty"`
	// RedirectHosts are globs of host:port to which redirects may go although
	// the address is private.
	RedirectHosts []string `json:"redirectHosts,omitempty"`
	// CAFile is PEM added to the system's roots.
	CAFile string `json:"caFile,omitempty"`
	// AllowPrivateAddresses lets the registry's own host:port be private or
	// loopback. Link-local never.
	AllowPrivateAddresses bool `json:"allowPrivateAddresses,omitempty"`
	// Timeouts bound the parts of a request.
	Timeouts *TimeoutsSpec `json:"timeouts,omitempty"`
}

// CredentialsSpec names files that hold credentials: UsernameFile with
// PasswordFile, or DockerConfigFile alone.
type CredentialsSpec struct {
	UsernameFile     string `json:"usernameFile,omitempty"`
	PasswordFile     string `json:"passwordFile,omitempty"`
	DockerConfigFile string `json:"dockerConfigFile,omitempty"`
}

// TimeoutsSpec bounds the parts of a request; nil fields mean 5 s, 10 s, 30 s.
type TimeoutsSpec struct {
	Connect *Duration `json:"connect,omitempty"`
	Header  *Duration `json:"header,omitempty"`
	Idle    *Duration `json:"idle,omitempty"`
}

// Files reads a file that a document names, relative to the document. Package
// config passes one that watches the file and makes it part of the revision.
type Files func(name string) ([]byte, error)

// Registry is one registry that may be pulled from, with its connections and
// tokens. It is safe for concurrent use and outlives a reload that did not
// change it.
type Registry struct {
	name     string
	endpoint *url.URL
	// home is the endpoint's scheme, host and port: where credentials belong.
	home          origin
	credentials   credentials
	tagTTL        time.Duration
	staleTagTTL   time.Duration
	tokenHosts    []string
	redirectHosts []string
	allowPrivate  bool
	timeouts      timeouts
	revision      string
	// data carries requests to the registry and their redirects, foreign those
	// to token services elsewhere. They differ in which hosts may be private.
	data, foreign *http.Transport
	auth          *authMemory
	// whole is this registry's part of the clients' budgets.
	whole budget
	// pauses are shared by all who ask this registry.
	pauses *pauses
	// corrupt counts answers with wrong bytes.
	corrupt atomic.Int64
}

// timeouts are the resolved TimeoutsSpec.
type timeouts struct{ connect, header, idle time.Duration }

// Name returns the canonical registry name.
func (r *Registry) Name() string { return r.name }

// Revision is a hash of the canonical spec and of the files it names, never
// printed in a way that reveals a secret; equal in every process.
func (r *Registry) Revision() string { return r.revision }

// TagTTL is how long a resolved tag of this registry is good.
func (r *Registry) TagTTL() time.Duration { return r.tagTTL }

// StaleTagTTL is how long the last resolution of a tag of this registry may serve
// while the registry fails; zero means never.
func (r *Registry) StaleTagTTL() time.Duration { return r.staleTagTTL }

// SharedWithCredentials reports whether any client of the gateway reads with
// the gateway's own credentials here.
func (r *Registry) SharedWithCredentials() bool { return r.credentials.present() }

// Close gives back idle connections. Requests that run end normally, and the
// Registry stays usable: a reload may close one that is still being asked.
func (r *Registry) Close() {
	r.data.CloseIdleConnections()
	r.foreign.CloseIdleConnections()
}
