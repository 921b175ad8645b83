package main

import (
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pkm/experiments"
)

func (c *command) convergeCommand() *cobra.Command {
	var halvings int
	var factors, rules []string
	var by, dir string
	var asJSON, asCSV bool
	cmd := &cobra.Command{
		Use:   "converge CONFIG|- [key=value …]",
		Short: "Measure how the errors of the machines fall with the learning rate",
		Long: "converge runs an experiment at several learning rates, with as many steps as keep the product of learning\n" +
			"rate and steps, and fits the slope of error over learning rate for every machine, on logarithmic axes.\n" +
			"All rules are machines of the same runs. Errors that rounding sets are left out of the fit.\n\n" +
			"Without --rules, the machines are those of the configuration and left, trapezoid, midpoint-1, gauss-2\n" +
			"and gauss-3 of family exact, left and trapezoid of family flow, where they account for the optimizer.\n" +
			"Of optimizer.kind flow, fixed_step is what is halved.\n\n" +
			"The same command again takes the runs that are there, and goes on with one that was interrupted.",
		Example: "  pkm converge experiments/configs/convergence.yaml\n" +
			"  pkm converge experiments/configs/convergence.yaml --halvings 2 --rules left,gauss-2,flow/trapezoid --out runs/orders\n" +
			"  pkm converge experiments/configs/convergence.yaml --factors 1,1/2,1/3 --csv > orders.csv",
		Args: atLeast(1, "a configuration file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && asCSV {
				return usageError{errors.New("converge: --json or --csv, not both")}
			}
			if cmd.Flags().Changed("halvings") && cmd.Flags().Changed("factors") {
				return usageError{errors.New("converge: --halvings or --factors, not both")}
			}
			config, err := c.load(args[0], args[1:])
			if err != nil {
				return err
			}
			study, err := newStudy(config, halvings, factors, rules)
			if err != nil {
				return err
			}
			if dir == "" {
				dir = filepath.Join("runs", config.Name+"-study")
			}
			result, err := c.converge(cmd, study, dir, by, asJSON || asCSV)
			if result == nil {
				return err
			}
			switch {
			case asJSON:
				err = errors.Join(err, result.JSON(c.out))
			case asCSV:
				err = errors.Join(err, result.CSV(c.out))
			default:
				fmt.Fprintln(c.out)
				err = errors.Join(err, result.Table(c.out))
				fmt.Fprintf(c.out, "\nfigure: %s, .png; figures in convergence.json, .csv\n", filepath.Join(dir, "convergence.svg"))
			}
			return err
		},
	}
	cmd.Flags().IntVar(&halvings, "halvings", 3, "how often the learning rate is halved")
	cmd.Flags().StringSliceVar(&factors, "factors", nil, "factors of the learning rate instead, such as 1,1/2,1/3")
	cmd.Flags().StringSliceVar(&rules, "rules", nil, "only the machines of these rules, such as left,gauss-2,flow/trapezoid")
	cmd.Flags().StringVar(&by, "error", experiments.RelativeErrorName, "the error that is fitted, relative_error or max_abs_error")
	cmd.Flags().StringVar(&dir, "out", "", "folder of the study, new, empty or of the same study (default runs/NAME-study)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print everything as JSON, in full precision")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print a line for each machine at each learning rate as CSV, in full precision")
	return cmd
}

// newStudy makes the study that the options ask for.
func newStudy(config *experiments.Config, halvings int, texts, rules []string) (*experiments.Study, error) {
	var factors []*big.Rat
	var err error
	if len(texts) > 0 {
		factors, err = experiments.ParseFactors(texts)
	} else {
		factors, err = experiments.Halvings(halvings)
	}
	if err != nil {
		return nil, err
	}
	return experiments.NewStudy(config, factors, rules)
}

// converge makes the runs of a study. What it says on the way goes to standard error where the result is
// for programs.
func (c *command) converge(cmd *cobra.Command, study *experiments.Study, dir, by string, quiet bool) (*experiments.Convergence, error) {
	engine, err := c.engine()
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	say := c.out
	if quiet {
		say = c.errout
	}
	fmt.Fprintf(say, "%s: %s\nBLAS: %s\n", study.Name, study.Levels[0].Config.Describe(), engine.Name())
	if len(study.Dropped) > 0 {
		fmt.Fprintf(say, "left out, as their error does not depend on the learning rate: %s\n", strings.Join(study.Dropped, ", "))
	}
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	var bar *progress
	level := 0
	result, err := study.Run(ctx, experiments.StudyOptions{Dir: dir, Engine: engine, Error: by,
		Begin: func(l experiments.StudyLevel, run string, done bool) {
			level++
			steps, there := l.Config.Training.Steps, ""
			if done {
				there = ", is there"
			}
			fmt.Fprintf(say, "run %d of %d: %s %g, %d steps, in %s%s\n", level, len(study.Levels), l.Quantity(), l.Rate(), steps, run, there)
			if !done {
				bar = newProgress(c.errout)
			}
		},
		Progress: func(p experiments.Progress) { bar.update(experiments.PhaseTraining, p) },
		End:      func(err error) { bar.finish(err == nil) },
	})
	if exitCode(err) > exitSignal {
		fmt.Fprintln(c.errout, "the same command goes on with the study")
	}
	return result, err
}
