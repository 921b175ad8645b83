package experiments

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// cell is a text, or a number where text is "". NaN stands for what there is not.
type cell struct {
	text   string
	number Figure
}

func (c cell) missing() bool { return c.text == "" && math.IsNaN(float64(c.number)) }

// tableColumn is a column of a table of rows R, by the name it has in CSV and for sorting.
type tableColumn[R any] struct {
	name string
	of   func(R) cell // what the row has in the column
}

// textColumn returns a column of texts.
func textColumn[R any](name string, of func(R) string) tableColumn[R] {
	return tableColumn[R]{name, func(r R) cell { return cell{of(r), Figure(math.NaN())} }}
}

func columnNames[R any](columns []tableColumn[R]) (names []string) {
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}

// A ColumnError reports a column that a table does not have.
type ColumnError struct {
	Column, Nearest string
	Columns         []string // that it has
}

func (e *ColumnError) Error() string {
	hint := ""
	if e.Nearest != "" {
		hint = " did you mean " + e.Nearest + "?"
	}
	return fmt.Sprintf("sort by %q: there is no such column;%s allowed: %s, with - before it for the largest first", e.Column, hint, strings.Join(e.Columns, ", "))
}

// sortRows sorts rows by a column, the smallest first, or the largest with - before its name. What
// has nothing there comes last; equal rows keep their order. Spaces and hyphens within the name
// are taken for underscores, so that the headings of the table serve too.
func sortRows[R any](rows []R, columns []tableColumn[R], by string) error {
	name, descending := strings.CutPrefix(by, "-")
	name = strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(name)))
	at := slices.IndexFunc(columns, func(c tableColumn[R]) bool { return c.name == name })
	if at < 0 {
		names := columnNames(columns)
		return &ColumnError{Column: by, Nearest: nearest(name, names), Columns: names}
	}
	of := columns[at].of
	slices.SortStableFunc(rows, func(a, b R) int {
		x, y := of(a), of(b)
		switch {
		case x.missing() && !y.missing():
			return 1
		case y.missing() && !x.missing():
			return -1
		case descending:
			x, y = y, x
		}
		return cmp.Or(cmp.Compare(x.text, y.text), cmp.Compare(x.number, y.number))
	})
	return nil
}

// writeCSV writes rows as RFC 4180 has it, with a heading. Numbers are written so that they read back as they are; what
// there is not is empty.
func writeCSV[R any](w io.Writer, columns []tableColumn[R], rows []R) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = c.name
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for _, r := range rows {
		for i, c := range columns {
			line[i] = c.of(r).csv()
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// csv writes a cell so that it reads back.
func (c cell) csv() string {
	if c.text != "" || math.IsNaN(float64(c.number)) {
		return c.text
	}
	return fullNumber(float64(c.number))
}

// fullNumber writes a number with as many digits as it takes to read it back; "" for NaN and
// infinities, which not every reader knows.
func fullNumber(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return ""
	}
	if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		return strconv.FormatInt(int64(x), 10) // a count
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
