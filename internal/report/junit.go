package report

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The part of JUnit XML that build servers agree upon.
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		Name    string   `xml:"name,attr"`
		junitCounts
		Suites []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name string `xml:"name,attr"`
		junitCounts
		Skipped    int             `xml:"skipped,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitCounts struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
	}
	junitCase struct {
		ClassName string      `xml:"classname,attr"`
		Name      string      `xml:"name,attr"`
		Failure   *junitFault `xml:"failure"`
		Error     *junitFault `xml:"error"`
		Skipped   *junitFault `xml:"skipped"`
		SystemOut string      `xml:"system-out,omitempty"`
	}
	junitFault struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
)

// asJUnit prints one suite with a case for each finding: failure for what is not
// verified or refused, error for what could not be found out, skipped for an
// integration that need not verify since another did.
func asJUnit(found []finding, run Run) (string, error) {
	name := "vouchsafe " + run.Command
	suite := junitSuite{Name: name, Properties: []junitProperty{{"version", Escape(run.Version)}}}
	for _, f := range found {
		suite.add(f, run)
	}
	body, err := xml.MarshalIndent(junitSuites{Name: name, junitCounts: suite.junitCounts, Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return "", err
	}
	return xml.Header + string(body) + "\n", nil
}

// add appends the case of one finding. Every text goes through [Escape]: what is
// left of it prints, so is legal in XML 1.0, which has no way to write the rest.
func (s *junitSuite) add(f finding, run Run) {
	c := junitCase{ClassName: "vouchsafe." + run.Command, Name: Escape(f.image)}
	if f.judge != "" {
		c.ClassName += "." + Escape(f.judge)
	}
	fault := &junitFault{Message: Escape(f.message), Type: Escape(f.rule)}
	s.Tests++
	switch f.outcome {
	case passed, warned:
	case aside:
		s.Skipped++
		c.Skipped = &junitFault{Message: "another integration verified the image; " + fault.Message}
	case unknown:
		s.Errors++
		c.Error = fault
	default:
		s.Failures++
		c.Failure = fault
	}
	var out strings.Builder
	if f.outcome == passed || f.outcome == warned {
		fmt.Fprintln(&out, Escape(f.message))
	}
	for _, d := range f.details {
		fmt.Fprintf(&out, "%s: %s\n", d.name, Escape(d.value))
	}
	if text := out.String(); c.Failure == nil && c.Error == nil {
		c.SystemOut = text
	} else {
		fault.Text = "\n" + text
	}
	s.Cases = append(s.Cases, c)
}
