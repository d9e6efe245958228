package verify

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// maxKeyName bounds a key's name, which every message repeats.
const maxKeyName = 128

// publicKeys parses spec.publicKeys.
func (c *composer) publicKeys() []*trustedKey {
	var keys []*trustedKey
	names, prints := map[string]int{}, map[string]int{}
	for i, k := range c.spec.PublicKeys {
		path := item("spec.publicKeys", i)
		if problem := checkKeyName(k.Name); problem != "" {
			c.mistake(path+".name", problem, "")
		} else if first, taken := names[k.Name]; taken {
			c.mistake(path+".name", fmt.Sprintf("the name %q is taken by publicKeys[%d]", k.Name, first), "")
		} else {
			names[k.Name] = i
		}
		within := c.window(path, k)
		parsed, problem := parsePublicKey(k.Key)
		if !c.adopt(path+".key", problem) {
			continue
		}
		key, err := newTrustedKey(k.Name, parsed)
		if err != nil {
			c.mistake(path+".key", fmt.Sprintf("not usable: %v", err), "")
			continue
		}
		if first, taken := prints[key.Fingerprint]; taken {
			c.warn(path+".key", fmt.Sprintf("the same key as publicKeys[%d]", first), "")
		} else {
			prints[key.Fingerprint] = i
		}
		key.window = within
		keys = append(keys, key)
	}
	return keys
}

// window parses when a key may have signed.
func (c *composer) window(path string, k PublicKeySpec) window {
	w := window{notBefore: c.instant(path+".notBefore", k.NotBefore), notAfter: c.instant(path+".notAfter", k.NotAfter)}
	switch {
	case w.notAfter.IsZero():
	case !w.notAfter.After(w.notBefore):
		c.mistake(path+".notAfter", "is not after notBefore: no time is in the window", "")
	case w.notAfter.Before(c.now):
		c.warn(path+".notAfter", "is past: only signatures that prove when they were made count", "")
	}
	return w
}

// instant parses a time; "" is the zero time.
func (c *composer) instant(path, text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.IsZero() {
		c.mistake(path, fmt.Sprintf("%.40q is not a time", text), "write it like 2026-01-01T00:00:00Z")
		return time.Time{}
	}
	return at.UTC()
}

func checkKeyName(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "a key needs a name"
	case len(name) > maxKeyName:
		return fmt.Sprintf("the name is longer than %d characters", maxKeyName)
	case name != strings.TrimSpace(name), strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Sprintf("%q: a name is printable and neither begins nor ends with a space", name)
	}
	return ""
}
