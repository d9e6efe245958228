package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"vouchsafe/config"
)

// Exit codes. Of several images the first that occurs of 2, 3, 1, 0 counts.
const (
	// exitOK: each image is verified by a selected integration, or allowed.
	exitOK = 0
	// exitRefused: an image is not verified, or refused.
	exitRefused = 1
	// exitUsage: the command line, the settings or the documents are wrong.
	exitUsage = 2
	// exitUnknown: it could not be found out.
	exitUnknown = 3
)

// exitError is an error with its exit code.
type exitError struct {
	code int
	// err is printed; nil means that everything has been said already.
	err error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage marks err as the caller's mistake.
func usage(err error) error { return &exitError{code: exitUsage, err: err} }

// exitCode prints err, unless it has been said, and returns its code. Mistakes in
// documents are printed as they are, for editors that read file:line:column. An error
// without a code is wrong usage or configuration: commands give a code to all
// else.
func exitCode(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	code := exitUsage
	said := false
	if e, ok := errors.AsType[*exitError](err); ok {
		code, said = e.code, e.err == nil
	} else if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		code = exitUnknown
	}
	problems, inDocuments := errors.AsType[config.Problems](err)
	switch {
	case said:
	case inDocuments:
		_, _ = fmt.Fprintf(stderr, "%v\nvouchsafe: the documents do not load: %d wrong\n", problems, problems.Mistakes())
	default:
		_, _ = fmt.Fprintf(stderr, "vouchsafe: %v\n", err)
	}
	return code
}

// worse returns the exit code of two images together: the first that occurs of
// 2, 3, 1, 0.
func worse(a, b int) int {
	for _, code := range []int{exitUsage, exitUnknown, exitRefused} {
		if a == code || b == code {
			return code
		}
	}
	return exitOK
}

// exit returns nil for exitOK, else an error that has been said already.
func exit(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}
