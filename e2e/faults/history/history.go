// Package history judges what was recorded while a gateway ran under a fault.
//
// It is written from the invariants I1 to I7 that the gateway promises, and
// knows nothing of how it keeps them: its input is what clients asked and were
// answered, what arrived at the servers behind, what the audit record says, and
// what the process used; its output is what broke a promise. [Check] is a pure
// function, so that a history can be judged again.
package history

import "time"

// History is one recorded run.
type History struct {
	World     World
	Exchanges []Exchange
	// Contacts are requests that arrived at servers behind the gateway.
	Contacts []Contact
	// Canaries are connections to addresses that nobody may contact.
	Canaries  []Contact
	Records   []Record
	Revisions []Revision
	Faults    []Fault
	Samples   []Sample
	// Outputs are texts that the gateway wrote: logs, metrics, audit.
	Outputs []Output
}

// World is what is true, whatever the gateway says.
type World struct {
	// Enforced are the origin repositories in which an enforcing policy holds.
	Enforced map[string]bool
	// Trusted are, for each origin repository, the digests of manifests that a
	// trusted signer vouched for, children of such indexes included.
	Trusted map[string]map[string]bool
	// Listing are, for each origin repository and blob, the manifests listing it.
	Listing map[string]map[string][]string
	// Unlisted are origin registries without a document.
	Unlisted map[string]bool
	// Secrets are credentials and where they may go.
	Secrets []Secret
	// EnforcedSince is when the enforcing policy was seen to be in force; zero is
	// always.
	EnforcedSince time.Time
	// SinkFails says that audit records cannot be written while the fault lasts.
	SinkFails bool
	// Limits bound the process; a zero bounds nothing.
	Limits Limits
	// Once are paths, "host:port/path", that may be fetched by GET at most once
	// while the fault lasts.
	Once map[string]bool
}

// Secret is a credential and the hosts, as "host:port", that may see it.
type Secret struct {
	Value string
	Hosts []string
}

// Limits bound what the process uses.
type Limits struct {
	RSSBytes                int64
	Descriptors, Goroutines int
	// DescriptorSlack and GoroutineSlack are how many more there may be at rest
	// at the end than there were at rest at the beginning.
	DescriptorSlack, GoroutineSlack int
}

// Phase is when in a run a request was made. The zero value is invalid.
type Phase uint8

// The phases of a run.
const (
	// Before is while nothing is wrong.
	Before Phase = iota + 1
	// During is while the fault lasts.
	During
	// After is when it has ended.
	After
)

// Content is what an exchange asked for. The zero value is invalid.
type Content uint8

// The kinds of content.
const (
	// Manifest is a manifest, by tag or digest.
	Manifest Content = iota + 1
	// Blob is a blob.
	Blob
)

// Exchange is one request of a client and its answer.
type Exchange struct {
	Cell    string
	Phase   Phase
	Method  string
	Content Content
	// Repository is the origin name, Reference a tag or digest.
	Repository, Reference string
	Asked, Answered, Done time.Time
	// Status is zero when no answer came.
	Status int
	// Clean says that the body ended as announced. Left says that the client
	// itself went before the end.
	Clean, Left bool
	// Hash is the digest of the bytes that came; empty for a HEAD.
	Hash string
	// Digest, Decision, Verdict and RetryAfter are what the headers say.
	Digest, Decision, Verdict, RetryAfter string
	// Code is the first error's of a refusal.
	Code string
	// Text is all of the answer's header and, of a refusal, its body.
	Text string
	// AuditSeen is the size of the audit record when the header came.
	AuditSeen int64
	// Want are the statuses that the oracle allows; empty when it leaves that to
	// the general rules. Broken allows a success that ends broken.
	Want   []int
	Broken bool
	// Normal is the status that this request has when nothing is wrong.
	Normal int
	// Problem is why the client got no clean answer.
	Problem string
}

// success reports whether bytes were served.
func (x Exchange) success() bool { return x.Status >= 200 && x.Status < 300 }

// normal reports whether this is how it goes when nothing is wrong.
func (x Exchange) normal() bool { return x.Status == x.Normal && x.Clean }

// Contact is a request that arrived at a server behind the gateway.
type Contact struct {
	Cell string
	At   time.Time
	// Host is the server's "host:port"; Path is escaped, without the query.
	Host, Method, Path string
	// Seen is the text of all headers and of the query, credentials decoded.
	Seen string
	// Status is what the server answered; zero for none.
	Status int
}

// Record is one line of the audit record.
type Record struct {
	ID, Kind, Origin, Digest, Verdict, Revision string
	Status                                      int
	// End is the offset behind the line.
	End int64
}

// Revision is a configuration that was seen to be in force.
type Revision struct {
	ID    string
	Since time.Time
}

// Fault is the time of one cell's fault. Ended is zero for one that does not end.
type Fault struct {
	Cell         string
	Began, Ended time.Time
}

// Sample is what the process used at one time. AtRest is when nobody asked.
type Sample struct {
	At                      time.Time
	RSSBytes                int64
	Descriptors, Goroutines int
	AtRest                  bool
}

// Output is a text that the gateway wrote.
type Output struct {
	Name, Text string
}
