package config

import (
	"reflect"
	"slices"
)

// FieldDoc describes one key of a document, for the schema and documentation.
type FieldDoc struct {
	// Path is from the document's top, "[]" for the items of a list.
	Path string
	// Type is for people: "text", "list of text", "duration", …
	Type string
	// Required is true for a key that must be there whenever the block around it
	// is.
	Required bool
	// Default is as a person would write it; empty for none.
	Default string
	// Values are the only ones, when they are few.
	Values []string
	// Description is one or two sentences.
	Description string
}

// fieldText is what the types of the specs do not say themselves.
type fieldText struct {
	standard    string
	values      []string
	description string
}

// kindTexts says what each kind is.
var kindTexts = map[string]string{
	KindIntegration: "Who is trusted to sign: a named set of cosign public keys and certificate identities. A signature that satisfies one of them, and what the other blocks demand, makes an image Verified under this integration.",
	KindPolicy:      "Which images must be signed by whom, and what happens to those that are not.",
	KindRegistry:    "A registry that may be pulled from. A document replaces the built-in registry of the same name.",
}

// fieldTexts has an entry for each key of each kind's spec. A test holds it
// against the types.
var fieldTexts = map[string]map[string]fieldText{
	KindIntegration: {
		"spec.publicKeys":             {description: "Cosign public keys; at least one, or a certificate. A signature by any of them counts."},
		"spec.publicKeys[].name":      {description: "Unique in the integration; results and messages name it as the signer."},
		"spec.publicKeys[].key":       {description: "PEM of type PUBLIC KEY (the text of cosign.pub): ECDSA P-256, P-384 or P-521, RSA of at least 2048 bits, or Ed25519."},
		"spec.publicKeys[].notBefore": {description: "RFC 3339. Signatures that were made before do not count. When one was made is what a log entry or a timestamp proves, else now."},
		"spec.publicKeys[].notAfter":  {description: "RFC 3339. Signatures that were made after do not count; two keys may overlap while one replaces the other."},

		"spec.certificates":                    {description: "Identities, keyless ones included. A signature by a certificate of any of them counts."},
		"spec.certificates[].oidcIssuer":       {description: "Who vouched for the identity, as a whole, such as https://token.actions.githubusercontent.com. This, oidcIssuerRegExp or anyIssuer is needed."},
		"spec.certificates[].oidcIssuerRegExp": {description: "Expression (RE2) over the whole issuer."},
		"spec.certificates[].identity":         {description: "The certificate's subject alternative name as a whole: a workflow's URL or an e-mail address. This or identityRegExp is needed."},
		"spec.certificates[].identityRegExp":   {description: "Expression (RE2) over the whole identity. One that takes anybody does not load for the public Sigstore instance."},
		"spec.certificates[].anyIssuer":        {standard: "false", description: "Take certificates that carry any issuer or none; only with chain."},
		"spec.certificates[].chain":            {description: "PEM: at least one self-signed root, and intermediates, in any order, at most 32 certificates and 256 KiB. Empty: the trusted root's certificate authorities; then the log or timestamps must be enabled, since such certificates live for minutes."},
		"spec.certificates[].intermediate":     {description: "PEM: further intermediates. A leaf here is the only certificate that counts; it must still chain and match."},

		"spec.certificates[].certificateTransparency":           {description: "Whether a certificate must carry a timestamp of a certificate log."},
		"spec.certificates[].certificateTransparency.enabled":   {standard: "true without chain, false with it", description: "Demand one."},
		"spec.certificates[].certificateTransparency.publicKey": {description: "PEM, one or more blocks: the keys of the certificate logs. Empty: the trusted root's."},

		"spec.transparencyLog":           {description: "Whether a signature must be in a Rekor log. Without the block it need not be; entries of known logs still prove when a signature was made."},
		"spec.transparencyLog.enabled":   {description: "Demand a valid entry of each signature that counts."},
		"spec.transparencyLog.url":       {standard: "https://rekor.sigstore.dev, where the logs are those of the built-in trusted root", description: "Where the entry of a signature that has none attached is asked for, without /api. Required for other logs unless offline. The address is the operator's: it may be private or loopback, never link-local, and redirects may not leave host and port."},
		"spec.transparencyLog.offline":   {standard: "false", description: "The proof comes from the signature alone, no log is ever called."},
		"spec.transparencyLog.publicKey": {description: "PEM, one or more blocks: the keys of Rekor v1 logs, in place of the trusted root's logs. Rekor v2 logs come from a trusted root only."},

		"spec.timestampAuthority":         {description: "Whether a signature must carry an RFC 3161 timestamp. Without the block it need not; timestamps of known authorities still prove when a signature was made."},
		"spec.timestampAuthority.enabled": {description: "Demand a valid timestamp of each signature that counts."},
		"spec.timestampAuthority.chain":   {description: "PEM: root, intermediates and signing certificate of timestamp authorities, in any order, in place of the trusted root's."},

		"spec.trustedRoot":      {standard: "a snapshot of the public Sigstore instance, whose date vouchsafe version prints", description: "Where certificate authorities, logs and timestamp authorities come from that no other field holds."},
		"spec.trustedRoot.file": {description: "Trusted root in JSON (trusted_root.json), relative to this document, at most 1 MiB; read again when it changes. This or tuf."},

		"spec.trustedRoot.tuf":          {description: "A repository of The Update Framework that publishes the trusted root, in place of a file. It is kept in DATA_DIR and asked in the background: neither a start nor a pull waits for it. Until it gave a trusted root, what this integration would judge is Unavailable, TRUSTED_ROOT_UNAVAILABLE."},
		"spec.trustedRoot.tuf.mirror":   {description: "URL under which the repository's metadata is; its target trusted_root.json is in targets/ below. The address is the operator's: it may be private or loopback, never link-local, and redirects may not leave host and port."},
		"spec.trustedRoot.tuf.rootFile": {description: "The repository's root.json, relative to this document, at most 512 KiB: with it trust in the mirror begins. Later versions are taken from the mirror, each signed by the one before."},
		"spec.trustedRoot.tuf.refresh":  {standard: "24h", description: "How often the mirror is asked, from 1m to 720h, and when the metadata ends; after a failure from 1 s on, at last every 5 min."},

		"spec.signedName":               {standard: "Any", values: []string{"Any", "Repository", "RepositoryIfNamed"}, description: "Whether a signature must name the image's origin repository: Any: no; Repository: yes, so one that names none does not count; RepositoryIfNamed: one that names a repository at all."},
		"spec.signatureRepository":      {description: "The repository that holds the signatures of all images, instead of each image's own: registry/path of a listed registry, as COSIGN_REPOSITORY names it."},
		"spec.signedNameAliases":        {description: "Repositories whose signatures count for others, for images that were copied."},
		"spec.signedNameAliases[].from": {description: "The repository that signatures name, or registry/path/** for all under it."},
		"spec.signedNameAliases[].to":   {description: "The origin repository of the images; with /** the rest of both names is the same."},
	},
	KindPolicy: {
		"spec.description":        {description: "For people; shown where the policy is."},
		"spec.severity":           {standard: "Medium", values: []string{"Low", "Medium", "High", "Critical"}, description: "How bad a violation is."},
		"spec.images":             {standard: `["**"]`, description: "Patterns over the whole origin name, registry/repository, without tag or digest. * stops at /, ** does not."},
		"spec.exclude":            {description: "Patterns of images that the policy leaves alone."},
		"spec.namespaces":         {description: "Narrows the policy to namespaces, by exact name. A pull does not tell its namespace: there a policy with include does not apply, and one with exclude only does."},
		"spec.namespaces.include": {description: "The only namespaces; empty means all."},
		"spec.namespaces.exclude": {description: "Namespaces that the policy leaves alone."},
		"spec.signers":            {description: "Names of SignatureIntegration documents, at least one."},
		"spec.require":            {standard: "Any", values: []string{"Any", "All"}, description: "Whether one signer is enough or all are needed."},
		"spec.behavior":           {values: []string{"Inform", "InformAndEnforce"}, description: "Inform serves and records a violation; InformAndEnforce refuses as well."},
		"spec.onUnavailable":      {standard: "Deny", values: []string{"Deny", "Allow", "UseLastVerified"}, description: "What InformAndEnforce does when it could not be found out whether the image is signed: refuse for now; serve and record; or serve while the last Verified under the same integration is younger than 24 h. Without effect under Inform."},
		"spec.disabled":           {standard: "false", description: "A disabled policy matches nothing."},
	},
	KindRegistry: {
		"spec.endpoint":                     {standard: "https://<name>", description: "Where the registry is, as a URL; a path prefix is allowed."},
		"spec.plainHTTP":                    {standard: "false", description: "Talk to the registry without TLS; must agree with the endpoint's scheme."},
		"spec.credentials":                  {description: "What the gateway presents to this registry and its token hosts, to nobody else: usernameFile with passwordFile, or dockerConfigFile. Never written into the document."},
		"spec.credentials.usernameFile":     {description: "File that holds the user name on one line."},
		"spec.credentials.passwordFile":     {description: "File that holds the password or token on one line."},
		"spec.credentials.dockerConfigFile": {description: "File of the docker client (config.json) with an entry for this registry."},
		"spec.access":                       {standard: "Shared without credentials; with credentials it must be written", values: []string{"Shared"}, description: "Shared: every client of the gateway may read what the gateway may."},
		"spec.tagTTL":                       {standard: "30s", description: "How long a resolved tag is not asked for again."},
		"spec.staleTagTTL":                  {standard: "1h", description: "How long the last resolution of a tag may serve while the registry fails; what it resolved to is decided about anew. 0s: never."},
		"spec.tokenHosts":                   {description: "Hosts, besides the registry's own, that may receive its credentials for a token."},
		"spec.redirectHosts":                {description: "Globs of host:port to which redirects may go although the address is private. Redirects to public hosts are followed without them, credentials dropped."},
		"spec.caFile":                       {description: "PEM file of certificates that are trusted for this registry besides the system's."},
		"spec.allowPrivateAddresses":        {standard: "false", description: "Let the registry's own host:port have a private or loopback address. Others only if tokenHosts or redirectHosts names them; link-local never."},
		"spec.timeouts":                     {description: "Bounds on the parts of a request."},
		"spec.timeouts.connect":             {standard: "5s", description: "Until the connection stands, TLS included."},
		"spec.timeouts.header":              {standard: "10s", description: "Until the answer's header is there."},
		"spec.timeouts.idle":                {standard: "30s", description: "Between two pieces of an answer's body."},
	},
}

