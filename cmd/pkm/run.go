package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pkm/experiments"
)

// runOptions are the flags of pkm run.
type runOptions struct {
	dir    string
	resume bool
	quiet  bool
	json   bool
	print  string
}

func (c *command) runCommand() *cobra.Command {
	var o runOptions
	var parts distributedFlags
	cmd := &cobra.Command{
		Use:   "run CONFIG|- [key=value …]",
		Short: "Train a network, build its kernel machines and compare them",
		Example: "  pkm run experiments/configs/digits-mlp.yaml\n" +
			"  pkm run experiments/configs/digits-mlp.yaml training.steps=100 --out runs/short\n" +
			"  pkm run experiments/configs/digits-mlp.yaml --resume --out runs/short\n" +
			"  pkm run experiments/configs/digits-mlp.yaml --distributed --workers 2\n" +
			"  pkm run experiments/configs/digits-mlp.yaml --quiet --json | jq .summary.network",
		Args: atLeast(1, "a configuration file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("print-config") {
				return c.printConfig(args[0], args[1:], o.print)
			}
			config, err := c.load(args[0], args[1:])
			if err != nil {
				return err
			}
			c.keepToMemory(config)
			hints := c.errout // for people
			if o.quiet {
				hints = io.Discard
			}
			bars := newProgress(hints)
			distribute, err := parts.distribute(c, cmd, config, bars)
			if err != nil {
				return err
			}
			engine, err := c.engine()
			if err != nil {
				return err
			}
			defer engine.Close()
			options := experiments.Options{Engine: engine, Resume: o.resume, Distribute: distribute, Phase: bars.update}
			return c.execute(cmd.Context(), config, o, options, bars)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.dir, "out", "", "run directory, new or empty (default runs/NAME, or runs/NAME-2 and so on where that is taken; runs/NAME-dev with fast_dev_run)")
	flags.BoolVar(&o.resume, "resume", false, "go on with a run that was killed or interrupted, in --out or runs/NAME, to the same bytes")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "print nothing but errors; the exit code tells how it went")
	flags.BoolVar(&o.json, "json", false, "print one JSON object at the end instead of text: run directory, outcome, summary")
	flags.StringVar(&o.print, "print-config", "", "print the resolved configuration and do not run; =sources adds where each value comes from")
	flags.Lookup("print-config").NoOptDefVal = "values"
	parts.add(cmd)
	return cmd
}

// execute runs a configuration and says how it went.
func (c *command) execute(ctx context.Context, config *experiments.Config, o runOptions, options experiments.Options, bars *progress) error {
	text := c.out // for people
	if o.json || o.quiet {
		text = io.Discard
	}
	fmt.Fprintf(text, "%s: %s\nBLAS: %s\n", config.Name, config.Describe(), options.Engine.Name())
	ctx, stop := interruptible(ctx)
	defer stop()
	options.Begun = func(dir string) { fmt.Fprintf(text, "run directory: %s\n", dir) }
	name := config.Name
	if config.FastDevRun {
		name += "-dev"
	}
	dir, err := c.into(o.dir, o.resume, name, func(dir string) error {
		options.Dir = dir
		return experiments.Execute(ctx, config, options)
	})
	bars.finish(err == nil)
	code := exitCode(err)
	if code == exitUsage {
		return err // nothing was begun
	}
	if o.json {
		err = errors.Join(err, c.printResult(dir, code))
	}
	if err != nil {
		if _, unreadable := experiments.ReadManifest(dir); unreadable == nil {
			fmt.Fprintf(bars.out, "what there is of the run is in %s\n", dir)
		}
		if code > exitSignal {
			fmt.Fprintf(bars.out, "go on with it: the same command with --resume --out %s\n", dir)
		}
		return err
	}
	if o.json || o.quiet {
		return nil
	}
	run, err := experiments.LoadRun(dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(text)
	if err := experiments.Compare(text, []*experiments.Run{run}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(text, "\nreport: %s\n", filepath.Join(dir, "report.html"))
	return err
}

// into calls execute with the run directory: the given one, or one under runs/ that is not taken.
func (c *command) into(dir string, resume bool, name string, execute func(dir string) error) (string, error) {
	if dir == "" && resume {
		dir = filepath.Join(runsFolder, name)
	}
	if dir != "" {
		return dir, execute(dir)
	}
	for {
		dir, err := vacant(runsFolder, name)
		if err != nil {
			return "", err
		}
		err = execute(dir)
		var occupied *experiments.OccupiedError
		if !errors.As(err, &occupied) {
			return dir, err
		} // else another run took the name meanwhile
	}
}

// printResult prints how a run went as one JSON object.
func (c *command) printResult(dir string, code int) error {
	m, err := experiments.ReadManifest(dir)
	if err != nil {
		return nil // there is no run to tell of, and why is the error of the run
	}
	result := struct {
		Run      string               `json:"run"`
		Name     string               `json:"name"`
		Outcome  experiments.Outcome  `json:"outcome"`
		Reason   string               `json:"reason"` // why not completed
		ExitCode int                  `json:"exit_code"`
		Report   *string              `json:"report"`  // null where there is none
		Summary  *experiments.Summary `json:"summary"` // null unless completed
	}{Run: dir, Name: m.Name, Outcome: m.Outcome, Reason: m.Reason, ExitCode: code}
	if run, err := experiments.LoadRun(dir); err == nil {
		report := filepath.Join(dir, "report.html")
		result.Report, result.Summary = &report, &run.Summary
	}
	b, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s\n", b)
	return err
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
