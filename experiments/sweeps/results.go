package sweeps

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Results is what results.csv says.
type Results struct {
	*Definition
	Header []string
	Rows   [][]string
}

// ReadResults reads the sweep in the folder dir.
func ReadResults(dir string) (*Results, error) {
	d, err := ReadDefinition(dir)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, csvName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &FolderError{Dir: dir, Fault: "it has no results yet"}
	}
	if err != nil {
		return nil, fmt.Errorf("read sweep %s: %w", dir, err)
	}
	damaged := func(format string, args ...any) (*Results, error) {
		return nil, &FolderError{Dir: dir, Fault: csvName + " " + fmt.Sprintf(format, args...) + "; pkm sweep " + d.File + " --resume --out " + dir + " writes it again"}
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		return damaged("is cut: its last line has no end")
	}
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return damaged("cannot be read: %v", err)
	}
	for _, name := range slices.Concat(fixedColumns(), d.Parameters) {
		if !slices.Contains(records[0], name) {
			return damaged("has no column %q: it is cut, or another program's", name)
		}
	}
	return &Results{d, records[0], records[1:]}, nil
}

// Column returns the number of a column, −1 where there is none.
func (r *Results) Column(name string) int { return slices.Index(r.Header, name) }

// Sorted returns the rows of completed trials with a metric, the best first, equals in their
// order.
func (r *Results) Sorted() [][]string {
	metric, state := r.Column(r.Metric.Name), r.Column("state")
	if metric < 0 || state < 0 {
		return nil
	}
	rows := slices.DeleteFunc(slices.Clone(r.Rows), func(row []string) bool {
		_, err := strconv.ParseFloat(row[metric], 64)
		return row[state] != string(Completed) || err != nil
	})
	slices.SortStableFunc(rows, func(a, b []string) int {
		x, _ := strconv.ParseFloat(a[metric], 64)
		y, _ := strconv.ParseFloat(b[metric], 64)
		if r.Metric.Goal == "maximize" {
			x, y = y, x
		}
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return rows
}
