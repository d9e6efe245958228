package verify

import "time"

// Spec is the spec of a SignatureIntegration document, as far as it is built. At
// least one public key or certificate is needed; a signature that satisfies one of
// them, and what the other blocks demand, counts.
type Spec struct {
	// PublicKeys are cosign public keys.
	PublicKeys []PublicKeySpec `json:"publicKeys,omitempty"`
	// Certificates are identities, keyless ones included.
	Certificates []CertificateSpec `json:"certificates,omitempty"`
	// TransparencyLog is what is demanded of log entries; nil demands none.
	TransparencyLog *TransparencyLogSpec `json:"transparencyLog,omitempty"`
	// TimestampAuthority is what is demanded of timestamps; nil demands none.
	TimestampAuthority *TimestampAuthoritySpec `json:"timestampAuthority,omitempty"`
	// TrustedRoot is where authorities and logs come from that no other field
	// holds; nil means the embedded snapshot of the public instance.
	TrustedRoot *TrustedRootSpec `json:"trustedRoot,omitempty"`
	// SignatureRepository is the one repository that holds the signatures of all
	// images, "registry/path"; empty means that each image's own does.
	SignatureRepository string `json:"signatureRepository,omitempty"`
	// SignedName is "Any", "Repository" or "RepositoryIfNamed"; empty means Any.
	SignedName string `json:"signedName,omitempty"`
	// SignedNameAliases let signatures for one repository count for another.
	SignedNameAliases []AliasSpec `json:"signedNameAliases,omitempty"`
}

// PublicKeySpec is one public key.
type PublicKeySpec struct {
	// Name is unique in the integration: 1 to 128 printable characters.
	Name string `json:"name"`
	// Key is PEM of type PUBLIC KEY: ECDSA P-256, P-384 or P-521, RSA of at
	// least 2048 bits, or Ed25519.
	Key string `json:"key"`
	// NotBefore and NotAfter, RFC 3339, bound when the key may have signed, both
	// ends included; empty is no bound.
	NotBefore string `json:"notBefore,omitempty"`
	NotAfter  string `json:"notAfter,omitempty"`
}

// CertificateSpec is whose certificates count, and by which authorities.
type CertificateSpec struct {
	// OIDCIssuer is the issuer as a whole, OIDCIssuerRegExp an expression (RE2)
	// over the whole of it. One of the two, or AnyIssuer.
	OIDCIssuer       string `json:"oidcIssuer,omitempty"`
	OIDCIssuerRegExp string `json:"oidcIssuerRegExp,omitempty"`
	// Identity is the subject alternative name as a whole, IdentityRegExp an
	// expression over the whole of it. One of the two.
	Identity       string `json:"identity,omitempty"`
	IdentityRegExp string `json:"identityRegExp,omitempty"`
	// AnyIssuer takes certificates of Chain that name no issuer, or any.
	AnyIssuer bool `json:"anyIssuer,omitempty"`
	// Chain is PEM: at least one self-signed root, and intermediates, in any
	// order; empty means the trusted root's certificate authorities.
	Chain string `json:"chain,omitempty"`
	// Intermediate is PEM: further intermediates, and at most one leaf, which is
	// then the only certificate that counts.
	Intermediate string `json:"intermediate,omitempty"`
	// CertificateTransparency is what is demanded of certificate timestamps.
	CertificateTransparency *CertificateTransparencySpec `json:"certificateTransparency,omitempty"`
}

// CertificateTransparencySpec demands that a certificate is in a log.
type CertificateTransparencySpec struct {
	// Enabled demands a timestamp of a certificate log inside the certificate;
	// nil means true without a chain, false with it.
	Enabled *bool `json:"enabled,omitempty"`
	// PublicKey is PEM, one or more blocks; empty means the trusted root's logs.
	PublicKey string `json:"publicKey,omitempty"`
}

// TransparencyLogSpec demands that a signature is in a Rekor log.
type TransparencyLogSpec struct {
	// Enabled demands a valid entry of each signature that counts.
	Enabled bool `json:"enabled"`
	// URL is where an entry is asked for that is not attached; empty means the
	// public log's when the logs are those of the public trusted root.
	URL string `json:"url,omitempty"`
	// Offline means that no entry is ever asked for.
	Offline *bool `json:"offline,omitempty"`
	// PublicKey is PEM, one or more blocks, of Rekor v1 logs; empty means the
	// trusted root's logs, v1 and v2.
	PublicKey string `json:"publicKey,omitempty"`
}

// TimestampAuthoritySpec demands RFC 3161 timestamps.
type TimestampAuthoritySpec struct {
	// Enabled demands a valid token of each signature that counts. Tokens prove
	// when a signature was made in any case.
	Enabled bool `json:"enabled"`
	// Chain is PEM: roots, intermediates and signing certificates in any order;
	// empty means the trusted root's authorities.
	Chain string `json:"chain,omitempty"`
}

// TrustedRootSpec names a trusted root: File or TUF.
type TrustedRootSpec struct {
	// File holds a Sigstore trusted root in JSON, at most 1 MiB.
	File string `json:"file,omitempty"`
	// TUF is a repository of The Update Framework that publishes one.
	TUF *TUFSpec `json:"tuf,omitempty"`
}

// TUFSpec names a TUF repository whose target trusted_root.json is the trusted
// root.
type TUFSpec struct {
	// Mirror is the URL of the repository's metadata, http or https, without
	// user, query and fragment.
	Mirror string `json:"mirror"`
	// RootFile holds the root.json with which trust in the repository begins, at
	// most 512 KiB.
	RootFile string `json:"rootFile"`
	// Refresh is how often the mirror is asked, from 1m to 720h; empty means 24h.
	Refresh string `json:"refresh,omitempty"`
}

// AliasSpec lets signatures that name From count for images at To. Both are
// repositories, or both end in /** and stand for what is under them with the same
// rest.
type AliasSpec struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Files reads a file that a document names, relative to the document. Package
// config passes one that watches the file.
type Files func(name string) ([]byte, error)

// LoadOptions says with what a spec is read. The zero value reads no files.
type LoadOptions struct {
	// Files may be nil for a spec that names no file.
	Files Files
	// Mirrors holds trusted roots that TUF mirrors gave; nil is one to which none
	// gave anything.
	Mirrors *Mirrors
	// Now is the clock, for warnings alone; nil means time.Now.
	Now func() time.Time
}
