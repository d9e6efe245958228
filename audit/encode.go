package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// encode returns r as one line of JSON (RFC 8259) with its newline. Every
// character that is not printable is escaped, so that a client's own text can
// neither end the line nor reach a terminal: beyond what encoding/json escapes
// these are DEL, the C1 controls, and marks that change the direction of text.
func encode(r Record) ([]byte, error) {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	// Records are no HTML; < and > stay readable.
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("encode audit record %s: %w", r.ID, err)
	}
	return escape(line.Bytes()), nil
}

// escape replaces what is not printable in a line of JSON, where it can only
// stand inside strings; the newline at the end stays.
func escape(line []byte) []byte {
	body := line[:len(line)-1]
	clean := 0
	for clean < len(body) && body[clean] >= ' ' && body[clean] <= '~' {
		clean++
	}
	if clean == len(body) {
		return line
	}
	out := append(make([]byte, 0, len(line)+64), body[:clean]...)
	for rest := body[clean:]; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case unicode.IsPrint(r):
			out = append(out, rest[:size]...)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		rest = rest[size:]
	}
	return append(out, '\n')
}
