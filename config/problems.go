package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Problem is one mistake or remark in a document.
type Problem struct {
	// File is relative to the configuration folder; empty when the problem is in
	// no file, such as one between documents and settings.
	File string
	// Line and Column count from 1, in characters; 0 means the whole file.
	Line, Column int
	// Path is the field, may be empty.
	Path    string
	Message string
	Hint    string
	Warning bool
	// Source is the line in question, already stripped of anything secret. It is
	// empty where nothing of the line may be shown.
	Source string
}

// String prints the problem as [Problems.Error] does, without a newline at the
// end.
func (p Problem) String() string {
	var b strings.Builder
	p.write(&b)
	return strings.TrimSuffix(b.String(), "\n")
}

// sourceIndent is what stands before a source line and its caret.
const sourceIndent = "    "

func (p Problem) write(b *strings.Builder) {
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			b.WriteString(":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column))
		}
		b.WriteString(": ")
	}
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	b.WriteByte('\n')
	if p.Source == "" {
		return
	}
	b.WriteString(sourceIndent + p.Source + "\n")
	if lead, ok := caretLead(p.Source, p.Column); ok {
		b.WriteString(sourceIndent + lead + "^\n")
	}
}

// caretLead returns the blanks before a caret under column. Tabs stay tabs, so
// that the caret stands right at any width of a tab.
func caretLead(source string, column int) (string, bool) {
	if column < 1 {
		return "", false
	}
	var lead strings.Builder
	at := 1
	for _, r := range source {
		if at == column {
			return lead.String(), true
		}
		if r == '\t' {
			lead.WriteByte('\t')
		} else {
			lead.WriteByte(' ')
		}
		at++
	}
	return lead.String(), at == column
}

// Problems is an error that holds every mistake of a folder, and the remarks
// beside them, in the order of files and lines.
type Problems []Problem //nolint:errname // a list first: most of its uses are no errors

// Error prints each problem as "file:line:column: path: message (hint)" with the
// line and a caret under it.
func (p Problems) Error() string {
	var b strings.Builder
	for _, problem := range p {
		problem.write(&b)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Mistakes returns how many of the problems keep the documents from loading.
func (p Problems) Mistakes() int {
	n := 0
	for _, problem := range p {
		if !problem.Warning {
			n++
		}
	}
	return n
}

// sorted puts problems in the order in which a person reads the files.
func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(p)
}
