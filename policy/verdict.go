package policy

// Verdict is what a decision says. It is a closed set; the zero value is no
// answer and is treated as Deny. "No" and "could not find out" are different
// values.
type Verdict uint8

const (
	// Allow serves the image.
	Allow Verdict = iota + 1
	// Warn serves the image and records a violation or an unknown.
	Warn
	// Unavailable refuses for now: it could not be found out.
	Unavailable
	// Deny refuses.
	Deny
)

// String returns the verdict as records and headers spell it.
func (v Verdict) String() string {
	switch v {
	case Allow:
		return "Allow"
	case Warn:
		return "Warn"
	case Unavailable:
		return "Unavailable"
	case Deny:
		return "Deny"
	}
	return "Invalid"
}

// MarshalText implements [encoding.TextMarshaler].
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Served reports whether the image may be served: Allow and Warn alone.
func (v Verdict) Served() bool { return v == Allow || v == Warn }

// Worse returns the worse of two verdicts: Deny, Unavailable, Warn, Allow. An
// invalid verdict counts as Deny.
func Worse(a, b Verdict) Verdict {
	for _, v := range []*Verdict{&a, &b} {
		if *v < Allow || *v > Deny {
			*v = Deny
		}
	}
	return max(a, b)
}

// Behavior is what a policy does about a violation. The zero value is invalid.
type Behavior uint8

const (
	// Inform records a violation and serves.
	Inform Behavior = iota + 1
	// InformAndEnforce records a violation and refuses.
	InformAndEnforce
)

// String returns the behavior as documents spell it.
func (b Behavior) String() string {
	switch b {
	case Inform:
		return "Inform"
	case InformAndEnforce:
		return "InformAndEnforce"
	}
	return "Invalid"
}

// MarshalText implements [encoding.TextMarshaler].
func (b Behavior) MarshalText() ([]byte, error) { return []byte(b.String()), nil }
