package faults_test

import (
	"slices"
	"time"
)

// kind is what a client pulls.
type kind string

const (
	byTag    kind = "tag"
	byDigest kind = "digest"
	byChild  kind = "child"
	byBlob   kind = "blob"
)

// normal stands, among the statuses that a variant allows, for the one that the
// request has when nothing is wrong.
const normal = -1

// variant is one way in which things go wrong, and what may come of it. What a
// list does not name is not allowed; what a fault does not hit must be normal.
type variant struct {
	name string
	// hits are the requests that the fault touches.
	hits []part
	// fault answers them. It is called once for each run of a cell.
	fault func(c *cell) fault
	// begin and end are for what is not an answer; both may be nil.
	begin, end func(c *cell)
	// manifest, evidence and blob are the statuses that a request may have whose
	// manifest, signatures or blob were hit.
	manifest, evidence, blob []int
	// broken allows a blob's success to end broken.
	broken bool
	// stale says whether a tag that was resolved before is served from memory.
	stale staleness
	// spare says that a signature elsewhere keeps the signed image out of it.
	spare bool
	// anyway replaces all that is allowed of manifests in enforcing repositories.
	anyway []int
	// pause is how long the registry itself asks for after the fault.
	pause time.Duration
	// setup adds to what the registry holds.
	setup func(c *cell)
	// script is what is asked during the fault instead of a plain pull.
	script func(c *cell) []ask
	// named writes the registry's endpoint by name.
	named bool
	// replaces says that manifests are replaced by others that list the same
	// blobs, and are refused; then so may the blobs be.
	replaces bool
	// short gives the registry little time to answer.
	short bool
	// brief asks for less, where each answer takes its time.
	brief bool
	// secure puts TLS before the registry.
	secure bool
	// token makes the registry demand a bearer token.
	token bool
	// crowd is how many clients pull at the same time; zero is one.
	crowd int
	// leavers are clients that go in the middle of a blob, before the others.
	leavers int
	// layer is the size of layers, zero is layerBytes.
	layer int
	// process is for a fault of the process; such cells have one of their own.
	process *processFault
}

// staleness is what becomes of a tag whose registry is in trouble.
type staleness uint8

const (
	neverStale staleness = iota
	mayBeStale
	mustBeStale
)

func (v *variant) touches(p part) bool { return slices.Contains(v.hits, p) }
