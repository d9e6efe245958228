package upstream

import "time"

// Spec is the spec of a Registry document, as far as it is built.
type Spec struct {
	// Endpoint is where the registry is; empty means "https://<name>", or
	// "http://<name>" with PlainHTTP. A path prefix is allowed.
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
	// TokenHosts are further hosts that may receive the credentials for a token.
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

// Duration is a [time.Duration] written as "30s" in documents.
type Duration time.Duration

// Files reads a file that a document names, relative to the document. Package
// config passes one that watches the file and makes it part of the revision.
type Files func(name string) ([]byte, error)

// Registry is one registry that may be pulled from, with its connections and
// tokens. It is safe for concurrent use and outlives a reload that did not
// change it.
type Registry struct{}

// NewRegistry checks spec for the registry called name. The error joins an
// [oci.FieldError] for each mistake. files may be nil when spec names none.
func NewRegistry(name string, spec Spec, files Files) (*Registry, error) { panic("not built yet") }

// Name returns the canonical registry name.
func (r *Registry) Name() string { panic("not built yet") }

// Revision is a hash of the canonical spec and of the files it names, never
// printed in a way that reveals a secret; equal in every process.
func (r *Registry) Revision() string { panic("not built yet") }

// TagTTL is how long a resolved tag of this registry is good.
func (r *Registry) TagTTL() time.Duration { panic("not built yet") }

// SharedWithCredentials reports whether any client of the gateway reads with
// the gateway's own credentials here.
func (r *Registry) SharedWithCredentials() bool { panic("not built yet") }

// Builtin returns the registries that are known without a document: docker.io,
// ghcr.io, quay.io and registry.k8s.io.
func Builtin() map[string]Spec { panic("not built yet") }
