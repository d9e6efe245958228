package inventory

import (
	"container/list"
	"slices"
	"strings"
	"sync"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

const (
	// DefaultImages is how many images are remembered when nothing else is said.
	DefaultImages = 50_000
	// MaxResolved is how many resolved violations are kept.
	MaxResolved = 10_000
	// settledAfter is how long after it was first seen an image counts as in use
	// when it is seen again: a pull asks several times within seconds.
	settledAfter = time.Minute
	// passersPart is the part of the memory that images which were seen only once
	// always have, refusedPart the part that those have which were never served.
	passersPart, refusedPart = 5, 4
	// defaultVerifiedTTL is verify's.
	defaultVerifiedTTL = 4 * time.Hour
)

// MemoryConfig configures a Memory. The zero value is usable.
type MemoryConfig struct {
	// Images is how many images are kept; zero means DefaultImages.
	Images int
	// VerifiedTTL is how long what was found out stands when nothing can be found
	// out after it; zero means 4 h.
	VerifiedTTL time.Duration
	// Lineage is told which documents were vouched for; nil means none is.
	Lineage *Lineage
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Memory is what one process remembers of images and violations. It is safe for
// concurrent use.
//
// Images that were served at least once have up to three quarters of it, the others
// what is left, so that no number of refused images drives out a served one. When a
// part is full, the image goes that was seen least recently: of those that were
// served, first among those that were seen once, as long as they have more than a
// fifth of the memory, so that whoever asks for many images once does not drive out
// those in use. Images that run have their room among those that were served, up to
// half of the memory, and leave for none.
type Memory struct {
	cfg MemoryConfig

	// mu guards what follows. A hold is as long as one image takes; only the list
	// of all entries and the count of those due go over many.
	mu     sync.Mutex
	images map[name]*entry
	// refused were never served. Of those that were, passers were seen once, settled
	// again a minute after. Those that run are deployed, whatever else they are. Each
	// has the latest first.
	refused, passers, settled, deployed *list.List
	evicted                             uint64
	// open counts the open violations by policy.
	open     map[string]int
	resolved ring
	schedule schedule
}

// name is which image.
type name struct {
	repository oci.Repository
	digest     oci.Digest
}

// entry is one image in memory, all of it under Memory.mu.
type entry struct {
	image   Image
	records []*record
	// violations are the open ones.
	violations []Violation
	// list is the one that it is in, place where.
	list  *list.List
	place *list.Element
	// gone is true when the image has left the memory, served when it was served
	// at least once.
	gone, served bool
	plan         plan
}

// NewMemory returns an empty memory.
func NewMemory(cfg MemoryConfig) *Memory {
	if cfg.Images <= 0 {
		cfg.Images = DefaultImages
	}
	if cfg.VerifiedTTL <= 0 {
		cfg.VerifiedTTL = defaultVerifiedTTL
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Memory{
		cfg: cfg, images: map[name]*entry{}, refused: list.New(), passers: list.New(), settled: list.New(), deployed: list.New(),
		open: map[string]int{}, schedule: newSchedule(),
	}
}

// see remembers that image was asked for, and returns its entry.
func (m *Memory) see(request policy.Request, image oci.Image) *entry {
	now := m.cfg.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.images[name{image.Reference.Repository, image.Reference.Digest}]
	if e == nil {
		e = m.add(image, now)
	}
	if e.image.MediaType == "" {
		e.image.MediaType, e.image.Kind = own(image.MediaType), image.Manifest.Kind
	}
	e.image.LastSeen = now
	e.image.SeenCount++
	m.touch(e, now)
	if tag := image.Reference.Tag; tag != "" {
		e.image.Tags = latest(e.image.Tags, bound(tag, maxText), MaxTags, own)
	}
	e.image.Clients = latest(e.image.Clients, clientOf(request.Client), MaxClients, Client.own)
	return e
}

func (m *Memory) add(image oci.Image, now time.Time) *entry {
	ref := image.Reference
	repository := oci.Repository{Registry: strings.Clone(ref.Repository.Registry), Path: strings.Clone(ref.Repository.Path)}
	e := &entry{image: Image{
		Reference: oci.Reference{Repository: repository, Digest: ref.Digest},
		MediaType: own(image.MediaType), Kind: image.Manifest.Kind, FirstSeen: now,
	}}
	e.plan = newPlan(e.image.Reference, now)
	m.insert(e, m.refused)
	return e
}

// Images calls yield with each image, in no order, until it returns false. It
// holds no lock while yield runs; images that come or go meanwhile may be left out.
func (m *Memory) Images(yield func(Image) bool) {
	for _, e := range m.entries() {
		m.mu.Lock()
		gone := e.gone
		var image Image
		if !gone {
			image = m.copyOf(e)
		}
		m.mu.Unlock()
		if !gone && !yield(image) {
			return
		}
	}
}

// Image returns one image; found is false when it is not remembered.
func (m *Memory) Image(repository oci.Repository, digest oci.Digest) (image Image, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, found := m.images[name{repository, digest}]
	if !found {
		return Image{}, false
	}
	return m.copyOf(e), true
}

// entries returns all entries of now.
func (m *Memory) entries() []*entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*entry, 0, len(m.images))
	for _, e := range m.images {
		all = append(all, e)
	}
	return all
}

// copyOf returns what callers may keep. m.mu is held.
func (m *Memory) copyOf(e *entry) Image {
	image := e.image
	image.Tags, image.Clients = slices.Clone(image.Tags), slices.Clone(image.Clients)
	image.Results = make([]Result, 0, len(e.records))
	for _, r := range e.records {
		image.Results = append(image.Results, r.view())
	}
	return image
}

// Counts is how much is remembered.
type Counts struct {
	Images int
	// Deployed are those of them that run.
	Deployed int
	// Evicted counts the images that left for want of room, ever.
	Evicted uint64
	// Violations are the open ones by policy.
	Violations map[string]int
	// Resolved are the resolved violations that are kept.
	Resolved int
}

// Counts returns how much is remembered.
func (m *Memory) Counts() Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	open := make(map[string]int, len(m.open))
	for name, n := range m.open {
		open[name] = n
	}
	return Counts{Images: len(m.images), Deployed: m.deployed.Len(), Evicted: m.evicted, Violations: open, Resolved: len(m.resolved.kept)}
}
