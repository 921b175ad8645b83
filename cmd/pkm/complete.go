package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pkm/experiments"
)

// completeConfig completes a configuration file and, behind it, overrides.
func completeConfig(_ *cobra.Command, args []string, text string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return []cobra.Completion{"yaml", "yml", "toml", "json"}, cobra.ShellCompDirectiveFilterFileExt
	}
	var found []cobra.Completion
	directive := cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	for _, c := range experiments.CompleteOverride(text) {
		found = append(found, cobra.CompletionWithDesc(c.Text, c.Meaning))
		if c.Partial {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
	}
	return found, directive
}

// completeRuns completes run directories: those in runs/, or in the folder that is typed; at most so many, 0 for any number.
func completeRuns(most int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, text string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		folders := foldersOfRuns(nil)
		if i := strings.LastIndex(text, "/"); i > 0 {
			folders = []string{text[:i]}
		}
		var found []cobra.Completion
		for _, dir := range experiments.FindRuns(folders) {
			if strings.HasPrefix(dir, text) && !slices.Contains(args, dir) {
				found = append(found, dir)
			}
		}
		if found == nil {
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeColumns completes the columns of a table to sort by.
func completeColumns(columns []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, text string) ([]cobra.Completion, cobra.ShellCompDirective) {
		sign := ""
		if strings.HasPrefix(text, "-") {
			sign = "-"
		}
		var found []cobra.Completion
		for _, c := range columns {
			found = append(found, sign+c)
		}
		return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// completeDirs completes folders.
func completeDirs(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completions adds what the arguments and flags of the commands under root may be.
func completions(root *cobra.Command) {
	runs := map[string]int{"compare": 0, "verify": 1, "explain": 1, "report": 1, "ls": 0, "clean": 0}
	for _, cmd := range root.Commands() {
		most, takesRuns := runs[cmd.Name()]
		switch {
		case takesRuns:
			cmd.ValidArgsFunction = completeRuns(most)
		case cmd.Name() == "run", cmd.Name() == "plan", cmd.Name() == "converge":
			cmd.ValidArgsFunction = completeConfig
		case cmd.Name() == "init", cmd.Name() == "sweep":
			cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
				if len(args) > 0 {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return []cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
			}
		}
		columns := experiments.ListColumns()
		if cmd.Name() == "compare" {
			columns = experiments.CompareColumns()
		}
		for name, complete := range map[string]cobra.CompletionFunc{"out": completeDirs, "dir": completeDirs, "sort": completeColumns(columns)} {
			if cmd.Flags().Lookup(name) != nil {
				_ = cmd.RegisterFlagCompletionFunc(name, complete) // it fails for a flag that is not there, or has one
			}
		}
	}
}

// checkShell makes pkm completion refuse a shell that it does not know.
func checkShell(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		var shells []string
		for _, shell := range cmd.Commands() {
			shells = append(shells, shell.Name())
		}
		cmd.Args = func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("completion: unknown shell %q; allowed: %s", args[0], strings.Join(shells, ", "))}
			}
			return nil
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
}
