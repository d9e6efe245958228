package upstream

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"vouchsafe/oci"
)

// SetResolver makes the guarded dialers of r ask resolver.
func (r *Registry) SetResolver(resolver *net.Resolver) {
	trust := r.data.TLSClientConfig
	r.data = newTransport(&guard{timeout: r.timeouts.connect, resolver: resolver, permits: r.permitsData}, r.timeouts, trust)
	r.foreign = newTransport(&guard{timeout: r.timeouts.connect, resolver: resolver, permits: r.permitsToken}, r.timeouts, trust)
}

// NewOperatorClientResolving is NewOperatorClient with another resolver.
func NewOperatorClientResolving(timeout time.Duration, egress *Egress, resolver *net.Resolver) *http.Client {
	return newOperatorClient(timeout, egress, resolver)
}

// ClassOf names the class of an address.
func ClassOf(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return err.Error()
	}
	return [...]string{classNever: "never", classPrivate: "private", classPublic: "public"}[classOf(a)]
}

// RealmAllowed reports the realm rule for a URL's origin.
func (r *Registry) RealmAllowed(scheme, hostPort string) bool {
	return r.realmAllowed(origin{scheme: scheme, hostPort: hostPort})
}

func reasonOf(err error) string {
	if e, ok := errors.AsType[*oci.Error](err); ok {
		return e.Reason
	}
	return ""
}

// ReasonOf is the reason of err.
var ReasonOf = reasonOf

// ParseToken reads a token service's answer, for the fuzz target.
func ParseToken(b []byte) (string, error) {
	t, err := parseToken(b, time.Unix(1_800_000_000, 0))
	return t.value.Reveal(), err
}

// Challenge is a parsed challenge.
type Challenge struct {
	Scheme string
	Params map[string]string
}

// ParseChallenges reads WWW-Authenticate.
func ParseChallenges(values ...string) []Challenge {
	var all []Challenge
	for _, c := range parseChallenges(values) {
		all = append(all, Challenge{c.scheme, c.params})
	}
	return all
}

// Realm is the realm of a Bearer challenge, "" for none that could be asked.
func (c Challenge) Realm() string {
	b, ok := challenge{scheme: c.Scheme, params: c.Params}.bearer()
	if !ok {
		return ""
	}
	return b.realm.String()
}

// NextLink and NextPage read Link.
var (
	NextLink = nextLink
	NextPage = nextPage
)

// RangeText is how a Range header goes upstream.
func RangeText(header string) string { return parseRange(header).String() }

// ContentRangeAnswers reports whether a Content-Range answers a Range.
func ContentRangeAnswers(header, answer string) bool {
	c, ok := parseContentRange(answer)
	return ok && c.answers(parseRange(header))
}

// ReadContentRange reads a Content-Range.
func ReadContentRange(header string) (text string, length, size int64, ok bool) {
	c, ok := parseContentRange(header)
	return c.String(), c.length(), c.size, ok
}

// RetryAfter reads a Retry-After header.
var RetryAfter = retryAfter

// Taken is what c's running reads hold of its budget.
func (c *Client) Taken() int64 { return c.whole.taken.Load() }

// NewPace measures with the window of blobs.
func NewPace() func(n int, took time.Duration) bool {
	p := &pace{window: paceWindow}
	return p.kept
}

// Pauses are the pauses of one registry.
type Pauses struct{ *pauses }

// NewPauses has none.
func NewPauses() Pauses { return Pauses{newPauses()} }

// Begin pauses host.
func (p Pauses) Begin(host string, said time.Duration, sent, now time.Time) time.Duration {
	return p.begin(host, said, sent, now)
}

// Len is how many hosts are in memory.
func (p Pauses) Len() int { return p.hosts.Len() }
