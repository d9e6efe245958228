// Package lab is the world of the demo and of tests: in-process registries on
// loopback, keys that sign as cosign does, in every layout that the build
// verifies, and certificate authorities and logs that vouch for them.
//
// It signs, so it may import signing code; nothing that serves a client imports
// it. Everything in it lives in memory and ends with Close.
package lab
