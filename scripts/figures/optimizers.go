package main

import (
	"fmt"
	"io"
	"slices"

	"gonum.org/v1/plot/plotter"

	"pkm/experiments"
)

// optimizers shows what the same training samples did to the same outputs in two runs: Q of one over Q of the other, for the
// output of a query's class, and the rank correlations of all queries, over all samples and over those of the
// query's class alone.
func optimizers(out io.Writer, a, b string, query int, file string) error {
	var all [2][]float64
	var shape []int
	for k, dir := range []string{a, b} {
		run, err := experiments.LoadRun(dir)
		if err != nil {
			return err
		}
		if len(run.Summary.Machines) == 0 {
			return fmt.Errorf("%s has no machine", dir)
		}
		if shape, all[k], err = array(dir, run.Summary.Machines[0].Name+"/contributions"); err != nil {
			return err
		}
	}
	train, err := integers(a, "train_targets")
	if err != nil {
		return err
	}
	queries, err := integers(a, "query_targets")
	if err != nil {
		return err
	}
	if len(all[0]) != len(all[1]) || query < 0 || query >= shape[0] {
		return fmt.Errorf("%s and %s have contributions of %d and %d numbers, and the query is %d of %d; want the same samples, and one of the queries", a, b, len(all[0]), len(all[1]), query, shape[0])
	}
	n := shape[2]
	row := func(k, m int) []float64 { at := (m*shape[1] + queries[m]) * n; return all[k][at : at+n] }
	var whole, own []float64
	for m := range shape[0] {
		var x, y []float64
		for i, label := range train {
			if label == queries[m] {
				x, y = append(x, row(0, m)[i]), append(y, row(1, m)[i])
			}
		}
		whole, own = append(whole, experiments.Spearman(row(0, m), row(1, m))), append(own, experiments.Spearman(x, y))
	}
	fmt.Fprintf(out, "rank correlation of the contributions to the output of each query's class, mean over %d queries (lowest):\n", shape[0])
	fmt.Fprintf(out, "  over all training samples          %.3f (%.3f)\n  over those of the query's class    %.3f (%.3f)\n", mean(whole), slices.Min(whole), mean(own), slices.Min(own))

	left := panel(fmt.Sprintf("contributions to query %d, a %d", query, queries[query]), "Q_i along the path of SGD", "Q_i along the path of Adam")
	var same, other plotter.XYs
	for i, label := range train {
		p := plotter.XY{X: row(0, query)[i], Y: row(1, query)[i]}
		if label == queries[query] {
			same = append(same, p)
		} else {
			other = append(other, p)
		}
	}
	if err := dots(left, "other classes", grey, other); err != nil {
		return err
	}
	if err := dots(left, "its class", orange, same); err != nil {
		return err
	}
	left.Legend.Left = true

	right := panel("rank correlation of all queries", "queries, sorted", "Spearman's ρ, SGD and Adam")
	for _, c := range []struct {
		name   string
		values []float64
		own    bool
	}{{"all training samples", whole, false}, {"those of the query's class", own, true}} {
		slices.Sort(c.values)
		var points plotter.XYs
		for i, v := range c.values {
			points = append(points, plotter.XY{X: float64(i), Y: v})
		}
		colour := blue
		if c.own {
			colour = orange
		}
		if err := curve(right, c.name, colour, false, points); err != nil {
			return err
		}
	}
	right.Y.Min, right.Y.Max = min(0, right.Y.Min), 1
	right.Legend.Top = false
	return write(file, left, right)
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
