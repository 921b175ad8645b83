package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"pkm/experiments"
	"pkm/internal/atomicfile"
	"pkm/internal/compute"
)

func (c *command) explainCommand() *cobra.Command {
	var o experiments.ExplainOptions
	var asJSON, asCSV bool
	var top int
	var figure string
	cmd := &cobra.Command{
		Use:   "explain RUN --query K | --input FILE",
		Short: "Show which training samples pushed an output up and down",
		Example: "  pkm explain runs/digits-mlp --query 3\n" +
			"  pkm explain runs/digits-mlp --query 3 --class 5 --against 3\n" +
			"  pkm explain runs/digits-mlp --query 3 --target loss --figure loss.svg\n" +
			"  pkm explain runs/digits-mlp --input digit.png",
		Args: atLeast(1, "a run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := explainUsage(cmd, args, top, asJSON && asCSV); err != nil {
				return err
			}
			format := ""
			if figure != "" {
				var err error
				if format, err = experiments.FigureFormat(figure); err != nil {
					return usageError{err}
				}
				if _, err := os.Lstat(figure); err == nil {
					return usageError{fmt.Errorf("explain --figure %s: the file exists and is not overwritten", figure)}
				}
			}
			o.Engine = c.engineOf
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			bar := &replayProgress{command: c}
			o.Progress = bar.update
			all, err := experiments.Explain(ctx, args[0], top, o)
			bar.finish(err == nil)
			if err != nil {
				return err
			}
			if figure != "" {
				if len(all) != 1 {
					return usageError{fmt.Errorf("explain --figure draws one sample, %s has %d: give it a file of one", o.Input, len(all))}
				}
				if _, err := atomicfile.Write(figure, func(w io.Writer) error { return all[0].Figure(w, format) }); err != nil {
					return err
				}
			}
			switch {
			case asJSON:
				return experiments.WriteExplanationsJSON(c.out, all)
			case asCSV:
				return experiments.WriteExplanationsCSV(c.out, all)
			}
			for k, e := range all {
				if k > 0 {
					fmt.Fprintf(c.out, "\n\n")
				}
				if width, _, err := size(c.out); err == nil && width > 0 {
					fmt.Fprint(c.out, e.Strips(width, c.variable("NO_COLOR") == ""))
				}
				if err := e.WriteText(c.out); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Query, "query", 0, "number of the query, from 0")
	f.StringVar(&o.Input, "input", "", "explain the samples of this file instead (.npy, .png, .jpg, .gif, .csv), in the units of the data")
	f.StringVar(&o.Label, "label", "", "class, or numbers to predict, of the samples of --input")
	f.StringVar(&o.Machine, "machine", "", "machine of the run (default: the first that accounts for the target)")
	f.StringVar(&o.Target, "target", "", "output (or class), margin, loss or log-probability (default output)")
	f.StringVar(&o.Class, "class", "", "class, or output of a regression (default: the class that the network predicts)")
	f.StringVar(&o.Against, "against", "", "the other class of a margin (default: the best of the others)")
	f.IntVar(&top, "top", 10, "how many training samples for and against are listed; 0: all")
	f.BoolVar(&o.Replay, "replay", false, "follow the path again, for shares by layer and by time that the run did not keep")
	f.StringVar(&figure, "figure", "", "draw a sheet of the images and the bars into this .svg or .png file")
	f.BoolVar(&asJSON, "json", false, "print JSON, in full precision")
	f.BoolVar(&asCSV, "csv", false, "print the listed training samples as CSV, in full precision")
	return cmd
}

// explainUsage checks the command line.
func explainUsage(cmd *cobra.Command, args []string, top int, both bool) error {
	query, input := cmd.Flags().Changed("query"), cmd.Flags().Changed("input")
	switch {
	case len(args) > 1:
		return usageError{fmt.Errorf("explain takes one run directory, found %d", len(args))}
	case query && input:
		return usageError{fmt.Errorf("explain: --query and --input are both given; choose one")}
	case !query && !input:
		return usageError{fmt.Errorf("explain: neither --query nor --input is given; choose a query of the run, from 0, or a file of samples")}
	case top < 0:
		return usageError{fmt.Errorf("explain: --top is %d; a number from 0, which lists all, is due", top)}
	case both:
		return usageError{fmt.Errorf("explain: --json and --csv are both given; choose one")}
	}
	return nil
}

// engineOf opens the engine that a run was made with, unless PKM_BLAS names another.
func (c *command) engineOf(blas string) (compute.Engine, error) {
	if c.variable("PKM_BLAS") != "" {
		return c.engine()
	}
	name := "openblas"
	if strings.HasPrefix(blas, "gonum") {
		name = "gonum"
	}
	engine, err := compute.Open(name)
	if err != nil {
		return engine, fmt.Errorf("the run was made with %s: %w; PKM_BLAS=gonum tries another, which may not end in the same weights", blas, err)
	}
	return engine, nil
}

// replaying is the phase in which a path is followed again.
const replaying experiments.Phase = "replaying"

// replayProgress is the progress of a replay, which begins when it is told of one.
type replayProgress struct {
	*command
	*progress
}

func (p *replayProgress) update(now experiments.Progress) {
	if p.progress == nil {
		p.progress = newProgress(p.errout)
	}
	phase := replaying
	if math.IsNaN(now.Loss) { // as in an account of steps
		phase = experiments.PhaseAccounting
	}
	p.progress.update(phase, now)
}

func (p *replayProgress) finish(completed bool) {
	if p.progress != nil {
		p.progress.finish(completed)
	}
}
