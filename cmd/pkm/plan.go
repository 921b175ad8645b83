package main

import (
	"errors"

	"github.com/spf13/cobra"

	"pkm/experiments"
)

func (c *command) planCommand() *cobra.Command {
	var dry bool
	command := &cobra.Command{
		Use:     "plan CONFIG|- [key=value …]",
		Short:   "Say what a run would cost: products, memory, disk, time",
		Example: "  pkm plan experiments/configs/digits-mlp.yaml data.query=700",
		Args:    atLeast(1, "a configuration file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := c.load(args[0], args[1:])
			if err != nil {
				return err
			}
			plan, err := config.Plan()
			var memory *experiments.MemoryError
			switch {
			case errors.As(err, &memory):
				return errors.Join(plan.Print(c.out), err) // what does not fit is shown
			case err != nil:
				return err
			case dry:
				return plan.Print(c.out)
			}
			engine, err := c.engine()
			if err != nil {
				return err
			}
			defer engine.Close()
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			estimate, err := config.Estimate(ctx, engine)
			if err != nil {
				return err
			}
			plan.Time = &estimate
			return plan.Print(c.out)
		},
	}
	command.Flags().BoolVar(&dry, "dry", false, "take no steps to measure the time")
	return command
}
