// Package faults drives the real gateway through every fault that a registry, a
// client, an operator or the machine can bring about, and judges what was
// recorded by package history.
//
// A cell is one fault under one combination of {cold, warm} × {tag, digest,
// child of an index, blob} × {inform, enforce}. It has a registry of its own,
// which misbehaves on a script, and its own images: one that a trusted key
// signed, one that nobody signed, an index of each kind. One command replays it:
//
//	go test ./faults -run 'TestFaults/F7-reset-with-ranges/cold/tag/enforce' -seed 42
//
// TestBrokenBuilds shows that the suite can see: patches that take one promise
// out of the product each, applied to a copy at build time, have to be caught.
package faults
