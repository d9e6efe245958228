//go:build race

package main

// warmAllocs is the same under the race detector, which lets pools forget: 92
// were measured, and a fifth.
const warmAllocs = 110
