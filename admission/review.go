package admission

import (
	"encoding/json"
	"net"
	"net/http"

	kjson "sigs.k8s.io/json"

	"vouchsafe/policy"
)

const (
	// maxBodies bounds the reviews that are judged at the same time, in bytes of what
	// is kept of them, each byte [decodedFactor] times.
	maxBodies     = 64 << 20
	decodedFactor = 3
	// minBody is what the smallest counts for.
	minBody = 4 << 10
	// maxUID bounds the uid of a review, in bytes of JSON. The API server's have 38.
	maxUID = 256

	jsonType   = "application/json"
	apiVersion = "admission.k8s.io/v1"
	reviewKind = "AdmissionReview"
)

// envelope is an AdmissionReview as it is posted (Kubernetes API
// admission.k8s.io/v1). Fields that are not read are ignored.
type envelope[T any] struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Request    *struct {
		question
		Object    T `json:"object"`
		OldObject T `json:"oldObject"`
	} `json:"request"`
}

// question is what is asked, without the objects.
type question struct {
	UID         string    `json:"uid"`
	Kind        groupKind `json:"kind"`
	SubResource string    `json:"subResource"`
	Name        string    `json:"name"`
	Namespace   string    `json:"namespace"`
	Operation   string    `json:"operation"`
	UserInfo    struct {
		Username string `json:"username"`
	} `json:"userInfo"`
	DryRun bool `json:"dryRun"`
}

// review is the question of one AdmissionReview, read.
type review struct {
	question
	limits limits
	client policy.Client
	place  place
	// object and old are nil unless the kind is one of ours; old also without one.
	object, old *object
}

// groupKind names the type of an object.
type groupKind struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

// parse reads a review. It keeps nothing of b. Nearly all are about something of
// ours, so the objects are read in the same pass; where that fails, the kind is read
// first, since an object of another kind may have anything where ours have images.
func parse(b []byte) (*review, error) {
	var e envelope[*object]
	if decode(b, &e) == nil && e.Request != nil {
		v := &review{question: e.Request.question}
		return v, v.take(e.APIVersion, e.Kind, func() (now, old *object, err error) {
			return e.Request.Object, e.Request.OldObject, nil
		})
	}
	var raw envelope[json.RawMessage]
	if err := decode(b, &raw); err != nil {
		return nil, err
	}
	if raw.Request == nil {
		return nil, refuse(http.StatusBadRequest, "the review has no request")
	}
	v := &review{question: raw.Request.question}
	return v, v.take(raw.APIVersion, raw.Kind, func() (now, old *object, err error) {
		if now, err = readObject(raw.Request.Object); err == nil {
			old, err = readObject(raw.Request.OldObject)
		}
		return now, old, err
	})
}

// take checks the question and, where it is about something of ours, takes the
// objects.
func (v *review) take(version, kind string, objects func() (now, old *object, err error)) error {
	switch {
	case version != apiVersion || kind != reviewKind:
		return refuse(http.StatusBadRequest, "wanted an %s of %s", reviewKind, apiVersion)
	case v.UID == "":
		return refuse(http.StatusBadRequest, "the review has no uid")
	}
	switch v.Operation {
	case "CREATE", "UPDATE":
	case "DELETE", "CONNECT":
		return nil
	default:
		return refuse(http.StatusBadRequest, "%.40q is no operation", v.Operation)
	}
	if v.place = kinds[v.Kind]; v.place == 0 {
		return nil
	}
	now, old, err := objects()
	if err != nil {
		return err
	}
	if now == nil {
		return refuse(http.StatusBadRequest, "the review has no object")
	}
	if v.object = now; v.Operation == "UPDATE" {
		v.old = old
	}
	if v.Namespace == "" {
		v.Namespace = now.Metadata.Namespace
	}
	if v.Namespace == "" {
		// Policies are about namespaces: without one, some would not match.
		return refuse(http.StatusBadRequest, "the review names no namespace")
	}
	return nil
}

func readObject(b json.RawMessage) (*object, error) {
	if len(b) == 0 || string(b) == "null" {
		return nil, nil
	}
	o := new(object)
	return o, decode(b, o)
}

// decode reads JSON as the API server does, so that both see the same in it: names
// differ by letter case, and none is there twice.
func decode(b []byte, into any) error {
	twice, err := kjson.UnmarshalStrict(b, into, kjson.DisallowDuplicateFields)
	if err != nil {
		return refuse(http.StatusBadRequest, "the review cannot be read: %.200s", err)
	}
	if len(twice) > 0 {
		return refuse(http.StatusBadRequest, "the review cannot be read: %.200s", twice[0])
	}
	return nil
}

// judged reports whether the review is about something that names images.
func (v *review) judged() bool { return v.object != nil }

// client is who asks: the user behind the API server.
func (h *Handler) client(r *http.Request, v *review) policy.Client {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = r.RemoteAddr
	}
	return policy.Client{
		IP: ip, UserAgent: r.UserAgent(), User: v.UserInfo.Username, RequestID: v.UID, TraceID: h.cfg.TraceID(r.Context()),
	}
}

// workload is what would run the images.
func (v *review) workload() policy.Workload {
	w := policy.Workload{Kind: v.Kind.Kind, Name: v.Name}
	if w.Name == "" {
		w.Name = v.object.Metadata.Name
	}
	if w.Name == "" {
		w.Name = v.object.Metadata.GenerateName
	}
	if v.place == inSpec {
		w.Pod = w.Name
	}
	if spec := v.object.pod(v.place); spec != nil {
		w.ServiceAccount = spec.ServiceAccountName
	}
	return w
}

// response is the answer to a review.
type response struct {
	UID     string `json:"uid"`
	Allowed bool   `json:"allowed"`
	// Patch is a JSON patch (RFC 6902), base64 on the wire.
	Patch     []byte   `json:"patch,omitempty"`
	PatchType string   `json:"patchType,omitempty"`
	Status    *status  `json:"status,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
}

// status says why a review is denied.
type status struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// encode returns the AdmissionReview with the answer.
func encode(answer response) ([]byte, error) {
	return json.Marshal(struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Response   response `json:"response"`
	}{apiVersion, reviewKind, answer})
}
