package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pkm/experiments"
)

func (c *command) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of configurations, for editors",
		Example: "  pkm schema > pkm.schema.json     # then, in a configuration: # yaml-language-server: $schema=pkm.schema.json",
		Args:    atMost(0),
		RunE: func(*cobra.Command, []string) error {
			text, err := experiments.JSONSchema()
			if err != nil {
				return err
			}
			_, err = c.out.Write(text)
			return err
		},
	}
}

func (c *command) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "init [FILE|-]",
		Short:   "Write a configuration to begin with, every key explained",
		Example: "  pkm init my-experiment.yaml",
		Args:    atMost(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path := "experiment.yaml"
			if len(args) > 0 {
				path = args[0]
			}
			name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
			switch ext := filepath.Ext(path); {
			case path == "-":
				name = "experiment"
			case ext != ".yaml" && ext != ".yml":
				return usageError{fmt.Errorf("init: %s: it is written as YAML; name it %s.yaml", path, strings.TrimSuffix(path, ext))}
			}
			text, err := experiments.Starter(name)
			if err != nil {
				return fmt.Errorf("init: an experiment named after %s: %w", path, err)
			}
			if path == "-" {
				_, err = c.out.Write(text)
				return err
			}
			file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return usageError{fmt.Errorf("init: %s exists and is not overwritten; name another file", path)}
			}
			if err != nil {
				return fmt.Errorf("init: %w", err)
			}
			_, err = file.Write(text)
			if err = errors.Join(err, file.Close()); err != nil {
				return fmt.Errorf("init: write %s: %w", path, errors.Join(err, os.Remove(path)))
			}
			fmt.Fprintf(c.out, "%s; run it with: pkm run %s\n", path, path)
			return nil
		},
	}
}

// atMost refuses further arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usageError{fmt.Errorf("%s: %q is one argument too many; usage: %s", cmd.Name(), args[n], cmd.UseLine())}
		}
		return nil
	}
}
