package verify

// Status is what a signature or an image is under one integration. It is a
// closed set; the zero value is not a valid status and never counts as Verified.
type Status uint8

const (
	// Verified means that at least one signature satisfies the integration.
	Verified Status = iota + 1
	// Unsigned means that every place was asked and there is no signature.
	Unsigned
	// Untrusted means that signatures exist and none satisfies.
	Untrusted
	// Unavailable means that a place or check that could matter was not
	// completed.
	Unavailable
)

// String returns the status as documents, records and output spell it.
func (s Status) String() string {
	switch s {
	case Verified:
		return "Verified"
	case Unsigned:
		return "Unsigned"
	case Untrusted:
		return "Untrusted"
	case Unavailable:
		return "Unavailable"
	}
	return "Invalid"
}

// MarshalText implements [encoding.TextMarshaler].
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reason is a stable word for why a signature does not count or a result is not
// Verified.
type Reason string

// Reasons of one signature.
const (
	KeyMismatch        Reason = "KEY_MISMATCH"
	KeyExpired         Reason = "KEY_EXPIRED"
	IdentityMismatch   Reason = "IDENTITY_MISMATCH"
	IssuerMismatch     Reason = "ISSUER_MISMATCH"
	ChainInvalid       Reason = "CHAIN_INVALID"
	CertificateExpired Reason = "CERTIFICATE_EXPIRED"
	SCTMissing         Reason = "SCT_MISSING"
	SCTInvalid         Reason = "SCT_INVALID"
	TlogMissing        Reason = "TLOG_MISSING"
	TlogInvalid        Reason = "TLOG_INVALID"
	TimestampMissing   Reason = "TIMESTAMP_MISSING"
	TimestampInvalid   Reason = "TIMESTAMP_INVALID"
	DigestMismatch     Reason = "DIGEST_MISMATCH"
	NameMismatch       Reason = "NAME_MISMATCH"
	Malformed          Reason = "MALFORMED"
	OverLimit          Reason = "OVER_LIMIT"
	Unsupported        Reason = "UNSUPPORTED"
)

// Reasons of an image.
const (
	RegistryNotListed Reason = "REGISTRY_NOT_LISTED"
	FetchFailed       Reason = "FETCH_FAILED"
	FetchUnauthorized Reason = "FETCH_UNAUTHORIZED"
	TlogUnavailable   Reason = "TLOG_UNAVAILABLE"
	Timeout           Reason = "TIMEOUT"
	// TrustedRootUnavailable means that no trusted root is there to judge by: its
	// TUF mirror gave none yet, or none for too long.
	TrustedRootUnavailable Reason = "TRUSTED_ROOT_UNAVAILABLE"
	// NotKnown is of a question that may ask nobody; see [Query.KnownOnly].
	NotKnown Reason = "NOT_KNOWN"
)