// headerDocs describes the part that all documents have.
func headerDocs(kind string) []FieldDoc {
	name := `At most 63 lower case letters, digits, "-" and ".", the first and last a letter or digit. Unique among the documents of the kind.`
	if kind == KindRegistry {
		name = "The registry as in image names: host, or host:port. Docker Hub is docker.io."
	}
	return []FieldDoc{
		{Path: "apiVersion", Type: "text", Required: true, Values: []string{APIVersion}, Description: "Version of this format."},
		{Path: "kind", Type: "text", Required: true, Values: []string{kind}, Description: "What the document describes."},
		{Path: "metadata", Type: "block", Required: true, Description: "Holds the name alone."},
		{Path: "metadata.name", Type: "text", Required: true, Description: name},
		{Path: "spec", Type: "block", Required: true, Description: "What follows."},
	}
}

// FieldDocs describes every key of a kind that this build acts upon, in the
// order of the types; nil for another kind.
func FieldDocs(kind string) []FieldDoc {
	if !slices.Contains(kinds, kind) {
		return nil
	}
	return fieldDocs(headerDocs(kind), kind, "spec", reflect.TypeOf(specOf(kind)).Elem())
}

func fieldDocs(docs []FieldDoc, kind, path string, t reflect.Type) []FieldDoc {
	for i := range t.NumField() {
		name, required := jsonName(t.Field(i))
		if slices.Contains(laterKeys[kind], join(path, name)) {
			continue
		}
		text := fieldTexts[kind][join(path, name)]
		d := FieldDoc{
			Path: join(path, name), Type: typeName(t.Field(i).Type), Required: required,
			Default: text.standard, Values: text.values, Description: text.description,
		}
		docs = append(docs, d)
		if inner, below := innerStruct(t.Field(i).Type); inner != nil {
			docs = fieldDocs(docs, kind, d.Path+below, inner)
		}
	}
	return docs
}

// innerStruct returns the struct behind a field and what its path adds.
func innerStruct(t reflect.Type) (inner reflect.Type, below string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice {
			below += "[]"
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, ""
	}
	return t, below
}

func typeName(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case t.Kind() == reflect.Pointer:
		return typeName(t.Elem())
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return "list of blocks"
	case t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem())
	case t.Kind() == reflect.Struct:
		return "block"
	case t.Kind() == reflect.Bool:
		return "true or false"
	}
	return "text"
}
