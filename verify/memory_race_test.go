//go:build race

package verify_test

// shadow is by how much the race detector's own memory may multiply ours.
const shadow = 8
