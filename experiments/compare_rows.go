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

// compareRow is a row of a comparison: of a run's network, of one of its machines or of a baseline.
type compareRow struct {
	label   string // of the run, in a table
	run     *Run
	kind    string // network, machine, baseline
	machine string
	figures *MachineFigures // nil for the network
}

// cell is a text, or a number where text is "". NaN stands for what there is not.
type cell struct {
	text   string
	number Figure
}

func (c cell) missing() bool { return c.text == "" && math.IsNaN(float64(c.number)) }

// compareColumn is a column of a comparison, by the name it has in CSV and for sorting.
type compareColumn struct {
	name string
	// of returns what the row has in the column. Figures of the network belong to all rows of its run.
	of func(compareRow) cell
}

// compareColumns returns the columns of the CSV form, in order.
func compareColumns() []compareColumn {
	text := func(name string, of func(compareRow) string) compareColumn {
		return compareColumn{name, func(r compareRow) cell { return cell{of(r), Figure(math.NaN())} }}
	}
	run := func(name string, of func(*Run) Figure) compareColumn {
		return compareColumn{name, func(r compareRow) cell { return cell{number: of(r.run)} }}
	}
	machine := func(name string, of func(*MachineFigures) Figure) compareColumn {
		return compareColumn{name, func(r compareRow) cell {
			if r.figures == nil || r.figures.Fault != "" {
				return cell{number: Figure(math.NaN())}
			}
			return cell{number: of(r.figures)}
		}}
	}
	certificate := func(name string, of func(*Certificate) Figure) compareColumn {
		return machine(name, func(f *MachineFigures) Figure {
			if f.Certificate == nil {
				return Figure(math.NaN())
			}
			return of(f.Certificate)
		})
	}
	gap := func(name string, of func(*Generalization) Figure) compareColumn {
		return run(name, func(r *Run) Figure {
			if r.Summary.Generalization == nil {
				return Figure(math.NaN())
			}
			return of(r.Summary.Generalization)
		})
	}
	return []compareColumn{
		text("run", func(r compareRow) string { return r.run.Path }),
		text("name", func(r compareRow) string { return r.run.Manifest.Name }),
		text("seed", func(r compareRow) string { return strconv.FormatInt(r.run.Manifest.Seed, 10) }),
		run("parameters", func(r *Run) Figure { return Figure(r.Summary.Parameters) }),
		run("steps", func(r *Run) Figure { return Figure(r.Summary.Steps) }),
		run("train_loss", func(r *Run) Figure { return r.Summary.Network.TrainLoss }),
		run("query_loss", func(r *Run) Figure { return r.Summary.Network.QueryLoss }),
		run("network_accuracy", func(r *Run) Figure { return r.Summary.Network.QueryAccuracy }),
		gap("gap", func(g *Generalization) Figure { return g.MeasuredGap }),
		gap("gap_bound", func(g *Generalization) Figure { return g.Bound }),
		text("kind", func(r compareRow) string { return r.kind }),
		text("machine", func(r compareRow) string { return r.machine }),
		text("target", func(r compareRow) string {
			switch {
			case r.figures == nil:
				return ""
			case r.figures.Target == "":
				return outputsTarget
			}
			return r.figures.Target
		}),
		machine("max_abs_error", func(f *MachineFigures) Figure { return f.MaxAbsError }),
		machine("rmse", func(f *MachineFigures) Figure { return f.RMSE }),
		machine("relative_error", func(f *MachineFigures) Figure { return f.RelativeError }),
		certificate("certificate", func(c *Certificate) Figure { return c.AccumulatedResidual }),
		certificate("largest_residual", func(c *Certificate) Figure { return c.LargestResidual }),
		certificate("nodes", func(c *Certificate) Figure { return Figure(c.Nodes) }),
		machine("argmax_agreement", func(f *MachineFigures) Figure { return f.ArgmaxAgreement }),
		{"query_accuracy", func(r compareRow) cell {
			switch {
			case r.figures == nil:
				return cell{number: r.run.Summary.Network.QueryAccuracy}
			case r.figures.Fault != "":
				return cell{number: Figure(math.NaN())}
			}
			return cell{number: r.figures.QueryAccuracy}
		}},
		text("fault", func(r compareRow) string {
			if r.figures == nil {
				return ""
			}
			return r.figures.Fault
		}),
	}
}

