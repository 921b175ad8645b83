package sweeps

import (
	"encoding/csv"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"pkm/internal/atomicfile"
)

const csvName = "results.csv"

// Table is a sweep's trials and what became of them.
type Table struct {
	*Definition
	Rows []*Row
}

// Row is a trial and what became of it.
type Row struct {
	Trial  *Trial
	Result *Result // of the last attempt that has ended, or nil

	attempt  int // that is under way
	finished bool
}

// State returns how the trial ended.
func (r *Row) State() State {
	if !r.finished {
		return Pending
	}
	return r.Result.State
}

func newTable(d *Definition) *Table { return &Table{Definition: d} }

// add adds the next trial, unless it is there.
func (t *Table) add(trial *Trial) error {
	switch n := trial.Number; {
	case n < len(t.Rows) && t.Rows[n].Trial.Hash == trial.Hash:
		return nil
	case n != len(t.Rows):
		return fmt.Errorf("trial %d comes where trial %d should; the work queue is damaged", n, len(t.Rows))
	}
	t.Rows = append(t.Rows, &Row{Trial: trial})
	return nil
}

// leading returns how many of the first trials are finished.
func (t *Table) leading() int {
	i := slices.IndexFunc(t.Rows, func(r *Row) bool { return !r.finished })
	if i < 0 {
		return len(t.Rows)
	}
	return i
}

// over reports whether all trials are finished.
func (t *Table) over() bool { return t.leading() == t.Trials }

// Count returns how many trials are in a state.
func (t *Table) Count(s State) int {
	n := 0
	for _, r := range t.Rows {
		if r.State() == s {
			n++
		}
	}
	return n
}

// Best returns the completed trial with the best metric, the first of equals, or nil.
func (t *Table) Best() *Row {
	var best *Row
	least := 0.0
	for _, r := range t.Rows {
		if r.State() != Completed {
			continue
		}
		if x, ok := value(r.Result.Figures, t.Metric.Name); ok {
			if t.Metric.Goal == "maximize" {
				x = -x
			}
			if best == nil || x < least {
				best, least = r, x
			}
		}
	}
	return best
}

// fixedColumns are the columns that every table begins with.
func fixedColumns() []string {
	return []string{"trial", "state", "attempt", "seconds", "steps", "copy_of", "folder", "message"}
}

// columns are the names of a table's columns: those of every sweep, then its parameters, then
// the figures of its runs in the order in which they appear, but for steps, which all have.
func (t *Table) columns() (fixed, figures []string) {
	fixed = append(fixedColumns(), t.Parameters...)
	seen := map[string]bool{"steps": true}
	for _, r := range t.Rows {
		if r.finished {
			for _, f := range r.Result.Figures {
				if !seen[f.Name] {
					seen[f.Name] = true
					figures = append(figures, f.Name)
				}
			}
		}
	}
	return fixed, figures
}

// records returns the header and the rows as texts; "" is a value that is not there.
func (t *Table) records() [][]string {
	fixed, figures := t.columns()
	header := append(fixed, figures...)
	records := [][]string{header}
	for _, r := range t.Rows {
		of := r.Trial
		record := []string{strconv.Itoa(of.Number), string(r.State()), "", "", "", "", filepath.ToSlash(r.folder()), ""}
		if of.CopyOf >= 0 {
			record[5], record[6] = strconv.Itoa(of.CopyOf), filepath.ToSlash(t.Rows[of.CopyOf].folder())
		}
		if r.finished {
			record[2], record[3], record[4] = strconv.Itoa(r.Result.Attempt), strconv.FormatFloat(r.Result.Seconds, 'f', 3, 64), strconv.Itoa(r.Result.Steps)
			record[7] = r.Result.Message
		}
		record = append(record, of.Values...)
		for _, name := range figures {
			text := ""
			if r.finished {
				if x, ok := value(r.Result.Figures, name); ok {
					text = strconv.FormatFloat(x, 'g', -1, 64)
				}
			}
			record = append(record, text)
		}
		records = append(records, record)
	}
	return records
}

// write writes results.csv and results.parquet into the folder of the sweep.
func (t *Table) write(dir string) error {
	records := t.records()
	if _, err := atomicfile.Write(filepath.Join(dir, csvName), func(w io.Writer) error {
		return csv.NewWriter(w).WriteAll(records)
	}); err != nil {
		return err
	}
	_, err := atomicfile.Write(filepath.Join(dir, parquetName), func(w io.Writer) error {
		return writeParquet(w, records)
	})
	return err
}
