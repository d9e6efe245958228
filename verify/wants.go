package verify

import (
	"fmt"
	"strings"
)

// describe keeps to one short line: at least one signer, at most five.
func (t *trust) describe() string {
	const mostSigners, mostBytes = 5, 200
	var signers []string
	for _, key := range t.keys {
		signers = append(signers, key.Name)
	}
	for _, rule := range t.certificates {
		signers = append(signers, rule.describe())
	}
	var text strings.Builder
	for n, signer := range signers {
		if n == mostSigners || n > 0 && text.Len()+len(signer) > mostBytes {
			fmt.Fprintf(&text, " and %d more", len(signers)-n)
			break
		}
		if n > 0 {
			text.WriteString(", ")
		}
		text.WriteString(signer)
	}
	return text.String()
}

// describe is the identity, of a long one its end, and who vouches for it.
func (r *certificateRule) describe() string {
	text := ending(r.identity.String())
	if r.anyIssuer {
		return text + " from any issuer"
	}
	return text + " from " + ending(r.issuer.String())
}

// ending returns text, or from a long one what tells it from others: what
// follows the last @, else its last characters.
func ending(text string) string {
	const most, mostRef = 64, 40
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	if at := strings.LastIndexByte(text, '@'); at > 0 && len([]rune(text[at:])) <= mostRef {
		return "…" + text[at:]
	}
	return "…" + string(runes[len(runes)-mostRef:])
}
