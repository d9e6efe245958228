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
// Limits: a review has at most 3 MiB, all that are read and judged at the same
// time 64 MiB; eight images of a review are judged at the same time.
package admission
