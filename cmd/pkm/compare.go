package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"pkm/experiments"
	"pkm/internal/atomicfile"
)

func (c *command) compareCommand() *cobra.Command {
	var asJSON bool
	var figure string
	cmd := &cobra.Command{
		Use:   "compare RUN…",
		Short: "Compare networks with their kernel machines, across runs",
		Args:  atLeast(1, "a run directory"),
		RunE: func(_ *cobra.Command, args []string) error {
			var runs []*experiments.Run
			var faults []error
			for _, dir := range args {
				run, err := experiments.LoadRun(dir)
				if err != nil {
					faults = append(faults, err)
					continue
				}
				runs = append(runs, run)
			}
			if err := errors.Join(faults...); err != nil {
				return err
			}
			if figure != "" {
				if len(runs) != 1 {
					return usageError{fmt.Errorf("compare --figure draws one run, found %d", len(runs))}
				}
				if _, err := os.Stat(figure); err == nil {
					return usageError{fmt.Errorf("compare --figure %s: the file exists and is not overwritten", figure)}
				}
				if _, err := atomicfile.Write(figure, func(w io.Writer) error { return runs[0].Figure(w) }); err != nil {
					return err
				}
			}
			if asJSON {
				return experiments.CompareJSON(c.out, runs)
			}
			return experiments.Compare(c.out, runs)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summaries as JSON, in full precision")
	cmd.Flags().StringVar(&figure, "figure", "", "draw network against machines into this SVG file")
	return cmd
}
