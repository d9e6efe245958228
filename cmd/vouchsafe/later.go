package main

import (
	"github.com/spf13/pflag"

	"vouchsafe/config"
)

// What is written here is known and not built: it is refused by name, so that
// nobody believes that it was acted upon, and help does not show it. Settings are
// listed by package config.

// laterServeFlags are of `serve`.
func laterServeFlags() []string { return config.LaterFlags() }

// laterError is the refusal of what is not built.
type laterError struct{ what string }

func (e *laterError) Error() string { return e.what + ": not supported yet" }

// addLaterFlags adds flags that are refused, with a value or without.
func addLaterFlags(flags *pflag.FlagSet, names []string) {
	for _, name := range names {
		flag := flags.VarPF(laterFlag(name), name, "", "not supported yet")
		flag.Hidden = true
		// So that it is this flag that is refused, not one that lacks its value.
		flag.NoOptDefVal = "true"
	}
}

// laterFlag is the value of a flag that is refused: the flag's name.
type laterFlag string

// Set implements [pflag.Value].
func (f laterFlag) Set(string) error { return &laterError{"--" + string(f)} }

// String implements [pflag.Value].
func (f laterFlag) String() string { return "" }

// Type implements [pflag.Value].
func (f laterFlag) Type() string { return "value" }
