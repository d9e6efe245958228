// Package sigstack pins the servers that make up a Sigstore, as tools of a
// module of their own. Two folders hold small programs around parts of it that
// come with none that a test can use: trillian, in memory, and tsa, without a
// fixed port.
//
// "tools.sh sigstore" builds all of them. Versions change with "go get -tool
// PACKAGE@VERSION" and not with "go mod tidy", which also wants what the tests
// of all dependencies import.
package sigstack
