package sweeps

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
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
	f, err := os.Open(filepath.Join(dir, csvName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &FolderError{Dir: dir, Fault: "it has no results yet"}
	}
	if err != nil {
		return nil, fmt.Errorf("read sweep %s: %w", dir, err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err == nil && len(records) == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, &FolderError{Dir: dir, Fault: csvName + " cannot be read: " + err.Error()}
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
