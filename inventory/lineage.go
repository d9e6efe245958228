// Package inventory is the gateway's memory. So far it remembers lineage: which
// index lists which manifest and which manifest lists which blob, per
// repository, in memory.
//
// Trust: lineage is fact about content that was hashed here. An attacker who may
// push can add facts, never take one away that is in use; what he can do at most
// is to fill the memory, which is bounded and drops what was used least
// recently. A forgotten fact can only refuse more, never allow more, with one
// exception that is stated: a blob about which nothing is known is served.
package inventory

import (
	"context"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// Lineage is a [policy.Lineage] in memory, bounded by a number of facts.
type Lineage struct{}

var _ policy.Lineage = (*Lineage)(nil)

// NewLineage returns an empty memory of at most facts listed digests; zero means
// 200,000. Of one digest at most 64 listing documents are kept.
func NewLineage(facts int) *Lineage { panic("not built yet") }

// Record implements [policy.Lineage].
func (l *Lineage) Record(ctx context.Context, image oci.Image) error { panic("not built yet") }

// Listing implements [policy.Lineage].
func (l *Lineage) Listing(ctx context.Context, repository oci.Repository, relation policy.Relation, digest oci.Digest) ([]oci.Digest, error) {
	panic("not built yet")
}
