package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pkm/experiments/sweeps"
)

// lostLocally is --lost-after where all workers are on this machine: no network makes them silent, and
// giving up one that lives costs little, as its trial's folder is locked.
const lostLocally = 5 * time.Second

func (c *command) sweepCommand() *cobra.Command {
	var flags accessFlags
	o := sweeps.Options{}
	cmd := &cobra.Command{
		Use:   "sweep FILE",
		Short: "Run an experiment with many parameters and compare what comes of it",
		Long: "sweep runs the trials that a sweep file describes on processes of this machine, or of others\n" +
			"(pkm worker) with --server, and keeps their table in results.csv and results.parquet. report.html is\n" +
			"written at the end, and when the sweep is interrupted.",
		Example: "  pkm sweep experiments/configs/sweeps/learning-rate.yaml --workers 2\n" +
			"  pkm sweep experiments/configs/sweeps/learning-rate.yaml --out sweeps/rates --resume\n" +
			"  pkm sweep best sweeps/rates",
		Args: atLeast(1, "a sweep file"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) > 1 {
				return usageError{fmt.Errorf("sweep: one sweep file is expected, found also %q; parameters of the experiment go into it", args[1])}
			}
			if o.RetryFailed && !o.Resume {
				return usageError{errors.New("sweep: --retry-failed goes with --resume")}
			}
			if o.Lost < time.Second {
				return usageError{fmt.Errorf("sweep: --lost-after is %v; a second is the least", o.Lost)}
			}
			if o.Workers < 0 {
				return usageError{fmt.Errorf("sweep: --workers is %d; 0 is the least", o.Workers)}
			}
			if o.Server, err = flags.access(c); err != nil {
				return err
			}
			o.LeaveServer = cmd.Flags().Changed("server") && o.Server.URL == ""
			if !cmd.Flags().Changed("lost-after") && o.Server.URL == "" {
				o.Lost = lostLocally
			}
			if !cmd.Flags().Changed("workers") && o.Server.URL == "" {
				o.Workers = runtime.NumCPU()
			}
			if o.Workers == 0 && o.Server.URL == "" {
				return usageError{errors.New("sweep: without --server at least one worker is needed")}
			}
			s, err := sweeps.Read(args[0], c.environ)
			if err != nil {
				return err
			}
			name := sweepName(args[0])
			if o.Dir == "" {
				o.Dir = filepath.Join("sweeps", name)
				if !o.Resume {
					if o.Dir, err = vacant("sweeps", name); err != nil {
						return err
					}
				}
			}
			return c.sweep(cmd, args[0], s, o)
		},
	}
	cmd.Flags().IntVar(&o.Workers, "workers", 0, "processes on this machine, of one core each (default: one for each core, none with --server)")
	cmd.Flags().StringVar(&o.Dir, "out", "", "folder of the sweep, new or empty (default sweeps/FILE, or sweeps/FILE-2 and so on where that is taken)")
	cmd.Flags().BoolVar(&o.Resume, "resume", false, "go on with a sweep that was killed, interrupted or stopped, or has a larger run_cap now")
	cmd.Flags().BoolVar(&o.RetryFailed, "retry-failed", false, "with --resume: run trials again that have failed")
	cmd.Flags().DurationVar(&o.Lost, "lost-after", 30*time.Second, "a worker that says nothing for so long is given up, and its trial goes to another; without --server 5s by default")
	flags.add(cmd, "NATS server with JetStream to use instead of an embedded one, such as nats://host:4222")
	cmd.AddCommand(c.sweepBestCommand(), c.sweepListCommand(), c.sweepShowCommand(), c.sweepReportCommand(), c.sweepLaunchCommand())
	return cmd
}

// sweepName returns the name of a sweep file without folder and extension.
func sweepName(file string) string {
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

// sweep runs a sweep and shows it.
func (c *command) sweep(cmd *cobra.Command, file string, s *sweeps.Sweep, o sweeps.Options) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to start workers: %w", err)
	}
	o.Worker = func() *exec.Cmd { return exec.Command(program, "worker") }
	begun := false
	o.Begun = func() {
		begun = true
		fmt.Fprintf(c.out, "sweep folder: %s\n%d trials by %s, %s %s\n", o.Dir, s.Trials, s.Method, s.Metric.Goal, s.Metric.Name)
		if n := s.AtOnce(); n < s.Trials && o.Workers > n {
			fmt.Fprintf(c.out, "note: at most %d trials run at once, so that %d of the %d workers have nothing to do\n", n, o.Workers-n, o.Workers)
		}
	}
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	view := newSweepView(c.out, s)
	o.Observe = view.observe
	table, err := sweeps.Run(ctx, s, o)
	view.finish()
	if err != nil {
		if begun { // also after an error that passes, such as a full disk
			fmt.Fprintln(c.errout, goOn(file, o.Dir, table))
		}
		return err
	}
	fmt.Fprintf(c.out, "\n%s\n", view.counts(table))
	if best := table.Best(); best != nil {
		results, err := sweeps.ReadResults(o.Dir)
		if err != nil {
			return err
		}
		fmt.Fprintln(c.out)
		if err := printTrials(c.out, results, results.Sorted(), 5); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "\nresults: %s\nreport: %s\n", filepath.Join(o.Dir, "results.csv"), filepath.Join(o.Dir, sweeps.ReportName))
	if table.Best() == nil {
		return fmt.Errorf("no trial has %s; see the column message of %s", s.Metric.Name, filepath.Join(o.Dir, "results.csv"))
	}
	return nil
}

// goOn says how a sweep is gone on with; of a table that is nil nothing is known.
func goOn(file, dir string, table *sweeps.Table) string {
	text := fmt.Sprintf("go on with it: pkm sweep %s --resume --out %s", file, dir)
	if table == nil {
		return text
	}
	if table.Server != "" {
		text += " --server " + table.Server
	}
	if n := table.Count(sweeps.Failed); n > 0 {
		text += fmt.Sprintf("; with --retry-failed also run the %d that failed again", n)
	}
	return text
}
