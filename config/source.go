package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// sourceFile is the text of one file, for messages.
type sourceFile struct {
	// name is relative to the configuration folder, with slashes.
	name string
	// folder is where file references of its documents start.
	folder string
	lines  []string
	// private marks the lines, from 0, that are part of a private key. It is nil
	// until the first problem.
	private []bool
}

// hidden stands for what is not shown.
const hidden = "…"

// maxSourceRunes bounds a line in a message.
const maxSourceRunes = 160

var (
	secretWord = regexp.MustCompile(`(?i)[\w-]*(?:passw|secret|token|credential|private|apikey|auth)[\w-]*["']?\s*[:=]\s*`)
	longText   = regexp.MustCompile(`[A-Za-z0-9+/=]{40,}`)
	userInfo   = regexp.MustCompile(`://[^/\s"']*@`)
	onlyBase64 = regexp.MustCompile(`^[\s\-"']*[A-Za-z0-9+/=]{24,}["']?\s*$`)
)

// secretLike are keys of the documents that look like a secret's name but hold
// a file's name or a host.
var secretLike = []string{"credentials", "passwordFile", "tokenHosts"}

// line returns line n, from 1, as far as it may be shown. An attacker reads
// logs: whatever could be a key or password that was pasted into the wrong place
// stays out, at the price of showing less than a person might want.
func (s *sourceFile) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	if s.private == nil {
		s.private = privateLines(s.lines)
	}
	text := s.lines[n-1]
	if s.private[n-1] {
		before, _, begins := strings.Cut(text, "-----BEGIN")
		if !begins || strings.TrimSpace(before) == "" {
			return ""
		}
		return cutLine(before + hidden)
	}
	if onlyBase64.MatchString(text) {
		return ""
	}
	text = userInfo.ReplaceAllString(text, "://"+hidden+"@")
	text = longText.ReplaceAllStringFunc(text, func(word string) string {
		if strings.ContainsFunc(word, isUpper) && strings.ContainsFunc(word, isDigit) {
			return hidden
		}
		return word
	})
	for _, at := range secretWord.FindAllStringIndex(text, -1) {
		key := strings.TrimRight(text[at[0]:at[1]], ":= \t\"'")
		if !slices.Contains(secretLike, key) && strings.TrimSpace(text[at[1]:]) != "" {
			text = text[:at[1]] + hidden
			break
		}
	}
	return cutLine(text)
}

// keyOnly returns line n up to the colon of the key at column.
func (s *sourceFile) keyOnly(n, column int) string {
	text := s.line(n)
	runes := []rune(text)
	if column < 1 || column > len(runes) {
		return text
	}
	head, tail := string(runes[:column-1]), string(runes[column-1:])
	key, value, found := strings.Cut(tail, ":")
	if !found || strings.TrimSpace(value) == "" {
		return text
	}
	return cutLine(head + key + ": " + hidden)
}

// privateLines marks the lines from a private key's first to its last.
func privateLines(lines []string) []bool {
	marks := make([]bool, len(lines))
	inside := false
	for i, text := range lines {
		if strings.Contains(text, "PRIVATE KEY") {
			marks[i] = true
			inside = strings.Contains(text, "BEGIN") && !strings.Contains(text, "-----END")
			continue
		}
		marks[i] = inside
	}
	return marks
}

func cutLine(text string) string {
	text = strings.TrimRight(text, " \t\r")
	text = strings.Map(func(r rune) rune {
		// A control character could rewrite the terminal on which this is read.
		if r != '\t' && (r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, text)
	if utf8.RuneCountInString(text) <= maxSourceRunes {
		return text
	}
	return string([]rune(text)[:maxSourceRunes]) + hidden
}

func isUpper(r rune) bool { return r >= 'A' && r <= 'Z' }

func isDigit(r rune) bool { return r >= '0' && r <= '9' }
