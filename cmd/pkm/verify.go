package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"pkm/experiments"
)

func (c *command) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify RUN",
		Short: "Recompute the identity from the files of a run and say whether it holds",
		Args:  atLeast(1, "a run directory"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("verify takes one run directory, found %d", len(args))}
			}
			report, err := experiments.Verify(args[0])
			if err != nil {
				return err
			}
			if err := report.Print(c.out); err != nil {
				return fmt.Errorf("verify %s: write the report: %w", args[0], err)
			}
			if !report.OK() {
				return fmt.Errorf("verify %s: it does not hold; see above", args[0])
			}
			return nil
		},
	}
}
