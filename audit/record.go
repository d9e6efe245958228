package audit

import (
	"math"
	"net/http"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// Version is the version of the record's shape. Fields may be added under it,
// never renamed.
const Version = 1

// KindConfiguration is the kind of records about configurations; the other
// kinds are those of [policy.Kind].
const KindConfiguration = "configuration"

// Limits of text from outside in a record, in characters.
const (
	maxUserAgent = 256
	maxRequestID = 128
	maxUser      = 256
	maxTraceID   = 32
	maxOrigin    = 256
	maxWorkload  = 253
)

// Record is one line of the audit log. docs/audit.md says what each field is.
type Record struct {
	// Version is [Version].
	Version int `json:"version"`
	// Time is when the question arrived, in UTC.
	Time time.Time `json:"time"`
	// ID is the decision's ULID, the same as in the answer and the log.
	ID string `json:"id"`
	// Kind is "pull", "admission", "check", "reverification" or "configuration".
	Kind string `json:"kind"`
	// Verb is "GET" or "HEAD", for pulls alone.
	Verb string `json:"verb,omitempty"`
	// Image is what was judged; absent from configuration records, like all
	// pointers here.
	Image  *Image  `json:"image,omitempty"`
	Client *Client `json:"client,omitempty"`
	// Workload is what would run the image; absent where nothing of it is known.
	Workload *Workload `json:"workload,omitempty"`
	Decision *Decision `json:"decision,omitempty"`
	// Message is what the client was told.
	Message string `json:"message"`
	// Results are of the integrations that matching policies name.
	Results []Result `json:"results,omitzero"`
	// Revision is of the configuration that was applied.
	Revision string `json:"revision"`
	// Replica is the process that decided.
	Replica string `json:"replica,omitempty"`
	// Cached is true when no signature had to be fetched or judged.
	Cached *bool `json:"cached,omitempty"`
	// DurationMs is the milliseconds to the verdict, to the microsecond.
	DurationMs *float64 `json:"durationMs,omitempty"`
	// Status is the HTTP status of the verdict; 0 in configuration records.
	Status int `json:"status,omitempty"`
	// RequestID is an incoming X-Request-Id.
	RequestID string `json:"requestID,omitempty"`
	// TraceID is of the gateway's own trace, 32 hex digits.
	TraceID string `json:"traceID,omitempty"`
}

// Image names what was judged.
type Image struct {
	// Origin is "registry/repository"; of what is no image name, what was asked
	// for.
	Origin string `json:"origin"`
	Tag    string `json:"tag,omitempty"`
	// Digest is absent where the image was not resolved.
	Digest    oci.Digest `json:"digest,omitzero"`
	MediaType string     `json:"mediaType,omitempty"`
}

// Client is who asked; all of it is the client's own text.
type Client struct {
	IP        string `json:"ip,omitempty"`
	UserAgent string `json:"userAgent,omitempty"`
	User      string `json:"user,omitempty"`
}

// Workload is what would run an image. Cluster is the operator's own word, the
// rest is what a review said.
type Workload struct {
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	// Kind is of the object, such as "Deployment".
	Kind string `json:"kind,omitempty"`
	// Name is the object's, or the beginning of the name it will get; Pod is the
	// same of a pod alone.
	Name           string `json:"name,omitempty"`
	Pod            string `json:"pod,omitempty"`
	ServiceAccount string `json:"serviceAccount,omitempty"`
}

// Decision is the verdict and where it came from.
type Decision struct {
	Verdict  policy.Verdict   `json:"verdict"`
	Policies []policy.Outcome `json:"policies"`
	Reasons  []string         `json:"reasons"`
}

// Result is what one integration said.
type Result struct {
	Integration string `json:"integration"`
	// Status is "Verified", "Unsigned", "Untrusted" or "Unavailable".
	Status   string `json:"status"`
	Signer   string `json:"signer,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	LogIndex *int64 `json:"logIndex,omitempty"`
	// Reason is empty for Verified and for Unsigned.
	Reason string `json:"reason,omitempty"`
	// InheritedFrom is the index whose result this is.
	InheritedFrom oci.Digest `json:"inheritedFrom,omitzero"`
}

// newRecord describes one decision.
func newRecord(request policy.Request, d policy.Decision, cfg Config) Record {
	r := Record{
		Version: Version, Time: d.Time.UTC(), ID: d.ID, Kind: request.Kind.String(), Verb: request.Verb,
		Image: &Image{
			Origin: origin(d), Tag: d.Image.Tag, Digest: d.Image.Digest, MediaType: d.MediaType,
		},
		Client: &Client{
			IP: request.Client.IP, UserAgent: cut(request.Client.UserAgent, maxUserAgent), User: cut(request.Client.User, maxUser),
		},
		Workload: workload(request, cfg.Cluster),
		Decision: &Decision{Verdict: d.Verdict, Policies: d.Policies, Reasons: d.Reasons},
		Message:  d.Message,
		Results:  make([]Result, len(d.Results)),
		Revision: d.Revision, Replica: cfg.Replica, Cached: new(d.Cached),
		DurationMs: new(math.Round(float64(d.Duration)/float64(time.Microsecond)) / 1000),
		Status:     statusOf(d.Verdict),
		RequestID:  cut(request.Client.RequestID, maxRequestID),
		TraceID:    cut(request.Client.TraceID, maxTraceID),
	}
	for i := range d.Results {
		from := &d.Results[i]
		r.Results[i] = Result{
			Integration: from.Integration, Status: from.Status.String(), Signer: from.Signer, Issuer: from.Issuer,
			LogIndex: from.LogIndex, Reason: string(from.Reason), InheritedFrom: from.InheritedFrom,
		}
	}
	// Readers find an empty list rather than null.
	if r.Decision.Policies == nil {
		r.Decision.Policies = []policy.Outcome{}
	}
	if r.Decision.Reasons == nil {
		r.Decision.Reasons = []string{}
	}
	return r
}

// origin names the repository, or what was asked for instead of one.
func origin(d policy.Decision) string {
	if d.Name != "" {
		return cut(d.Name, maxOrigin)
	}
	return d.Image.Repository.String()
}

// workload returns nil where nothing is known.
func workload(request policy.Request, cluster string) *Workload {
	w := Workload{
		Cluster: cluster, Namespace: cut(request.Namespace, maxWorkload),
		Kind: cut(request.Workload.Kind, maxWorkload), Name: cut(request.Workload.Name, maxWorkload),
		Pod: cut(request.Workload.Pod, maxWorkload), ServiceAccount: cut(request.Workload.ServiceAccount, maxWorkload),
	}
	if w == (Workload{}) {
		return nil
	}
	return &w
}

// statusOf maps a verdict to the status of its answer; what is no verdict is a
// refusal.
func statusOf(v policy.Verdict) int {
	switch v {
	case policy.Allow, policy.Warn:
		return http.StatusOK
	case policy.Unavailable:
		return http.StatusServiceUnavailable
	case policy.Deny:
	}
	return http.StatusForbidden
}

// cut keeps the first characters of s.
func cut(s string, characters int) string {
	if len(s) <= characters {
		return s
	}
	for at := range s {
		if characters == 0 {
			return s[:at]
		}
		characters--
	}
	return s
}
