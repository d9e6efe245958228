package upstream

import "vouchsafe/oci"

// hubEndpoint and hubAuth are where Docker Hub really is: no registry answers
// at docker.io, and its token service is on a third host.
const (
	hubEndpoint = "registry-1.docker.io"
	hubAuth     = "auth.docker.io"
)

// Builtin returns the registries that are known without a document: docker.io,
// ghcr.io, quay.io and registry.k8s.io. Docker Hub's token host auth.docker.io
// needs no tokenHosts: the pair is built in, for that endpoint alone.
func Builtin() map[string]Spec {
	return map[string]Spec{
		oci.DockerHub:     {Endpoint: "https://" + hubEndpoint},
		"ghcr.io":         {Endpoint: "https://ghcr.io"},
		"quay.io":         {Endpoint: "https://quay.io"},
		"registry.k8s.io": {Endpoint: "https://registry.k8s.io"},
	}
}
