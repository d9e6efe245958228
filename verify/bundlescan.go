package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// maxBundleDepth is how deep a bundle may nest; a true one has 9 levels.
	maxBundleDepth = 32
	// maxBundleValues bounds what a parser makes of a bundle: 1 MiB of "{},"
	// would become a hundred times its size. 32 log entries with their proofs
	// have about 3,000 values.
	maxBundleValues = 16384
)

// listLimits are the lists of a bundle that have a cap, by the two spellings
// that the JSON of protocol buffers allows.
var listLimits = map[string]int{
	"tlogEntries": MaxLogEntries, "tlog_entries": MaxLogEntries,
	"rfc3161Timestamps": MaxTimestamps, "rfc3161_timestamps": MaxTimestamps,
}

var (
	errNotJSON = errors.New("the bundle is not JSON")
	errTooDeep = fmt.Errorf("the bundle nests deeper than %d", maxBundleDepth)
)

// limitError is a cap that a bundle goes beyond.
type limitError struct {
	list string
	most int
}

func (e *limitError) Error() string {
	return fmt.Sprintf("the bundle has more than %d %s", e.most, e.list)
}

// scanBundle looks at a bundle's shape, token by token, before a parser builds
// anything of it.
func scanBundle(data []byte) (bad finding, ok bool) {
	if len(data) > MaxSignatureBytes {
		return finding{status: Untrusted, reason: OverLimit, message: fmt.Sprintf("the bundle is larger than %d bytes", MaxSignatureBytes)}, false
	}
	err := scanShape(data)
	if err == nil {
		return finding{}, true
	}
	return shapeFinding(err), false
}

// shapeFinding is what a shape that is not read makes of a signature.
func shapeFinding(err error) finding {
	if _, over := errors.AsType[*limitError](err); over {
		return finding{status: Untrusted, reason: OverLimit, message: err.Error()}
	}
	return malformed("%s", err)
}

// level is one open object or array.
type level struct {
	object bool
	// name is the key under which an array stands.
	name    string
	entries int
}

func scanShape(data []byte) error {
	if begin := bytes.TrimLeft(data, " \t\r\n"); len(begin) == 0 || begin[0] != '{' {
		return errNotJSON
	}
	tokens := json.NewDecoder(bytes.NewReader(data))
	tokens.UseNumber()
	open := make([]level, 0, maxBundleDepth)
	values, key := 0, ""
	for {
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return nil
		}
		if err != nil || len(open) == 0 && values > 0 {
			return errNotJSON
		}
		if delim, is := token.(json.Delim); is && (delim == '}' || delim == ']') {
			open, key = open[:len(open)-1], ""
			continue
		}
		if text, is := token.(string); is && key == "" && len(open) > 0 && open[len(open)-1].object {
			key = text
			if key == "" {
				return errNotJSON
			}
			continue
		}
		if values++; values > maxBundleValues {
			return &limitError{list: "values", most: maxBundleValues}
		}
		if err := countEntry(open); err != nil {
			return err
		}
		if delim, is := token.(json.Delim); is {
			if len(open) == maxBundleDepth {
				return errTooDeep
			}
			open = append(open, level{object: delim == '{', name: key})
		}
		key = ""
	}
}

// countEntry counts one more value in the innermost array.
func countEntry(open []level) error {
	if len(open) == 0 {
		return nil
	}
	top := &open[len(open)-1]
	if top.object {
		return nil
	}
	top.entries++
	if most, limited := listLimits[top.name]; limited && top.entries > most {
		return &limitError{list: top.name, most: most}
	}
	return nil
}

// scanStatement tells an in-toto statement that is a signature from one that
// attests something else, whoever signed it. It answers false with a finding
// for whatever is no signature.
func scanStatement(payloadType string, payload []byte) (finding, bool) {
	if payloadType != intotoPayload {
		return finding{status: Untrusted, reason: Unsupported, message: fmt.Sprintf("the envelope holds %.60q, not an in-toto statement", payloadType)}, false
	}
	var statement struct {
		Type      string `json:"_type"` //nolint:tagliatelle // the name in the in-toto specification
		Predicate string `json:"predicateType"`
	}
	if err := json.Unmarshal(payload, &statement); err != nil {
		return malformed("the statement is not JSON"), false
	}
	switch {
	case statement.Predicate == "":
		return malformed("the statement has no predicate type"), false
	case statement.Predicate != signPredicate:
		return finding{status: Unsigned, message: fmt.Sprintf("an attestation (%.100q), not a signature", statement.Predicate)}, false
	case statement.Type != statementV1:
		return finding{status: Untrusted, reason: Unsupported, message: fmt.Sprintf("a statement of type %.60q", statement.Type)}, false
	}
	// It is parsed whole once a signature over it verifies, which any certificate
	// of one's own does.
	if err := scanShape(payload); err != nil {
		return shapeFinding(err), false
	}
	return finding{}, true
}
