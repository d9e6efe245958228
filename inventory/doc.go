// Package inventory is the gateway's memory: lineage (which index lists which
// manifest and which manifest lists which blob), the images that were seen, what
// each integration makes of each of them, and the violations of policies. A
// [Reverifier] judges all of it again and tells what changed.
//
// It is put around what it remembers: a [Recorder] around a [policy.Decider],
// [Results] around a [verify.Cache]. Everything is in memory and bounded.
//
// Trust: all of it is fact about content that was hashed and judged here, beside
// text of clients, which is cut. An attacker who may push or pull can add images
// and facts, so what he can do at most is to fill the memory, which drops what was
// used least; images that were seen over time go last. What he drives out comes
// back with the next pull. A forgotten fact can only refuse more, never allow more,
// with one exception that is stated: a blob about which nothing is known is served.
// A forgotten image is not judged again until it is pulled, and then it is judged.
package inventory
