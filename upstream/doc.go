// Package upstream is the client of the registries behind the gateway: tokens,
// redirects, limits, the referrers API with its tag fallback, and the one HTTP
// factory of the program with its guarded dialer.
//
// Trust: a registry is listed by the operator and trusted with its own
// credentials, with nothing else. Whatever it answers is untrusted: bodies have
// ceilings, redirects are followed hop by hop under our own rules with
// credentials dropped on any change of scheme, host or port, token realms must
// belong to the registry or be named in its document, and the address check
// sits in the dialer, after DNS, on every connection. A registry under an
// attacker's control can refuse, delay, or answer content whose digest we then
// find wrong; it cannot make us dial a host that the operator did not list, nor
// send a credential there.
package upstream
