// Package report prints what was found out about images, for people as tables,
// for programs as JSON or YAML, for code hosts as SARIF and for build servers as
// JUnit XML.
//
// The JSON and YAML shapes are a contract (docs and tests hold them): fields are
// added, never renamed. Tables are for eyes and may change.
//
// Trust: names, signers and messages may hold text that an attacker chose. Every
// form escapes what a terminal could obey: control characters, escape sequences,
// marks that turn the direction of writing. Nothing is decided here.
package report
