// Package kubestack pins the programs of a Kubernetes node and its control
// plane, but for etcd, which Debian has. Kubernetes is published as one module
// that replaces its parts by folders beside it, so each part is replaced here
// by what was published of the same release.
//
// "tools.sh kubernetes" builds all of them. A new version changes the number of
// k8s.io/kubernetes and, by the same step, that of all the replacements.
package kubestack
