package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pkm/experiments"
)

func (c *command) runCommand() *cobra.Command {
	var dir string
	var resume bool
	var print string
	var parts distributedFlags
	cmd := &cobra.Command{
		Use:   "run CONFIG|- [key=value …]",
		Short: "Train a network, build its kernel machines and compare them",
		Example: "  pkm run experiments/configs/digits-mlp.yaml\n" +
			"  pkm run experiments/configs/digits-mlp.yaml training.steps=100 --out runs/short\n" +
			"  pkm run experiments/configs/digits-mlp.yaml --resume --out runs/short\n" +
			"  pkm run experiments/configs/digits-mlp.yaml --distributed --workers 2",
		Args: atLeast(1, "a configuration file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("print-config") {
				return c.printConfig(args[0], args[1:], print)
			}
			config, err := c.load(args[0], args[1:])
			if err != nil {
				return err
			}
			c.keepToMemory(config)
			distribute, err := parts.distribute(c, cmd, config)
			if err != nil {
				return err
			}
			engine, err := c.engine()
			if err != nil {
				return err
			}
			defer engine.Close()
			named := dir != "" || resume
			if resume && dir == "" {
				dir = filepath.Join("runs", config.Name)
			}
			if !named {
				if dir, err = vacant("runs", config.Name); err != nil {
					return err
				}
			}
			fmt.Fprintf(c.out, "%s: %s\nBLAS: %s\n", config.Name, config.Describe(), engine.Name())
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			bar := newProgress(c.errout, config.Training.Steps)
			options := experiments.Options{Engine: engine, Resume: resume, Distribute: distribute, Progress: bar.update, Begun: func(dir string) { fmt.Fprintf(c.out, "run directory: %s\n", dir) }}
			for {
				options.Dir = dir
				err = experiments.Execute(ctx, config, options)
				var occupied *experiments.OccupiedError
				if named || !errors.As(err, &occupied) {
					break
				}
				// Another run took the name meanwhile.
				if dir, err = vacant("runs", config.Name); err != nil {
					return err
				}
			}
			bar.finish(err == nil)
			if err != nil {
				if _, unreadable := experiments.ReadManifest(dir); unreadable == nil && exitCode(err) != exitUsage {
					fmt.Fprintf(c.errout, "what there is of the run is in %s\n", dir)
				}
				if exitCode(err) > exitSignal {
					fmt.Fprintf(c.errout, "go on with it: the same command with --resume --out %s\n", dir)
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
	cmd.Flags().BoolVar(&resume, "resume", false, "go on with a run that was killed or interrupted, in --out or runs/NAME, to the same bytes")
	cmd.Flags().StringVar(&print, "print-config", "", "print the resolved configuration and do not run; =sources adds where each value comes from")
	cmd.Flags().Lookup("print-config").NoOptDefVal = "values"
	parts.add(cmd)
	return cmd
}

// printConfig prints what a run would use.
func (c *command) printConfig(path string, overrides []string, form string) error {
	if form != "values" && form != "sources" {
		return usageError{fmt.Errorf("--print-config=%s: allowed: --print-config, --print-config=sources", form)}
	}
	config, sources, err := c.loadSources(path, overrides)
	if err != nil {
		return err
	}
	text, err := config.YAML()
	if form == "sources" {
		text, err = sources.YAML(config)
	}
	if err != nil {
		return err
	}
	_, err = c.out.Write(text)
	return err
}

// load reads a configuration; - is standard input, as YAML.
func (c *command) load(path string, overrides []string) (*experiments.Config, error) {
	config, _, err := c.loadSources(path, overrides)
	return config, err
}

// loadSources is load, and says where each value comes from.
func (c *command) loadSources(path string, overrides []string) (*experiments.Config, *experiments.Sources, error) {
	if path != "-" {
		return experiments.LoadSources(path, overrides, c.environ)
	}
	text, err := io.ReadAll(io.LimitReader(c.in, 1<<20))
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration from standard input: %w", err)
	}
	return experiments.ParseSources("standard input", text, "yaml", overrides, c.environ)
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
