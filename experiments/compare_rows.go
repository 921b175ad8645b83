package experiments

import (
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

// compareColumn is a column of a comparison. Figures of the network belong to all rows of its run.
type compareColumn = tableColumn[compareRow]

// compareColumns returns the columns of the CSV form, in order.
func compareColumns() []compareColumn {
	text := textColumn[compareRow]
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

// CompareColumns returns the names of the columns that a comparison can be sorted by.
func CompareColumns() []string { return columnNames(compareColumns()) }

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

// compareTable writes rows for people, and below them why a baseline has no figures, and where an adaptive machine ran out of
// nodes.
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
		if r.figures == nil {
			continue
		}
		note := r.figures.Fault
		if c := r.figures.Certificate; c != nil && c.Shortfalls > 0 {
			note = fmt.Sprintf("%d of %d refined steps of queries ran out of nodes above the tolerance, the largest residual %.3g in step %d; a larger max_nodes would go on",
				c.Shortfalls, c.Refined, float64(c.LargestResidual), c.WorstStep)
		}
		if note == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s, %s: %s\n", r.label, r.machine, note); err != nil {
			return err
		}
	}
	return nil
}

// compareCSV writes rows as CSV: a line for each machine and baseline of a run, and one with neither for a run that has
// none.
func compareCSV(w io.Writer, rows []compareRow) error {
	var kept []compareRow
	for _, r := range rows {
		if r.kind == "network" && len(r.run.Summary.Machines)+len(r.run.Summary.Baselines) > 0 {
			continue // its figures are in the other lines
		}
		if r.kind == "network" {
			r.kind, r.machine = "", ""
		}
		kept = append(kept, r)
	}
	return writeCSV(w, compareColumns(), kept)
}
