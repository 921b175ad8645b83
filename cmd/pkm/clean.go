package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pkm/experiments"
)

func (c *command) cleanCommand() *cobra.Command {
	var o experiments.Cleaning
	var older string
	var yes, dry bool
	cmd := &cobra.Command{
		Use:   "clean [DIR…] --keep N | --failed | --older-than AGE",
		Short: "Remove runs that are not needed any more",
		Long: "clean finds the runs in folders, runs/ by default, that meet every condition that is given, lists them and asks\n" +
			"before it removes them. It removes nothing but directories of runs that have ended and hold only files of the\n" +
			"run; anything else, such as a run with a file of your own in it, is left, and it says why.",
		Example: "  pkm clean --failed\n" +
			"  pkm clean --keep 10 --older-than 7d\n" +
			"  pkm clean runs --keep 10 --yes",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			kept := cmd.Flags().Changed("keep")
			switch {
			case !kept && !o.Failed && older == "":
				return usageError{errors.New("clean: which runs? say --keep N, --failed or --older-than AGE; see pkm clean --help")}
			case o.Keep < 0:
				return usageError{fmt.Errorf("clean: --keep is %d; 0 is the least", o.Keep)}
			case yes && dry:
				return usageError{errors.New("clean: one of --yes and --dry-run")}
			case older != "":
				if o.OlderThan, err = experiments.ParseAge(older); err != nil {
					return usageError{fmt.Errorf("clean: --older-than: %w", err)}
				}
			}
			o.Now = time.Now()
			removals, err := o.Plan(foldersOfRuns(args))
			if err != nil {
				return err // nothing is removed where not everything was seen
			}
			return c.clean(removals, yes, dry)
		},
	}
	cmd.Flags().IntVar(&o.Keep, "keep", 0, "spare so many runs, the latest of all in the folders")
	cmd.Flags().BoolVar(&o.Failed, "failed", false, "only runs that failed or diverged")
	cmd.Flags().StringVar(&older, "older-than", "", "only runs that ended so long ago, such as 12h, 7d or 2w")
	cmd.Flags().BoolVar(&o.Interrupted, "interrupted", false, "also runs that were interrupted or killed, which pkm run --resume could go on with")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only list")
	return cmd
}

// clean lists what is to be removed, asks and removes it.
func (c *command) clean(removals []experiments.Removal, yes, dry bool) error {
	var runs []experiments.ListedRun
	bytes := 0.0
	for _, r := range removals {
		if r.Left != "" {
			fmt.Fprintf(c.errout, "left: %s: %s\n", r.Run.Path, r.Left)
			continue
		}
		runs = append(runs, r.Run)
		if b := float64(r.Run.Bytes); !math.IsNaN(b) {
			bytes += b
		}
	}
	if len(runs) == 0 {
		fmt.Fprintln(c.errout, "there is nothing to remove")
		return nil
	}
	if err := experiments.ListTable(c.out, runs); err != nil {
		return err
	}
	what := fmt.Sprintf("%d runs, %s", len(runs), experiments.Size(int64(bytes)))
	if len(runs) == 1 {
		what = fmt.Sprintf("1 run, %s", experiments.Size(int64(bytes)))
	}
	if dry {
		_, err := fmt.Fprintf(c.out, "\nwould remove %s\n", what)
		return err
	}
	if !yes {
		fmt.Fprintf(c.errout, "\nremove %s? [y/N] ", what)
		answer := ""
		if c.in != nil {
			answer, _ = bufio.NewReader(c.in).ReadString('\n') // no answer is none
		}
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
			return errors.New("clean: nothing was removed; answer y, or say --yes")
		}
	}
	var faults []error
	removed := 0
	for _, r := range removals {
		if r.Left != "" {
			continue
		}
		if err := r.Remove(); err != nil {
			faults = append(faults, err)
			continue
		}
		removed++
	}
	if faults == nil {
		fmt.Fprintf(c.out, "removed %s\n", what)
	} else {
		fmt.Fprintf(c.out, "removed %d of %s\n", removed, what)
	}
	return errors.Join(faults...)
}
