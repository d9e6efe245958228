// Package policy picks the policies that match an image and turns verification
// results into a decision.
//
// [Engine] is the one path to a decision: pulls, checks and admission reviews
// call the same [Decider], so they can never disagree. Policies are evaluated
// on every request, from results; only results are kept.
//
// Trust: rules are trusted, they come from the operator. Names and digests come
// from package oci already parsed. The zero value of every type here denies.
package policy
