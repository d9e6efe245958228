// Package admission answers the reviews of a Kubernetes API server, in the shape
// admission.k8s.io/v1: /mutate leads the images of pods through the gateway,
// /validate says at once what a pull would be told.
//
// What it says is never proof: the pull judges again. It decides nothing itself,
// and it opens no connection. To mutate asks nobody at all; to validate asks
// through a Resolver and a Decider and answers inside the review's timeout
// whatever they do.
//
// Trust: whatever is in a review was written by a tenant, or by the API server
// from what a tenant wrote. No annotation is believed, those written here neither.
// Of an update only what differs from the old object is looked at, so that a
// changed policy never keeps a label from being edited or a finalizer from being
// removed; the old object is the API server's own.
//
// What cannot be judged is refused in an answer, never by an error over HTTP, which
// failurePolicy Ignore would take for an admission.
//
// Limits: a review has at most 40 MiB, of which what names images is kept, at most
// 8 MiB and 10,000 containers and volumes of an object. It must come within 2 s, and
// 1 s more for each 8 MiB. Four that keep more than 64 KiB are read at the same time;
// what is kept of all that are judged at the same time, three times, has 64 MiB.
// Eight images of a review are judged at the same time.
package admission
