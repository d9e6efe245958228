package main

import (
	"strings"

	"github.com/spf13/cobra"

	"vouchsafe/internal/report"
)

// outputFlag adds -o to a command that prints data. The format is read when the
// command runs, so that a wrong one is refused before anything is asked.
func outputFlag(cmd *cobra.Command) *outputValue {
	return addOutput(cmd, report.Formats, report.ParseFormat)
}

// runFlag is outputFlag of a command that judges images.
func runFlag(cmd *cobra.Command) *outputValue {
	return addOutput(cmd, report.RunFormats, report.ParseRunFormat)
}

func addOutput(cmd *cobra.Command, names []string, parse func(string) (report.Format, error)) *outputValue {
	value := &outputValue{format: report.Table, parse: parse}
	cmd.Flags().VarP(value, "output", "o", "form of output: "+strings.Join(names, ", "))
	complete(cmd, "output", names...)
	return value
}

// outputValue is the flag's value.
type outputValue struct {
	format report.Format
	parse  func(string) (report.Format, error)
}

// Set implements pflag.Value.
func (v *outputValue) Set(s string) (err error) {
	v.format, err = v.parse(s)
	return err
}

// String implements pflag.Value.
func (v *outputValue) String() string { return v.format.String() }

// Type implements pflag.Value.
func (v *outputValue) Type() string { return "form" }
