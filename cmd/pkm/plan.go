package main

import "github.com/spf13/cobra"

func (c *command) planCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "plan CONFIG|- [key=value …]",
		Short:   "Say what a run would cost: products, memory, disk",
		Example: "  pkm plan experiments/configs/digits-mlp.yaml data.query=700",
		Args:    atLeast(1, "a configuration file"),
		RunE: func(_ *cobra.Command, args []string) error {
			config, err := c.load(args[0], args[1:])
			if err != nil {
				return err
			}
			plan, err := config.Plan()
			if err != nil {
				return err
			}
			return plan.Print(c.out)
		},
	}
}
