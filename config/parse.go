package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits on documents. The folder is trusted; they keep a wrong mount or a
// generated file from stopping the process.
const (
	// MaxFileBytes is the most that a document's file, or a file that a document
	// names, may have.
	MaxFileBytes = 1 << 20
	// MaxTotalBytes is the most that all documents' files may have together.
	MaxTotalBytes = 16 << 20
	// MaxDocuments is the most documents of a folder.
	MaxDocuments = 10_000
	// MaxDepth is how deep values may nest.
	MaxDepth = 16
	// MaxKeys is the most keys of one document. The YAML library needs time that
	// grows with the square of it.
	MaxKeys = 4096
)

// chunk is the text of one document of a file.
type chunk struct {
	// first is the line number of its first line, from 1.
	first int
	text  string
	// opened is true when a "---" stands before it.
	opened bool
}

// split cuts the lines of a file at its document markers, so that a mistake in
// one document hides none in the next (YAML 1.2.2, section 9.1: "---" at the
// start of a line begins a document wherever it stands).
func split(lines []string) []chunk {
	var chunks []chunk
	begin, opened := 0, false
	for i := 0; i <= len(lines); i++ {
		marker := i < len(lines) && isMarker(lines[i])
		if !marker && i < len(lines) {
			continue
		}
		if i > begin || opened {
			chunks = append(chunks, chunk{first: begin + 1, text: strings.Join(lines[begin:i], "\n") + "\n", opened: opened})
		}
		begin, opened = i, marker
	}
	return chunks
}

func isMarker(line string) bool {
	rest, found := strings.CutPrefix(line, "---")
	return found && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

// parseChunk reads one document. A nil node without an error is a document
// without content. Lines of nodes and errors count from the file's start.
func parseChunk(c chunk) (root *node, err error) {
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, &syntaxError{line: c.first, column: 1, message: "cannot be read as YAML"}
		}
	}()
	tokens := lexer.Tokenize(c.text)
	for _, t := range tokens {
		if t.Position != nil {
			t.Position.Line += c.first - 1
		}
	}
	if err := checkTokens(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, readable(err, c)
	}
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		if root != nil {
			return nil, misplaced(d.Body.GetToken(), `a second document without "---" before it`)
		}
		if root, err = newNode(d.Body); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// readable turns the library's error into ours; its own text would quote the
// file.
func readable(err error, c chunk) error {
	if syntax, ok := errors.AsType[*syntaxError](err); ok {
		return syntax
	}
	if e, ok := errors.AsType[yaml.Error](err); ok {
		return misplaced(e.GetToken(), "not YAML: "+firstWords(e.GetMessage()))
	}
	return &syntaxError{line: c.first, column: 1, message: "cannot be read as YAML"}
}

// firstWords cuts what a library says before anything that it quotes.
func firstWords(message string) string {
	if strings.ContainsRune(message, '\t') || strings.HasPrefix(message, "tab character") {
		return "a tab where only blanks may stand"
	}
	message, _, _ = strings.Cut(message, "\n")
	if at := strings.IndexAny(message, "`\""); at > 0 {
		message = strings.TrimRight(message[:at], " :,")
	}
	return message
}

// checkTokens refuses, before anything recursive runs, what could nest without
// end, grow when it is expanded, or hide a key: aliases, anchors, merge keys,
// tags, directives and keys that are no plain text.
func checkTokens(tokens token.Tokens) error {
	flow, dashes, dashLine, keys := 0, 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return misplaced(t, "anchors, aliases and merge keys are not read; write the value out")
		case token.TagType:
			return misplaced(t, "tags are not read; remove the word that begins with \"!\", or put the text in quotes")
		case token.DirectiveType:
			return misplaced(t, "directives are not read; remove the line that begins with \"%\"")
		case token.MappingKeyType:
			return misplaced(t, "keys that begin with \"?\" are not read")
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow = max(flow-1, 0)
		case token.SequenceEntryType:
			if t.Position.Line != dashLine {
				dashes, dashLine = 0, t.Position.Line
			}
			dashes++
		case token.MappingValueType:
			keys++
		case token.InvalidType:
			if t.Error != "" {
				return misplaced(t, "not YAML: "+firstWords(t.Error))
			}
		default:
		}
		if flow+dashes > MaxDepth || t.Position != nil && t.Position.IndentLevel > MaxDepth {
			return misplaced(t, fmt.Sprintf("values nest more than %d deep", MaxDepth))
		}
		if keys > MaxKeys {
			return misplaced(t, fmt.Sprintf("the document has more than %d keys", MaxKeys))
		}
	}
	return nil
}
