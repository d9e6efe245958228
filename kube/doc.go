// Package kube is the gateway's side of Kubernetes: the certificates of the
// webhook's listener and the CA bundle in its configurations ([Authority]), the
// watch on pods that says which images run ([Pods]), and the Events that tell
// why a pull was refused ([Refusals]).
//
// It decides nothing. Whatever fails here is shown and tried again; no pull and
// no review waits for it, and none is answered otherwise because of it.
//
// Trust: the API server is the operator's. What it hands on is not: names and
// image names of pods are text of tenants, and what a node reports is that
// node's word. An attacker who may make pods adds images to what is verified
// again, at most as many as the inventory has room for, and Events on pods of his
// own. Whoever can read or write the Secret of the certificates can pose as the
// webhook to the API server, so that RBAC names that one Secret. Whoever can
// write a webhook configuration needs none of this.
package kube
