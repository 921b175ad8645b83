package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"pkm/experiments"
	"pkm/experiments/sweeps"
)

func (c *command) reportCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "report RUN|SWEEP",
		Short: "Write the report of a run or of a sweep again, from its files",
		Long: "Writes report.html and figures/ of a completed run again, and lists them in its manifest.\n" +
			"With --out, writes the page into another file and leaves the run as it is.\n" +
			"Of a sweep, which may be unfinished or running, it writes report.html.",
		Example: "  pkm report runs/digits-mlp\n" +
			"  pkm report runs/digits-mlp --out report.html",
		Args: atLeast(1, "a run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("report takes one run directory, found %d", len(args))}
			}
			if _, err := sweeps.ReadDefinition(args[0]); err == nil {
				if cmd.Flags().Changed("out") {
					return usageError{errors.New("report --out is for runs; the report of a sweep is in its folder")}
				}
				return c.reportSweep(args[0])
			}
			if cmd.Flags().Changed("out") {
				if err := experiments.WriteReportFile(file, args[0]); err != nil {
					return err
				}
			} else {
				if err := experiments.RewriteReport(args[0]); err != nil {
					return err
				}
				file = filepath.Join(args[0], "report.html")
			}
			fmt.Fprintf(c.out, "report: %s\n", file)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "out", "", "write the page into this new file instead")
	return cmd
}
