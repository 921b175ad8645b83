package experiments

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// writeTable writes rows of cells, in columns two spaces apart: the first columns, as many as names, to the
// left, the others, numbers, to the right. Short rows are filled with dashes; the first row is the longest.
func writeTable(w io.Writer, rows [][]string, names int) error {
	for i := range rows {
		for len(rows[i]) < len(rows[0]) {
			rows[i] = append(rows[i], "-")
		}
	}
	// tabwriter aligns all columns to the same side, the right one for numbers;
	// names of one width stand left.
	for column := range names {
		width := 0
		for _, row := range rows {
			width = max(width, utf8.RuneCountInString(row[column]))
		}
		for _, row := range rows {
			row[column] += strings.Repeat(" ", width-utf8.RuneCountInString(row[column]))
		}
	}
	// tabwriter puts the padding of a right-aligned cell before it: two spaces
	// that the first column does not want.
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t")+"\t")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		line = strings.TrimRight(strings.TrimPrefix(line, "  "), " \n") + "\n"
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
	}
	return nil
}
