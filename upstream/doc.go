// Package upstream is the client of the registries behind the gateway: tokens,
// redirects, limits, retries, the referrers API with its tag fallback, and the
// one HTTP factory of the program with its guarded dialer.
//
// Trust: a registry is listed by the operator and trusted with its own
// credentials, with nothing else. Whatever it answers is untrusted: bodies have
// ceilings, redirects are followed hop by hop under our own rules with
// credentials dropped on any change of scheme, host or port, token realms must
// belong to the registry or be named in its document, and the address check
// sits in the dialer, after DNS, on every connection. A registry under an
// attacker's control can refuse, delay, or answer content whose digest we then
// find wrong; it can lead us to public hosts, without credentials, but not to
// private ones that the operator did not list, and never to link-local ones.
// Egress proxies are the operator's: their own address is not judged, and the
// target's is before they are asked for it.
//
// Credentials: a registry is asked anonymously first. A challenge is answered
// with Basic, or with a token: by GET with Basic and, where the service answers
// that with 404 or 405, by the OAuth2 form; with an identity token by the form
// alone. The scheme and the tokens are remembered, so that a warm request costs
// no 401. A refused token from memory is replaced once.
//
// Limits: a manifest has [oci.MaxManifestBytes], a list of tags 8 MiB and
// 100,000 tags, a page of referrers 4 MiB, 10 pages and 1000 entries in all, a
// token's answer 1 MiB, a header 64 KiB, a chain of redirects 5 hops. Connecting,
// the header and each wait for a byte have the registry's timeouts; everything
// but a blob ends after a minute, and a blob brings at least 1 KiB a second on
// average over each 30 s of waiting for it.
//
// Trouble: a GET or HEAD whose connection was not made, or was lost before an
// answer, or that was answered 500, 502, 503 or 504, is sent again at most twice,
// after 100 and 200 ms and up to as much again by chance, while the deadline
// leaves time. A form is sent once; what timed out, was refused here, has a wrong
// certificate or is no HTTP is not tried again. 429, and 503 with a Retry-After,
// pause that host for all callers, for 1 to 30 s: who comes meanwhile waits when
// it ends within 2 s and within his deadline, else is told [oci.CodeBusy] with
// what is left, and no request goes out. A blob that breaks off or stalls goes on
// from there by Range; its digest is over the whole, and wrong bytes are an error,
// counted and logged, never a reason to try again.
package upstream
