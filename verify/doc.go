// Package verify turns an image digest and what its registry holds about it
// into results: one for each signature integration.
//
// Three steps, each a function of its input alone, so that each can be kept for
// what it is: [Collector.Collect] asks the registry for evidence, Complete adds
// log entries that are not attached (nothing yet), [Judge] is pure. [Verifier]
// puts caches, one flight per key and bounded workers around them.
//
// Trust: integrations are trusted, they come from the operator. Evidence is
// written by whoever may push beside the image, so by an attacker: every read
// has a ceiling, every signature is judged on our own goroutine under recover,
// and one bad item hides nothing else. What an attacker who controls the
// evidence can do at most is to keep an image from being Verified.
//
// This is the only package that imports cosign, sigstore and sigstore-go.
package verify
