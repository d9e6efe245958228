package admission

import "vouchsafe/oci"

// Origins returns what finds the origin of an image as a pod names it, for whoever
// reads pods: a name below pullHost is mapped back, one that names no registry there
// is at fallback (empty means docker.io).
func Origins(pullHost, fallback string) func(image string) (oci.Reference, error) {
	names := newNaming(pullHost, fallback)
	return func(image string) (oci.Reference, error) {
		ref, _, err := names.origin(image)
		return ref, err
	}
}
