// Package ssrf drives the real gateway through hostile names, redirects, token
// realms, links, addresses and name servers, and looks who was called.
//
// The tests run as root in namespaces of their own: in the network namespace
// every address there is belongs to this process, so that a connection to a
// metadata service, a private network or a public host arrives at a canary,
// whatever the spelling of the address; in the mount namespace the resolver is
// a server of this process that answers as an attacker's does. Each row has a
// registry with a password of its own. A connection to an address that is not
// public is a hit, and a password, token or cookie that arrives anywhere but at
// the registry that it is for is a leak; both have to be zero, in every row.
//
// One row alone: go test ./ssrf -run 'TestSSRF/<row>'.
package ssrf
