package content

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"vouchsafe/oci"
)

// TestMemoryOfATag measures what DefaultTags cost.
func TestMemoryOfATag(t *testing.T) {
	const tags, most = 20_000, 512
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	s := newTagStore(tags)
	for i := range tags {
		repository := oci.Repository{Registry: "registry.acme.com", Path: fmt.Sprintf("team-%d/service-%d", i%40, i%900)}
		s.put(label{repository, fmt.Sprint("v1.2.", i)}, resolution{digest: oci.SHA256(fmt.Append(nil, i)), at: time.Now()})
	}
	each := (heap() - before) / tags
	t.Logf("%d bytes a tag", each)
	if each > most {
		t.Errorf("%d bytes a tag, want at most %d", each, most)
	}
	runtime.KeepAlive(s)
}
