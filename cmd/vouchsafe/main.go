// Command vouchsafe is a registry gateway that lets an image through only when
// someone you trust has vouched for it.
//
// The package holds flags, wiring, signals and exit codes; it decides nothing.
// stack.go is the run-time stack, top to bottom; each other file is a command.
//
// Trust: arguments, environment and files are the operator's and trusted. Image
// names and whatever registries answer are not; they are parsed and judged in
// the packages underneath and escaped before they are printed.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}
