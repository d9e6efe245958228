package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds on the shape of a mirror's metadata. The library parses all of a file
// before it looks at a signature, so these hold for what nobody signed.
const (
	// maxMirrorValues bounds what parsing makes of a file: 1 MiB of "{}," would
	// become a hundred times its size. True ones have hundreds.
	maxMirrorValues = 32 << 10
	// maxMirrorDepth is how deep a file may nest; a true one has 6 levels.
	maxMirrorDepth = 32
	// maxMirrorSignatures bounds the signatures of a file, each of which the
	// library compares with all the others.
	maxMirrorSignatures = 64
)

// errMirrorJSON quotes nothing of what the mirror said.
var (
	errMirrorJSON       = errors.New("not a JSON object")
	errMirrorValues     = fmt.Errorf("it has more than %d values", maxMirrorValues)
	errMirrorDepth      = fmt.Errorf("it nests deeper than %d", maxMirrorDepth)
	errMirrorSignatures = fmt.Errorf("it has more than %d signatures", maxMirrorSignatures)
)

// mirrorShape counts what a file of metadata holds.
type mirrorShape struct {
	open []level
	// key is the name that the next value has.
	key           string
	keyed, begun  bool
	values, signs int
}

// scanMetadata looks at the shape of metadata, token by token, before a parser
// builds anything of it. The error is one of those above.
func scanMetadata(text []byte) error {
	if begin := bytes.TrimLeft(text, " \t\r\n"); len(begin) == 0 || begin[0] != '{' {
		return errMirrorJSON
	}
	tokens := json.NewDecoder(bytes.NewReader(text))
	tokens.UseNumber()
	shape := mirrorShape{open: make([]level, 0, maxMirrorDepth)}
	for {
		token, err := tokens.Token()
		switch {
		case errors.Is(err, io.EOF) && shape.begun && len(shape.open) == 0:
			return nil
		case err != nil || shape.begun && len(shape.open) == 0:
			return errMirrorJSON
		}
		if err := shape.add(token); err != nil {
			return err
		}
	}
}

// add counts one token of JSON whose grammar is right.
func (s *mirrorShape) add(token json.Token) error {
	delim, isDelim := token.(json.Delim)
	if isDelim && (delim == '}' || delim == ']') {
		s.open = s.open[:len(s.open)-1]
		return nil
	}
	inside := len(s.open) > 0
	if name, is := token.(string); is && inside && s.open[len(s.open)-1].object && !s.keyed {
		s.key, s.keyed = name, true
		return nil
	}
	if s.values++; s.values > maxMirrorValues {
		return errMirrorValues
	}
	// Duplicates of the list count together, and the parser takes any case.
	if len(s.open) == 2 && !s.open[1].object && strings.EqualFold(s.open[1].name, "signatures") {
		if s.signs++; s.signs > maxMirrorSignatures {
			return errMirrorSignatures
		}
	}
	if isDelim {
		if len(s.open) == maxMirrorDepth {
			return errMirrorDepth
		}
		s.open = append(s.open, level{object: delim == '{', name: s.key})
	}
	s.key, s.keyed, s.begun = "", false, true
	return nil
}
