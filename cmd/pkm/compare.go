package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pkm/experiments"
	"pkm/internal/atomicfile"
)

func (c *command) compareCommand() *cobra.Command {
	var asJSON, asCSV bool
	var figure, sort string
	cmd := &cobra.Command{
		Use:   "compare RUN…",
		Short: "Compare networks with their kernel machines, and runs with one another",
		Long: "compare prints the errors of every machine of every run. Of several runs it also prints the keys in\n" +
			"which their configurations differ and, for runs with the same queries, how far their networks\n" +
			"agree and how alike their attributions are: Spearman's rank correlation of the contributions to a\n" +
			"query, between machines of one name. Runs that cannot be read are named, and the others compared.",
		Example: "  pkm compare runs/*\n" +
			"  pkm compare runs/* --sort relative_error\n" +
			"  pkm compare runs/* --csv > runs.csv",
		Args: atLeast(1, "a run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && (asCSV || sort != "") {
				return usageError{errors.New("compare --json takes neither --csv nor --sort: it holds everything, in the order of the runs")}
			}
			runs, unread := experiments.LoadRuns(args)
			if figure != "" {
				if err := drawRun(figure, runs, unread); err != nil {
					return err
				}
			}
			if len(runs) == 0 {
				return unread
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			comparison, err := experiments.NewComparison(ctx, runs)
			if err != nil {
				return errors.Join(unread, err)
			}
			comparison.Sort = sort
			switch {
			case asJSON:
				err = comparison.JSON(c.out)
			case asCSV:
				err = comparison.CSV(c.out)
			default:
				err = comparison.Table(c.out)
			}
			var column *experiments.ColumnError
			if errors.As(err, &column) {
				return usageError{fmt.Errorf("compare: %w", err)}
			}
			return errors.Join(unread, err)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print everything as JSON, in full precision")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print a line for each machine of each run as CSV, in full precision")
	cmd.Flags().StringVar(&sort, "sort", "", "sort the table or the CSV by a column, such as relative_error; -relative_error for the largest first")
	cmd.Flags().StringVar(&figure, "figure", "", "draw network against machines into this SVG file")
	return cmd
}

// drawRun draws the picture of the one run.
func drawRun(path string, runs []*experiments.Run, unread error) error {
	if unread != nil {
		return unread
	}
	if len(runs) != 1 {
		return usageError{fmt.Errorf("compare --figure draws one run, found %d", len(runs))}
	}
	if filepath.Ext(path) != ".svg" {
		return usageError{fmt.Errorf("compare --figure %s: the name ends in %q; .svg is due", path, filepath.Ext(path))}
	}
	if _, err := os.Stat(path); err == nil {
		return usageError{fmt.Errorf("compare --figure %s: the file exists and is not overwritten", path)}
	}
	_, err := atomicfile.Write(path, func(w io.Writer) error { return runs[0].Figure(w) })
	return err
}
