package admission

import (
	"encoding/json"
	"strings"

	"vouchsafe/oci"
)

const (
	// originals names the annotation that keeps the images as they were written, for
	// people. Tenants may write it too, so nothing is decided by it.
	originals = "vouchsafe.dev/original-images"
	// maxOriginals bounds it, in bytes: all annotations of an object together have
	// at most 256 KiB, over which the API server refuses the object.
	maxOriginals = 64 << 10
)

// annotations is the one that is read; a nil pointer is an object without any.
type annotations struct {
	Originals *string `json:"vouchsafe.dev/original-images"`
}

// annotate returns the operation that keeps the originals of what is rewritten, by
// "list/name", and those that earlier reviews of the same object kept; false when
// there is nothing to keep.
func (n naming) annotate(o *object, rewritten map[string]string) (operation, bool) {
	all := n.kept(o)
	for id, image := range rewritten {
		all[id] = image
	}
	text, err := json.Marshal(all)
	if err != nil || len(text) > maxOriginals || len(rewritten) == 0 {
		return operation{}, false
	}
	if o.Metadata.Annotations == nil {
		return operation{"add", "/metadata/annotations", map[string]string{originals: string(text)}}, true
	}
	return operation{"add", "/metadata/annotations/" + strings.ReplaceAll(originals, "/", "~1"), string(text)}, true
}

// kept returns what the annotation says that is true as far as can be seen: the
// image that the pod has is the rewritten form of the one that is named. Whatever
// else a tenant wrote there is gone with the next rewriting.
func (n naming) kept(o *object) map[string]string {
	all := map[string]string{}
	if o.Metadata.Annotations == nil || o.Metadata.Annotations.Originals == nil || len(*o.Metadata.Annotations.Originals) > maxOriginals {
		return all
	}
	var said map[string]string
	if json.Unmarshal([]byte(*o.Metadata.Annotations.Originals), &said) != nil {
		return all
	}
	for _, u := range o.pod(inSpec).uses() {
		original, found := said[u.id()]
		if !found {
			continue
		}
		before, through, err := n.origin(original)
		if err != nil || through {
			continue
		}
		if now, is, err := n.origin(u.image); err == nil && is && now.WithDigest(oci.Digest{}) == before.WithDigest(oci.Digest{}) {
			all[u.id()] = original
		}
	}
	return all
}
