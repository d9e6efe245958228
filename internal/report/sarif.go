package report

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

const sarifSchema = "https://json.schemastore.org/sarif-2.1.0.json"

// The part of SARIF 2.1.0 that is written, under the standard's names.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool              sarifTool         `json:"tool"`
		Invocations       []sarifInvocation `json:"invocations"`
		AutomationDetails sarifAutomation   `json:"automationDetails"`
		Results           []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool `json:"executionSuccessful"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifRule struct {
		ID                   string             `json:"id"`
		ShortDescription     sarifText          `json:"shortDescription"`
		FullDescription      sarifText          `json:"fullDescription"`
		Help                 sarifText          `json:"help"`
		DefaultConfiguration sarifConfiguration `json:"defaultConfiguration"`
		Properties           sarifRuleTags      `json:"properties"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifConfiguration struct {
		Level string `json:"level"`
	}
	sarifRuleTags struct {
		Tags []string `json:"tags"`
	}
	sarifResult struct {
		RuleID              string            `json:"ruleId"`
		RuleIndex           int               `json:"ruleIndex"`
		Level               string            `json:"level"`
		Message             sarifText         `json:"message"`
		Locations           []sarifLocation   `json:"locations"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
		Properties          map[string]string `json:"properties,omitempty"`
	}
	sarifLocation struct {
		PhysicalLocation sarifPhysical  `json:"physicalLocation"`
		LogicalLocations []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
	}
)

// asSARIF prints one run with a result for each finding that is not passed:
// code hosts show every result as an alert, whatever its kind.
func asSARIF(found []finding, run Run) (string, error) {
	rules := sarifRules(found)
	out := sarifRun{
		Tool:              sarifTool{sarifDriver{Name: "vouchsafe", Version: run.Version, Rules: rules}},
		Invocations:       []sarifInvocation{{ExecutionSuccessful: true}},
		AutomationDetails: sarifAutomation{ID: "vouchsafe/" + run.Command + "/"},
		Results:           []sarifResult{},
	}
	for _, f := range found {
		if f.outcome == unknown {
			out.Invocations[0].ExecutionSuccessful = false
		}
		if f.outcome != passed {
			at := slices.IndexFunc(rules, func(r sarifRule) bool { return r.ID == f.rule })
			out.Results = append(out.Results, f.sarif(at, run))
		}
	}
	return asJSON(sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{out}})
}

// sarif is the result of one finding. GitHub takes an alert for the same one by
// primaryLocationLineHash alone, so that holds nothing that changes from run to
// run: no digest behind a tag, no decision.
func (f finding) sarif(rule int, run Run) sarifResult {
	sum := sha256.Sum256([]byte(strings.Join([]string{run.Command, f.image, f.judge, f.rule}, "\x00")))
	properties := map[string]string{}
	for _, d := range f.details {
		properties[d.name] = Escape(d.value)
	}
	if f.judge != "" {
		properties["integration"] = Escape(f.judge)
	}
	return sarifResult{
		RuleID: f.rule, RuleIndex: rule, Level: f.level(), Message: sarifText{f.text()},
		Locations: []sarifLocation{{
			PhysicalLocation: sarifPhysical{ArtifactLocation: sarifArtifact{artifactURI(f.image)}, Region: sarifRegion{1}},
			LogicalLocations: []sarifLogical{{Escape(f.image)}},
		}},
		PartialFingerprints: map[string]string{"primaryLocationLineHash": hex.EncodeToString(sum[:16]) + ":1"},
		Properties:          properties,
	}
}

func (f finding) level() string {
	switch f.outcome {
	case warned, unknown:
		return "warning"
	case passed, aside:
		return "note"
	case failed:
	}
	return "error"
}

// text is the message, with the image before it where the message does not name
// it. Brackets would make a link of a signer's name (SARIF 2.1.0, 3.11.6,
// "Messages with embedded links").
func (f finding) text() string {
	message := f.message
	if repository, _, _ := strings.Cut(f.image, "@"); !strings.HasPrefix(message, repository) && f.judge != "" {
		message = f.image + ": " + message
	}
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(Escape(message))
}

// artifactURI is the image as a relative reference without a colon: GitHub
// refuses a whole file for one URI that has a scheme, and reads a registry's
// name before a port as one.
func artifactURI(image string) string {
	var b strings.Builder
	for _, c := range []byte(image) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~/@", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	return b.String()
}

// sarifRules describes the rules that found names, each once, by name.
func sarifRules(found []finding) []sarifRule {
	rules := []sarifRule{}
	for _, f := range found {
		if f.outcome == passed || slices.ContainsFunc(rules, func(r sarifRule) bool { return r.ID == f.rule }) {
			continue
		}
		about := ruleText(f.rule)
		rules = append(rules, sarifRule{
			ID: f.rule, ShortDescription: sarifText{about.what}, FullDescription: sarifText{about.what}, Help: sarifText{about.help},
			DefaultConfiguration: sarifConfiguration{about.level()},
			Properties:           sarifRuleTags{Tags: []string{"security", "supply-chain"}},
		})
	}
	slices.SortFunc(rules, func(a, b sarifRule) int { return strings.Compare(a.ID, b.ID) })
	return rules
}
