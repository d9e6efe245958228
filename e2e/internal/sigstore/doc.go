// Package sigstore runs a whole Sigstore on loopback: Fulcio with a certificate
// transparency log, Rekor in both versions, a timestamp authority, and an issuer
// of identity tokens. The servers are the real ones; what is written here makes
// their keys and their configuration, and asks cosign to sign through them.
package sigstore
