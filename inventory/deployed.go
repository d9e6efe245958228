package inventory

import (
	"slices"
	"time"

	"vouchsafe/oci"
)

// deployedPart is the part of the memory that deployed images may have: whoever
// may run pods must not drive out everything else.
const deployedPart = 2

// Deployed takes in which images run, each with its digest and, where it is known,
// the tag by which it was asked for; the images that ran before and are not among
// them run no more. A deployed image leaves the memory for no other. One that was
// never served here is remembered from now on, and judged as soon as there is a
// turn. More than half of the memory is not marked: dropped says how many were
// not.
func (m *Memory) Deployed(images []oci.Reference) (dropped int) {
	now := m.cfg.Now()
	running := make(map[name][]string, len(images))
	for _, ref := range images {
		if ref.Digest.IsZero() {
			continue
		}
		at := name{ref.Repository, ref.Digest}
		tags := running[at]
		if ref.Tag != "" && len(tags) < MaxTags && !slices.Contains(tags, ref.Tag) {
			tags = append(tags, ref.Tag)
		}
		running[at] = tags
	}
	for _, e := range m.deployedEntries() {
		if _, runs := running[name{e.image.Reference.Repository, e.image.Reference.Digest}]; !runs {
			m.undeploy(e)
		}
	}
	for at, tags := range running {
		m.mu.Lock()
		if !m.deploy(at, tags, now) {
			dropped++
		}
		m.mu.Unlock()
	}
	return dropped
}

// deployedEntries returns those that are marked.
func (m *Memory) deployedEntries() []*entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*entry, 0, m.deployed.Len())
	for at := m.deployed.Front(); at != nil; at = at.Next() {
		if e, ok := at.Value.(*entry); ok {
			all = append(all, e)
		}
	}
	return all
}

// deploy marks one image. m.mu is held.
func (m *Memory) deploy(at name, tags []string, now time.Time) bool {
	e := m.images[at]
	if e == nil || e.list != m.deployed {
		if m.deployed.Len() >= m.cfg.Images/deployedPart {
			return false
		}
	}
	if e == nil {
		e = m.add(oci.Image{Reference: oci.Reference{Repository: at.repository, Digest: at.digest}}, now)
		e.image.LastSeen = now
		m.schedule.hurry(e, now, time.Time{})
	}
	for _, tag := range tags {
		e.image.Tags = latest(e.image.Tags, bound(tag, maxText), MaxTags, own)
	}
	if e.list != m.deployed {
		e.image.Deployed = true
		m.shift(e, m.deployed)
		m.trim()
	}
	return true
}

// undeploy takes the mark away.
func (m *Memory) undeploy(e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.gone || e.list != m.deployed {
		return
	}
	e.image.Deployed = false
	to := m.refused
	if e.served {
		to = m.settled
	}
	m.shift(e, to)
	m.trim()
}
