//go:build !race

package verify_test

const shadow = 1
