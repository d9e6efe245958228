// Package inventory is the gateway's memory: lineage (which index lists which
// manifest and which manifest lists which blob), the images that were seen, what
// each integration makes of each of them, and the violations of policies. A
// [Reverifier] judges all of it again and tells what changed.
//
// It is put around what it remembers: a [Recorder] around a [policy.Decider],
// [Results] around a [verify.Cache]. Everything is in memory and bounded.
//
// Trust: all of it is fact about content that was hashed and judged here, beside
// text of clients, which is cut. An attacker who may push or pull can add images and
// facts, so what he can do at most is to fill the part of the memory that is meant
// for him:
//
//   - Facts of documents that were not both served and verified have a quarter of
//     the lineage. They drive out each other alone, and of the repository that has
//     the most first: with n repositories in it, each keeps what it has up to the
//     n-th part. So whoever may only pull what is refused, or what nobody vouches
//     for, cannot make the gateway forget a signed index, nor what refused images of
//     another repository list; of the same repository he can, with as many refused
//     facts as that part has room for.
//   - Facts of documents that were served and verified have the rest; what was used
//     least goes, and no repository has more than half while others need it.
//   - Images that were never served have what the others leave, at least a quarter;
//     they drive out no image that was.
//
// What is driven out comes back with the next pull, and the index through which a
// remembered image was verified with the next re-verification. A forgotten fact can
// only refuse more, never allow more, with one exception: what is known of a blob is
// which manifests list it, and package policy says what follows when none is known.
// A forgotten image is not judged again until it is pulled, and then it is judged.
package inventory
