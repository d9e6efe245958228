package main

import (
	"strings"

	"github.com/spf13/cobra"

	"vouchsafe/internal/report"
)

// outputFlag adds -o to a command that prints data. The format is read when the
// command runs, so that a wrong one is refused before anything is asked.
func outputFlag(cmd *cobra.Command) *outputValue {
	value := &outputValue{format: report.Table}
	cmd.Flags().VarP(value, "output", "o", "form of output: "+strings.Join(report.Formats, ", "))
	return value
}

// reportFlag is outputFlag of a command that judges images.
func reportFlag(cmd *cobra.Command) *outputValue {
	value := outputFlag(cmd)
	value.reports = true
	return value
}

// outputValue is the flag's value.
type outputValue struct {
	format report.Format
	// reports is true where forms for other programs' reports will be known.
	reports bool
}

// Set implements pflag.Value.
func (v *outputValue) Set(s string) (err error) {
	if v.reports && isLaterFormat(s) {
		return &laterError{"-o " + s}
	}
	v.format, err = report.ParseFormat(s)
	return err
}

// String implements pflag.Value.
func (v *outputValue) String() string { return v.format.String() }

// Type implements pflag.Value.
func (v *outputValue) Type() string { return "form" }
