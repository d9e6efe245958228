package inventory

import (
	"strings"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// Limits of what is remembered of one image, so that its cost is bounded whatever
// clients say.
const (
	// MaxTags is how many tags are kept, those under which it was last asked for.
	MaxTags = 16
	// MaxClients is how many clients are kept, those that last asked.
	MaxClients = 8
	// maxText bounds each text of a client, a registry or a signer, in bytes.
	maxText = 128
	// maxSigner bounds what names a signer, in bytes.
	maxSigner = 256
)

// Image is what is remembered of one manifest or index of one repository. It is a
// copy: the caller may keep it.
type Image struct {
	// Reference has repository and digest, no tag.
	Reference oci.Reference
	// MediaType and Kind are of its bytes; zero for a deployed image that was not
	// read yet.
	MediaType string
	Kind      oci.Kind
	// Tags are those under which it was asked for, the latest first.
	Tags                []string
	FirstSeen, LastSeen time.Time
	// SeenCount counts each GET and each HEAD.
	SeenCount uint64
	// Clients are those that asked, the latest first.
	Clients []Client
	// Exempt is true for a signature artifact: it has no results.
	Exempt bool
	// Deployed is true while a container runs it, as far as nodes say.
	Deployed bool
	// LastVerdict is of the last decision or re-verification; zero before it.
	LastVerdict policy.Verdict
	// Results are in the order in which the integrations first had one.
	Results []Result
}

// Client is who asked; all of it is a client's own text, cut.
type Client struct {
	// Name is the user of a client token, else the address.
	Name string
	// Agent is the first word of the user agent.
	Agent string
}

// Result is what one integration makes of an image, indexes that list it
// considered.
type Result struct {
	Integration string
	// Revision is of the integration that said so.
	Revision string
	Status   verify.Status
	Reason   verify.Reason
	Signer   string
	Issuer   string
	// InheritedFrom is the index whose result this is; zero when it is its own.
	InheritedFrom oci.Digest
	// Since is when the status became what it is.
	Since time.Time
	// CheckedAt is when the evidence behind it was collected.
	CheckedAt time.Time
	// LastVerifiedAt is zero when it never was.
	LastVerifiedAt time.Time
	// LastAttempt is when it was last tried to find out, LastAttemptFailed why
	// that told nothing; empty when it did.
	LastAttempt       time.Time
	LastAttemptFailed verify.Reason
}

// Violation is that an image did not satisfy a policy. What could not be found
// out opens none and resolves none.
type Violation struct {
	Policy string
	// Image has repository and digest.
	Image            oci.Reference
	Opened, LastSeen time.Time
	// Resolved is zero while it is open.
	Resolved time.Time
	// Reasons are those of the last decision that saw it.
	Reasons  []string
	Behavior policy.Behavior
	// Verdict is what the policy said then.
	Verdict policy.Verdict
}

// bound cuts s to most bytes, at the end of a character.
func bound(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xC0 == 0x80 {
		most--
	}
	return s[:most]
}

// boundOwn is a bounded text that holds on to nothing that was cut off.
func boundOwn(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.Clone(bound(s, most))
}

// own is a bounded copy of text that may be part of a larger buffer.
func own(s string) string { return strings.Clone(bound(s, maxText)) }

// clientOf names who asks. It copies nothing.
func clientOf(c policy.Client) Client {
	who := c.User
	if who == "" {
		who = c.IP
	}
	agent, _, _ := strings.Cut(c.UserAgent, " ")
	return Client{Name: bound(who, maxText), Agent: bound(agent, maxText)}
}

// own copies what is kept of a client.
func (c Client) own() Client { return Client{Name: own(c.Name), Agent: own(c.Agent)} }
