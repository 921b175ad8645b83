package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"pkm/experiments"
)

// runsFolder is where runs go, and are looked for, unless told otherwise.
const runsFolder = "runs"

func (c *command) listCommand() *cobra.Command {
	var asJSON, asCSV, reverse bool
	var sort string
	cmd := &cobra.Command{
		Use:   "ls [DIR…]",
		Short: "List runs: what they are, how they ended, their figures",
		Long: "ls lists the runs in folders, runs/ by default, the latest first: their state (completed, diverged, interrupted,\n" +
			"failed, running, killed, or damaged where their files cannot be read), network, optimizer and figures. The worst\n" +
			"relative error is the largest of a run's machines.",
		Example: "  pkm ls\n" +
			"  pkm ls --sort worst_relative_error\n" +
			"  pkm ls runs sweeps/learning-rate --csv > runs.csv",
		RunE: func(_ *cobra.Command, args []string) error {
			if asJSON && asCSV {
				return usageError{errors.New("ls: one of --json and --csv")}
			}
			runs, unread := experiments.ListRuns(foldersOfRuns(args))
			if err := experiments.SortRuns(runs, sort); err != nil {
				return usageError{fmt.Errorf("ls: %w", err)}
			}
			if reverse {
				slices.Reverse(runs)
			}
			var err error
			switch {
			case asJSON:
				err = experiments.ListJSON(c.out, runs)
			case asCSV:
				err = experiments.ListCSV(c.out, runs)
			case len(runs) > 0:
				err = experiments.ListTable(c.out, runs)
			case unread == nil:
				fmt.Fprintln(c.errout, "there is no run")
			}
			return errors.Join(unread, err)
		},
	}
	cmd.Flags().StringVar(&sort, "sort", "-started", "sort by a column, such as worst_relative_error; -worst_relative_error for the largest first")
	cmd.Flags().BoolVar(&reverse, "reverse", false, "reverse the order")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print all columns as JSON, in full precision")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print all columns as CSV, in full precision")
	return cmd
}

// foldersOfRuns returns the folders that are named, or runs/ where it is there.
func foldersOfRuns(named []string) []string {
	if len(named) > 0 {
		return named
	}
	if _, err := os.Stat(runsFolder); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return []string{runsFolder}
}
