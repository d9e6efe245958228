package policy

import (
	"context"
	"time"

	"vouchsafe/oci"
)

// Engine is the [Decider] that all others wrap.
type Engine struct {
	// Rules returns the rules in force now.
	Rules func() Rules
	// Results verifies.
	Results Results
	// Lineage remembers indexes and their children.
	Lineage Lineage
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// NewID makes decision ids; nil means ULIDs.
	NewID func(time.Time) string
	// Observe is called with each matching policy's verdict; nil means not
	// observed.
	Observe func(policy string, behavior Behavior, verdict Verdict)
}

var _ Decider = (*Engine)(nil)

// Decide implements [Decider].
func (e *Engine) Decide(ctx context.Context, request Request, image oci.Image) (Decision, error) {
	panic("not built yet")
}

// DecideBlob implements [Decider].
func (e *Engine) DecideBlob(ctx context.Context, request Request, blob oci.Digest) (Decision, error) {
	panic("not built yet")
}
