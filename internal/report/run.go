package report

import (
	"fmt"
	"io"
)

// Run is what a report for another program says of the run behind it.
type Run struct {
	// Command is "verify" or "check".
	Command string
	// Version is the program's.
	Version string
	// WarnFails makes a Warn a failure, as the exit code then has it; false is a
	// passed test with a remark.
	WarnFails bool
}

// Judged is data about images that were judged: [Verifications] or [Checks].
type Judged interface {
	Tabler
	// findings returns what was found out, in the order of the images.
	findings(run Run) []finding
}

// WriteRun prints data in any of [RunFormats]. The shape of SARIF is the OASIS
// standard's, version 2.1.0; that of JUnit XML is what build servers agree upon.
func WriteRun(w io.Writer, format Format, data Judged, run Run) error {
	var text string
	var err error
	switch format {
	case SARIF:
		text, err = asSARIF(data.findings(run), run)
	case JUnit:
		text, err = asJUnit(data.findings(run), run)
	default:
		return Write(w, format, data)
	}
	if err != nil {
		return fmt.Errorf("encode as %s: %w", format, err)
	}
	_, err = io.WriteString(w, text)
	return err
}

// outcome is what one finding means for the run. The zero value is invalid and
// counts as failed.
type outcome uint8

const (
	// passed: verified or allowed.
	passed outcome = iota + 1
	// warned: served, with a remark.
	warned
	// aside: not verified by this integration, but by another, which is enough.
	aside
	// failed: not verified, or refused.
	failed
	// unknown: it could not be found out.
	unknown
)

// finding is what was found out about one image by one judge. Its text is
// untrusted and not escaped yet.
type finding struct {
	image string
	// judge is an integration's name; empty when the policies judged together.
	judge   string
	outcome outcome
	// rule is the reason word; empty when passed.
	rule string
	// message is one line.
	message string
	// details are names and values that programs and people may want beside it.
	details []detail
}

type detail struct{ name, value string }

// add appends a detail unless its value is empty.
func (f *finding) add(name, value string) {
	if value != "" {
		f.details = append(f.details, detail{name, value})
	}
}
