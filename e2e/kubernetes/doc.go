// Package kubernetes tests the admission webhook against a real API server,
// in the words that kubectl prints, and a whole node that pulls through the
// gateway: etcd, the programs of Kubernetes, containerd and runc, and the
// product's own binary and image.
package kubernetes
