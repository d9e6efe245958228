package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestExitCode(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		code int
		says string
	}{
		"no error is 0":                      {nil, exitOK, ""},
		"an error of no code is wrong usage": {errors.New("unknown flag"), exitUsage, "vouchsafe: unknown flag\n"},
		"what has been said is not repeated": {&exitError{code: exitRefused}, exitRefused, ""},
		"a code is found below other errors": {fmt.Errorf("x: %w", &exitError{code: exitUnknown, err: errors.New("y")}), exitUnknown, "vouchsafe: x: y\n"},
		"an interrupted question is unknown": {context.Canceled, exitUnknown, "vouchsafe: context canceled\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			if got := exitCode(&stderr, tc.err); got != tc.code || stderr.String() != tc.says {
				t.Errorf("got %d %q, want %d %q", got, stderr.String(), tc.code, tc.says)
			}
		})
	}
}

func TestWorse(t *testing.T) {
	order := []int{exitUsage, exitUnknown, exitRefused, exitOK}
	for i, a := range order {
		for j, b := range order {
			if got, want := worse(a, b), order[min(i, j)]; got != want {
				t.Errorf("worse(%d, %d) is %d, want %d", a, b, got, want)
			}
		}
	}
}
