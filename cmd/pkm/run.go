package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pkm/experiments"
)

func (c *command) runCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "run CONFIG [key=value …]",
		Short: "Train a network, build its kernel machines and compare them",
		Example: "  pkm run experiments/configs/digits-mlp.yaml\n" +
			"  pkm run experiments/configs/digits-mlp.yaml training.steps=100 --out runs/short",
		Args: atLeast(1, "a configuration file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := experiments.Load(args[0], args[1:], c.environ)
			if err != nil {
				return err
			}
			engine, err := c.engine()
			if err != nil {
				return err
			}
			defer engine.Close()
			if dir == "" {
				if dir, err = vacant("runs", config.Name); err != nil {
					return err
				}
			}
			fmt.Fprintf(c.out, "%s: %s\nBLAS: %s\nrun directory: %s\n", config.Name, config.Describe(), engine.Name(), dir)
			bar := newProgress(c.errout, config.Training.Steps)
			err = experiments.Execute(cmd.Context(), config, experiments.Options{Dir: dir, Engine: engine, Progress: bar.update})
			bar.finish(err == nil)
			if err != nil {
				if _, missing := os.Stat(dir); missing == nil && exitCode(err) != exitUsage {
					fmt.Fprintf(c.errout, "what there is of the run is in %s\n", dir)
				}
				return err
			}
			run, err := experiments.LoadRun(dir)
			if err != nil {
				return err
			}
			fmt.Fprintln(c.out)
			if err := experiments.Compare(c.out, []*experiments.Run{run}); err != nil {
				return err
			}
			fmt.Fprintf(c.out, "\nreport: %s\n", filepath.Join(dir, "report.html"))
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "out", "", "run directory, new or empty (default runs/NAME, or runs/NAME-2 and so on where that is taken)")
	return cmd
}

// vacant returns the first of parent/name, parent/name-2, … that does not exist.
func vacant(parent, name string) (string, error) {
	for n := 1; ; n++ {
		dir := filepath.Join(parent, name)
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", dir, n)
		}
		_, err := os.Lstat(dir)
		if errors.Is(err, os.ErrNotExist) {
			return dir, nil
		}
		if err != nil {
			return "", fmt.Errorf("choose a run directory: %w; name one with --out", err)
		}
	}
}
