package policy

import (
	"context"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// Kind says which door a request came through. The zero value is invalid.
type Kind uint8

const (
	// KindPull is a manifest GET or HEAD, or a blob.
	KindPull Kind = iota + 1
	// KindCheck is a question from the command line.
	KindCheck
	// KindReverification is the gateway's own question about an image that was
	// seen before.
	KindReverification
	// KindAdmission is one image of a review by a cluster's API server.
	KindAdmission
)

// String returns the kind as audit records spell it.
func (k Kind) String() string {
	switch k {
	case KindPull:
		return "pull"
	case KindCheck:
		return "check"
	case KindReverification:
		return "reverification"
	case KindAdmission:
		return "admission"
	}
	return "invalid"
}

// Client is who asks, as far as it is known; all of it untrusted text.
type Client struct {
	IP        string
	UserAgent string
	// User is the name behind a client token; empty when none was presented.
	User string
	// RequestID is an incoming X-Request-Id, cut to 128 characters.
	RequestID string
	// TraceID is of the gateway's own trace, 32 hex digits; empty without one.
	TraceID string
}

// Workload is what would run the image, as far as it is known; untrusted text.
type Workload struct {
	// Kind is of the object, such as "Deployment".
	Kind string
	// Name is the object's, or the beginning of the name it will get.
	Name string
	// Pod is the same where the object is a pod, else empty.
	Pod            string
	ServiceAccount string
}

// Request is one question.
type Request struct {
	Kind Kind
	// Verb is "GET" or "HEAD" for pulls, else empty.
	Verb string
	// Reference is the origin name as it was asked for.
	Reference oci.Reference
	Client    Client
	// Namespace is empty where it is not known.
	Namespace string
	// Workload is empty where it is not known.
	Workload Workload
	// KnownOnly asks nobody, now or later: what is not known already counts as
	// Unavailable with the reason [verify.NotKnown].
	KnownOnly bool
	// Unresolved says why there are no bytes to judge; zero when there are.
	Unresolved Unresolved
	// PullJudges leaves it to the pull to judge what is not known yet: a policy of
	// which nothing but [verify.NotKnown] keeps it open allows. False refuses.
	PullJudges bool
	// Superseded asks for the refusal of a question that the rules outran: they
	// changed as often as it may be decided. The answer is Unavailable, whatever
	// the image, so that what the client gets has a record of its own. False is
	// a question that is judged.
	Superseded bool
}

// Outcome is what one matching policy says.
type Outcome struct {
	Name      string   `json:"name"`
	Behavior  Behavior `json:"behavior"`
	Satisfied bool     `json:"satisfied"`
	// Violated is true when what is known refuses. Beside Satisfied false it
	// being false means that it could not be found out.
	Violated bool    `json:"-"`
	Verdict  Verdict `json:"-"`
}

// Decision is the answer to one question about one image. It is immutable.
type Decision struct {
	// ID is a ULID: the request id in log, answer and audit record.
	ID      string
	Time    time.Time
	Verdict Verdict
	// Policies are all that matched, in the order of their names.
	Policies []Outcome
	// Reasons are the distinct reason words of the results that kept a policy
	// from being satisfied, sorted: [verify.Reason] values or one of this
	// package's, such as [ReasonUnsigned].
	Reasons []string
	// Message is one line under 1,000 characters, complete in itself.
	Message string
	// Results are of the integrations that matching policies name, in the order
	// of their names.
	Results []verify.Result
	// Revision is of the rules that were applied.
	Revision string
	// Image is what was judged: origin name with digest, and media type.
	Image     oci.Reference
	MediaType string
	// Name is what was asked for where that is no image name; then Image is zero.
	Name string
	// InformOnly is true when nothing that policies say refuses; see
	// [Rules.InformOnly].
	InformOnly bool
	// Exempt is true for a signature artifact: no policy was asked.
	Exempt bool
	// Vouched is true for a blob that may be served without a look at what it is:
	// a manifest that is served now lists it, or nothing is enforced in its
	// repository. It is false for manifests, and for a blob that is served only
	// because nothing speaks against it.
	Vouched bool
	// Cached is true when no signature had to be fetched or judged.
	Cached bool
	// Duration is from the question to the verdict.
	Duration time.Duration
	// RetryAfter is set for Unavailable, else zero.
	RetryAfter time.Duration
}

// Enforced reports whether a policy that matched refuses, rather than records.
func (d Decision) Enforced() bool {
	if d.InformOnly {
		return false
	}
	for _, p := range d.Policies {
		if p.Behavior == InformAndEnforce {
			return true
		}
	}
	return false
}

// Decider answers questions. Wrappers add memory and records; all are safe for
// concurrent use.
type Decider interface {
	// Decide judges the image. It never returns a served verdict with an error:
	// the error is ctx's own or a bug, and means that nothing may be served.
	Decide(ctx context.Context, request Request, image oci.Image) (Decision, error)
	// DecideBlob says whether a blob of request.Reference's repository may be
	// served. Only a refusal is worth a record.
	DecideBlob(ctx context.Context, request Request, blob oci.Digest) (Decision, error)
}

// Results is what the engine asks of verification; [verify.Verifier] is one.
type Results interface {
	// Results returns one result for each of q.Needed, in order; the error is
	// ctx's own.
	Results(ctx context.Context, q verify.Query) ([]verify.Result, error)
}

// Relation says how one document lists another. The two are never mixed: a
// layer that happens to have a manifest's digest must not make it a child.
type Relation uint8

const (
	// ChildOf is from a manifest to an index that lists it.
	ChildOf Relation = iota + 1
	// BlobOf is from a blob to an image manifest that lists it as config or layer.
	BlobOf
)

// Lineage remembers which documents list which content, per repository. It is
// fact about content, not about verdicts.
type Lineage interface {
	// Record remembers what image lists, before the image is answered. An error
	// means that it may not be remembered.
	Record(ctx context.Context, image oci.Image) error
	// Listing returns the documents of repository that list digest under
	// relation, most recently recorded first; none known is no error.
	Listing(ctx context.Context, repository oci.Repository, relation Relation, digest oci.Digest) ([]oci.Digest, error)
}
