package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestNamesFromStdin(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
		says string
	}{
		"one a line":                  {"a\nb\n", []string{"a", "b"}, ""},
		"no line feed at the end":     {"a\nb", []string{"a", "b"}, ""},
		"as on Windows":               {"\ufeffa\r\nb\r\n", []string{"a", "b"}, ""},
		"empty lines, spaces":         {"\n \n\t a \n\n", []string{"a"}, ""},
		"comments":                    {"# x\na\n  # y\n", []string{"a"}, ""},
		"nothing":                     {"", nil, ""},
		"a line as long as allowed":   {strings.Repeat("a", maxNameLine-1) + "\n", []string{strings.Repeat("a", maxNameLine-1)}, ""},
		"a line that is too long":     {"a\nb\n" + strings.Repeat("a", maxNameLine+1), nil, "stdin, line 3: longer than 4096 bytes"},
		"as many as allowed and more": {strings.Repeat("a\n", maxNames+1), nil, "stdin, line 100001: more than 100000 images"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := lines(strings.NewReader(c.text))
			if c.says != "" {
				if err == nil || err.Error() != c.says {
					t.Errorf("got %v, want %q", err, c.says)
				}
				return
			}
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("got %v, %v, want %v", got, err, c.want)
			}
			for i := range got {
				if got[i].text != c.want[i] {
					t.Errorf("got %q, want %q", got[i].text, c.want[i])
				}
			}
		})
	}
}

func TestTenThousandNamesKeepTheirOrder(t *testing.T) {
	var text strings.Builder
	const n = 10_000
	for i := range n {
		fmt.Fprintf(&text, "registry.test/acme/api:%d\n", i)
	}
	a := &app{stdin: strings.NewReader(text.String())}
	members, err := a.images([]string{"first.test/a:0", "-"})
	if err != nil || len(members) != n+1 {
		t.Fatalf("got %d, %v", len(members), err)
	}
	if got := members[n].ref.String(); got != "registry.test/acme/api:9999" {
		t.Errorf("the last is %s", got)
	}
}
