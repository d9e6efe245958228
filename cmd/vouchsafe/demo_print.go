package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"vouchsafe/internal/report"
)

// demoWidth is the most columns that the demo prints.
const demoWidth = 100

// demoHead says who is who.
func demoHead(w io.Writer, gateway string) {
	say(w, `A registry, a gateway, a Sigstore and signers, all in this process: no network, no files.

  registry  %[1]s        only the gateway may ask it
  gateway   %[2]s
  trusted   release-team     one public key, release-2026
            release-flow     keyless: %[4]s
                             from %[3]s, by the trusted root of the Sigstore here
            it-department    certificates of an own authority for %[5]s
            release-logged   the key release-2026, each signature entered in the log
  policies  corp-signed      %[1]s/corp/**: signed by it-department, or refused
            dev-signed       %[1]s/dev/**: signed by release-team, or served with a warning
            flow-signed      %[1]s/flow/**: signed by release-flow, or refused
            ledger-signed    %[1]s/ledger/**: signed by release-logged, or refused
            prod-signed      %[1]s/** but none of those: signed by release-team, or refused

`, demoRegistry, gateway, demoIssuer, demoWorkflow, demoPerson)
}

// demoTable prints a line for each pull, under the way in which it should be
// signed.
func demoTable(w io.Writer, pulls []pull, got []outcome) error {
	grid := report.Grid{Head: []string{"", "IMAGE", "FOUND", "HTTP", "VERDICT", "REASON"}}
	for i, p := range pulls {
		o := got[i]
		grid.Rows = append(grid.Rows, []string{
			fmt.Sprintf("%2d", i+1), p.name(), p.found, fmt.Sprint(o.status), o.verdict, o.reason,
		})
	}
	var text strings.Builder
	if err := report.Write(&text, report.Table, tables{grid}); err != nil {
		return err
	}
	head, rows, _ := strings.Cut(text.String(), "\n")
	say(w, "%s\n", head)
	way, i := "", 0
	for row := range strings.Lines(rows) {
		if i < len(pulls) && pulls[i].way != way {
			way = pulls[i].way
			say(w, "%s\n", way)
		}
		say(w, "%s", row)
		i++
	}
	return nil
}

// tables are grids that print as they are.
type tables []report.Grid

// Tables implements [report.Tabler].
func (t tables) Tables(bool) []report.Grid { return t }

// name is the image for people, a digest cut short.
func (p pull) name() string {
	const keep = len("sha256:") + 4
	if strings.Contains(p.reference, ":") {
		return p.repository + "@" + p.reference[:keep] + "…"
	}
	return p.repository + ":" + p.reference
}

// demoReasons prints what each refused client was told.
func demoReasons(w io.Writer, got []outcome) {
	say(w, "\nWhat a refused client is told:\n\n")
	for i, o := range got {
		if o.message != "" {
			say(w, "%s\n", wrap(fmt.Sprintf("%2d  ", i+1), "    ", report.Escape(o.message)))
		}
	}
}

// demoRecord prints the audit record of one refusal, each field on its own line.
func demoRecord(w io.Writer, n int, line string) {
	say(w, "\nEach decision is recorded before its answer leaves, as one line of JSON; that of pull %d:\n\n", n)
	decoder := json.NewDecoder(strings.NewReader(line))
	if _, err := decoder.Token(); err != nil {
		return
	}
	for first := " {"; decoder.More(); first = "  " {
		name, err := decoder.Token()
		if err != nil {
			return
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return
		}
		end := ","
		if !decoder.More() {
			end = "}"
		}
		say(w, "%s\n", wrap(first, "      ", fmt.Sprintf("%q:%s%s", name, report.Escape(string(value)), end)))
	}
}

// demoMore says how to go on after a script.
func demoMore(w io.Writer) {
	say(w, `
Without --script it keeps serving and prints its address, so that you can pull yourself:

  crane pull --insecure 127.0.0.1:PORT/%[1]s/web:2.1 web.tar
`, demoRegistry)
}

// demoTry says what to do next.
func demoTry(w io.Writer, gateway, ops string) {
	host := strings.TrimPrefix(gateway, "http://")
	say(w, `
Try it yourself while it runs (Ctrl-C ends it):

  crane pull --insecure %[1]s/%[2]s/web:2.1 web.tar
  crane pull --insecure %[1]s/%[2]s/cron:1.0 cron.tar
  curl -s %[3]s/v2/%[2]s/batch/manifests/1.0
  curl -s %[3]s/v2/%[2]s/flow/cron/manifests/1.0
  curl -s %[4]s/metrics | grep vouchsafe_decisions_total
`, host, demoRegistry, gateway, ops)
}

func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// wrap breaks text behind a space or a comma so that no line is wider than
// demoWidth, where it can. first begins the first line, indent all others.
func wrap(first, indent, text string) string {
	var b strings.Builder
	line := first
	for text != "" {
		part := text
		if at := strings.IndexAny(text, " ,"); at >= 0 {
			part = text[:at+1]
		}
		text = text[len(part):]
		width := utf8.RuneCountInString(line) + utf8.RuneCountInString(strings.TrimRight(part, " "))
		if width > demoWidth && strings.TrimSpace(line) != strings.TrimSpace(first) {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent
		}
		line += part
	}
	b.WriteString(strings.TrimRight(line, " "))
	return b.String()
}
