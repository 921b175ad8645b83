package sweeps

import (
	"os"
	"path/filepath"
	"testing"
)

// A table that knows less than results.csv does not replace it; one that knows as much, or is over, does.
func TestResultsAreNotForgotten(t *testing.T) {
	dir := t.TempDir()
	d := &Definition{ID: "test", Metric: Metric{Name: "steps"}, Trials: 3}
	table := func(states ...State) *Table {
		out := newTable(d)
		for i, s := range states {
			row := &Row{Trial: &Trial{Number: i, CopyOf: -1, Hash: "hash"}}
			if s != Pending {
				row.finished, row.Result = true, &Result{Trial: i, State: s}
			}
			out.Rows = append(out.Rows, row)
		}
		return out
	}
	if err := d.write(dir); err != nil {
		t.Fatal(err)
	}
	if err := table(Completed, Terminated, Failed).write(dir); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, csvName))
	if err != nil {
		t.Fatal(err)
	}
	c := &coordinator{options: Options{Dir: dir}, known: known(dir)}
	for _, test := range []struct {
		table *Table
		kept  bool
	}{
		{table(), true}, {table(Completed, Pending, Pending), true}, {table(Completed, Failed), true},
		{table(Completed, Diverged, Pending), false}, {table(Failed, Failed, Failed), false},
	} {
		if err := os.WriteFile(filepath.Join(dir, csvName), before, 0o666); err != nil {
			t.Fatal(err)
		}
		c.table = test.table
		if err := c.write(true); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(filepath.Join(dir, csvName))
		if err != nil || (string(after) == string(before)) != test.kept {
			t.Errorf("kept should be %v, %v:\n%s", test.kept, err, after)
		}
	}
}