// compareRows returns the rows of runs: of each the network, its machines, its baselines.
func compareRows(runs []*Run) []compareRow {
	var rows []compareRow
	for i, r := range runs {
		name := label(runs, i)
		rows = append(rows, compareRow{name, r, "network", "(network)", nil})
		for k := range r.Summary.Machines {
			m := &r.Summary.Machines[k]
			rows = append(rows, compareRow{name, r, "machine", m.Name, &m.Figures})
		}
		for k := range r.Summary.Baselines {
			b := &r.Summary.Baselines[k]
			rows = append(rows, compareRow{name, r, "baseline", "(" + b.Name + ")", &b.Figures})
		}
	}
	return rows
}

// A ColumnError reports a column that a comparison does not have.
type ColumnError struct{ Column, Nearest string }

func (e *ColumnError) Error() string {
	var names []string
	for _, c := range compareColumns() {
		names = append(names, c.name)
	}
	hint := ""
	if e.Nearest != "" {
		hint = " did you mean " + e.Nearest + "?"
	}
	return fmt.Sprintf("sort by %q: there is no such column;%s allowed: %s, with - before it for the largest first", e.Column, hint, strings.Join(names, ", "))
}

// sortRows sorts rows by a column, the smallest first, or the largest with - before its name. What
// has nothing there comes last; equal rows keep their order. Spaces and hyphens within the name
// are taken for underscores, so that the headings of the table serve too.
func sortRows(rows []compareRow, column string) error {
	name, descending := strings.CutPrefix(column, "-")
	name = strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(name)))
	columns := compareColumns()
	at := slices.IndexFunc(columns, func(c compareColumn) bool { return c.name == name })
	if at < 0 {
		var names []string
		for _, c := range columns {
			names = append(names, c.name)
		}
		return &ColumnError{Column: column, Nearest: nearest(name, names)}
	}
	of := columns[at].of
	slices.SortStableFunc(rows, func(a, b compareRow) int {
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

// compareTable writes rows for people, and below them why a baseline has no figures.
func compareTable(w io.Writer, rows []compareRow) error {
	table := [][]string{{"run", "machine", "max abs error", "rmse", "relative error", "certificate", "argmax agreement", "query accuracy", "train loss", "query loss"}}
	bounded := slices.ContainsFunc(rows, func(r compareRow) bool { return r.run.Summary.Generalization != nil })
	if bounded {
		table[0] = append(table[0], "gap", "gap bound")
	}
	columns := map[string]func(compareRow) cell{}
	for _, c := range compareColumns() {
		columns[c.name] = c.of
	}
	for _, r := range rows {
		row := []string{r.label, r.machine}
		for _, heading := range table[0][2:] {
			name := strings.ReplaceAll(heading, " ", "_")
			value := number(columns[name](r).number)
			if r.kind != "network" && slices.Contains([]string{"train_loss", "query_loss", "gap", "gap_bound"}, name) {
				value = "-" // said in the row of the network
			}
			row = append(row, value)
		}
		table = append(table, row)
	}
	if err := writeTable(w, table, 2); err != nil {
		return err
	}
	for _, r := range rows {
		if r.figures == nil || r.figures.Fault == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s, %s: %s\n", r.label, r.machine, r.figures.Fault); err != nil {
			return err
		}
	}
	return nil
}

// compareCSV writes rows as RFC 4180 has it, with a heading: a line for each machine and baseline of a run, and one with
// neither for a run that has none. Numbers are written so that they read back as they are; what there is not is empty.
func compareCSV(w io.Writer, rows []compareRow) error {
	columns := compareColumns()
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
		if r.kind == "network" && len(r.run.Summary.Machines)+len(r.run.Summary.Baselines) > 0 {
			continue // its figures are in the other lines
		}
		if r.kind == "network" {
			r.kind, r.machine = "", ""
		}
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
	return strconv.FormatFloat(x, 'g', -1, 64)
}
