package report

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Grid is one table. Cells may hold untrusted text: they are escaped when
// printed, and an empty one is printed as "-".
type Grid struct {
	// Title is a line above the table; may be empty.
	Title string
	// Head names the columns.
	Head []string
	// Rows have a cell for each column.
	Rows [][]string
}

// grids prints tables, an empty line between them; one without rows is left out.
func grids(all []Grid) string {
	var b strings.Builder
	for _, g := range all {
		if len(g.Rows) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		if g.Title != "" {
			b.WriteString(Escape(g.Title) + "\n")
		}
		g.print(&b)
	}
	return b.String()
}

func (g Grid) print(b *strings.Builder) {
	var aligned strings.Builder
	w := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	if len(g.Head) > 0 {
		_, _ = fmt.Fprintln(w, strings.Join(g.Head, "\t"))
	}
	for _, row := range g.Rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = Escape(cell); cell == "" {
				cells[i] = "-"
			}
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	_ = w.Flush()
	for line := range strings.Lines(aligned.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}
