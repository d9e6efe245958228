package policy

import "strings"

// nearest returns a name that exists and from which name differs by one slip:
// letter case, "_" for "-", a character too many, missing or wrong, or two
// changed about. It asks for each such name, since names can only be looked up.
// Empty means that there is none.
func nearest(name string, exists func(string) bool) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-."
	if len(name) > 253 {
		return ""
	}
	plain := strings.ToLower(strings.NewReplacer("_", "-", " ", "-").Replace(strings.TrimSpace(name)))
	if exists(plain) {
		return plain
	}
	for i := range len(plain) + 1 {
		before, after := plain[:i], plain[i:]
		for _, c := range alphabet {
			if try := before + string(c) + after; exists(try) {
				return try
			}
			if after != "" && exists(before+string(c)+after[1:]) {
				return before + string(c) + after[1:]
			}
		}
		if after != "" && exists(before+after[1:]) {
			return before + after[1:]
		}
		if len(after) > 1 {
			if try := before + after[1:2] + after[:1] + after[2:]; exists(try) {
				return try
			}
		}
	}
	return ""
}
