// Package corpus pulls generated hostile content through the real gateway:
// manifests, indexes, signature manifests, bundles and answers about referrers.
//
// Each document is served once with a good signature, so that the reader of
// manifests alone decides, and once without, so that nothing may be served. What
// is served is then read by the parsers of containerd and of containers/image:
// under whatever type, all that can read it have to see the same kind and the
// same digests. The documents are the same in every run; only the signing key is
// new, so what is signed by it is not.
//
// One row alone: go test ./corpus -run 'TestCorpus/rows/<family>/<name>'.
package corpus
