package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pkm/experiments/sweeps"
)

func (c *command) sweepBestCommand() *cobra.Command {
	var n int
	cmd := &cobra.Command{
		Use:   "best SWEEP",
		Short: "Show the trials with the best metric",
		Args:  atLeast(1, "the folder of a sweep"),
		RunE: func(_ *cobra.Command, args []string) error {
			if n < 1 {
				return usageError{fmt.Errorf("sweep best: -n is %d; 1 is the least", n)}
			}
			r, err := sweeps.ReadResults(args[0])
			if err != nil {
				return err
			}
			rows := r.Sorted()
			if len(rows) == 0 {
				return fmt.Errorf("sweep in %s: no trial is completed with a figure for %s", args[0], r.Metric.Name)
			}
			if err := printTrials(c.out, r, rows, n); err != nil {
				return err
			}
			folder := filepath.Join(args[0], rows[0][r.Column("folder")])
			_, err = fmt.Fprintf(c.out, "\nits run: %s\nits configuration: %s\n", folder, filepath.Join(folder, "config.yaml"))
			return err
		},
	}
	cmd.Flags().IntVarP(&n, "number", "n", 10, "of trials to show")
	return cmd
}

func (c *command) sweepListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls SWEEP",
		Short: "List all trials",
		Args:  atLeast(1, "the folder of a sweep"),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := sweeps.ReadResults(args[0])
			if err != nil {
				return err
			}
			return printTrials(c.out, r, r.Rows, len(r.Rows))
		},
	}
}

func (c *command) sweepShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show SWEEP [TRIAL]",
		Short: "Show what a sweep is, or all that is known of a trial",
		Args:  atLeast(1, "the folder of a sweep"),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := sweeps.ReadResults(args[0])
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return showSweep(c.out, args[0], r)
			}
			trial := slices.IndexFunc(r.Rows, func(row []string) bool { return row[r.Column("trial")] == args[1] })
			if trial < 0 {
				return usageError{fmt.Errorf("sweep in %s: there is no trial %q; trials are 0 to %d", args[0], args[1], len(r.Rows)-1)}
			}
			w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
			for i, name := range r.Header {
				value := r.Rows[trial][i]
				if name == "folder" {
					value = filepath.Join(args[0], value)
				}
				if value != "" {
					fmt.Fprintf(w, "%s\t%s\n", name, value)
				}
			}
			return w.Flush()
		},
	}
}

func (c *command) sweepReportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "report SWEEP",
		Short: "Write the report of a sweep again, from its results",
		Long:  "Writes report.html into the folder of a sweep, which may be unfinished or running.",
		Args:  atLeast(1, "the folder of a sweep"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("sweep report takes one folder, found %d", len(args))}
			}
			return c.reportSweep(args[0])
		},
	}
}

// reportSweep writes the report of a sweep.
func (c *command) reportSweep(dir string) error {
	if err := sweeps.WriteReport(dir); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.out, "report: %s\n", filepath.Join(dir, sweeps.ReportName))
	return err
}

// showSweep prints what a sweep is and how far.
func showSweep(out io.Writer, dir string, r *sweeps.Results) error {
	counts := map[string]int{}
	state := r.Column("state")
	for _, row := range r.Rows {
		counts[row[state]]++
	}
	fmt.Fprintf(out, "%s: %s, %s %s\n%d of %d trials drawn", dir, r.Method, r.Metric.Goal, r.Metric.Name, len(r.Rows), r.Trials)
	for _, s := range []sweeps.State{sweeps.Pending, sweeps.Completed, sweeps.Terminated, sweeps.Diverged, sweeps.Failed} {
		if n := counts[string(s)]; n > 0 {
			fmt.Fprintf(out, ", %d %s", n, s)
		}
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, line := range r.Space {
		if line.Key != "experiment" {
			fmt.Fprintf(w, "  %s\t%s\n", line.Key, line.Says)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if rows := r.Sorted(); len(rows) > 0 {
		fmt.Fprintln(out)
		return printTrials(out, r, rows, 3)
	}
	return nil
}

// printTrials prints the first n rows: trial, state, metric, the parameters in which trials differ,
// and the time.
func printTrials(out io.Writer, r *sweeps.Results, rows [][]string, n int) error {
	names := []string{"trial", "state", r.Metric.Name}
	for _, p := range r.Parameters {
		i := r.Column(p)
		if len(r.Rows) < 2 || i >= 0 && slices.ContainsFunc(r.Rows, func(row []string) bool { return row[i] != r.Rows[0][i] }) {
			names = append(names, p)
		}
	}
	names = append(names, "attempt", "seconds")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(names, "\t"))
	for _, row := range rows[:max(0, min(n, len(rows)))] {
		var cells []string
		for _, name := range names {
			cell := "-"
			if i := r.Column(name); i >= 0 && row[i] != "" {
				cell = row[i]
			}
			if x, err := strconv.ParseFloat(cell, 64); err == nil && name == r.Metric.Name {
				cell = fmt.Sprintf("%.6g", x)
			}
			cells = append(cells, cell)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}
