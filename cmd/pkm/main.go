// Command pkm trains a network, builds the kernel machine it is equivalent to and
// shows how closely the one reproduces the other.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"pkm/experiments"
	"pkm/experiments/sweeps"
	"pkm/internal/blas"
	"pkm/internal/compute"
	"pkm/training"
)

// The exit codes of pkm.
const (
	exitOK       = 0
	exitFailed   = 1 // a run failed, a check does not hold
	exitUsage    = 2 // wrong command line or configuration
	exitDiverged = 3
	exitSignal   = 128 // plus the signal's number: 130 for SIGINT, 143 for SIGTERM
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ syscall.Signal }

func (i interrupted) Error() string { return "interrupted by signal " + i.Signal.String() }

// Is makes an interruption a cancellation for errors.Is.
func (i interrupted) Is(target error) bool { return target == context.Canceled }

// interruptible returns a context that the first SIGINT or SIGTERM ends; the
// second ends the process at once.
func interruptible(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		first, ok := (<-signals).(syscall.Signal)
		if !ok {
			return
		}
		cancel(interrupted{first})
		second, ok := (<-signals).(syscall.Signal)
		if ok {
			os.Exit(exitSignal + int(second))
		}
	}()
	return ctx, func() { signal.Stop(signals); close(signals); cancel(nil) }
}

// command holds what the subcommands share.
type command struct {
	environ     []string
	in          io.Reader
	out, errout io.Writer
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args, environ []string, in io.Reader, out, errout io.Writer) int {
	c := &command{environ: environ, in: in, out: out, errout: errout}
	root := &cobra.Command{
		Use:   "pkm",
		Short: "Why did this network give this output?",
		Long: "pkm trains a neural network, follows the path of its weights and builds the kernel machine\n" +
			"that the network is equivalent to: every output as its initial value plus a signed\n" +
			"contribution from each training example.\n\n" +
			"Exit codes: 0 done; 1 failed, or a check does not hold; 2 wrong command line or configuration;\n" +
			"3 training diverged; 130 and 143 interrupted by SIGINT and SIGTERM.",
		Version:      experiments.Version(),
		SilenceUsage: true, SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q; see pkm --help", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errout)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(c.runCommand(), c.planCommand(), c.compareCommand(), c.convergeCommand(), c.explainCommand(), c.reportCommand(), c.verifyCommand())
	root.AddCommand(c.sweepCommand(), c.workerCommand())
	root.AddCommand(c.listCommand(), c.cleanCommand(), c.initCommand(), c.schemaCommand(), c.doctorCommand())
	completions(root)
	checkShell(root)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(errout, "pkm:", err)
	}
	return exitCode(err)
}

// usageError is a fault of the command line.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// exitCode maps an error to the exit code documented in the README.
func exitCode(err error) int {
	var usage usageError
	var config *experiments.ConfigError
	var choice *blas.ChoiceError
	var occupied *experiments.OccupiedError
	var memory *experiments.MemoryError
	var diverged *training.Diverged
	var allDiverged *experiments.AllDivergedError
	var signal interrupted
	var resume *experiments.ResumeError
	var folder *sweeps.FolderError
	var handed handedBack
	var explain *experiments.ExplainError
	var study *experiments.StudyError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &handed):
		return handed.code
	case errors.As(err, &signal):
		return exitSignal + int(signal.Signal)
	case isAny(err, &diverged, &allDiverged):
		return exitDiverged
	case isAny(err, &usage, &config, &choice, &occupied, &memory, &resume, &folder, &explain, &study):
		return exitUsage
	}
	return exitFailed
}

// atLeast demands that many arguments, named for the message.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return usageError{fmt.Errorf("%s: %s is missing; usage: %s", cmd.Name(), what, cmd.UseLine())}
		}
		return nil
	}
}

// engine opens the engine with the BLAS that PKM_BLAS asks for. With GOMAXPROCS=1 it computes on one core, but
// leaves Go a second processor: the only one would be taken away from every product of OpenBLAS that takes more
// than 20 µs, for which Go's monitor wakes up thousands of times a second and interrupts the product.
func (c *command) engine() (compute.Engine, error) {
	engine, err := compute.Open(c.variable("PKM_BLAS"))
	if err == nil && runtime.GOMAXPROCS(0) == 1 {
		engine.Pool.Close()
		runtime.GOMAXPROCS(2)
	}
	return engine, err
}

// isAny reports whether an error is, or wraps, one of the types that the targets point at.
func isAny(err error, targets ...any) bool {
	return slices.ContainsFunc(targets, func(t any) bool { return errors.As(err, t) })
}

// variable returns an environment variable.
func (c *command) variable(name string) string {
	value := ""
	for _, v := range c.environ {
		if len(v) > len(name) && v[:len(name)] == name && v[len(name)] == '=' {
			value = v[len(name)+1:]
		}
	}
	return value
}
