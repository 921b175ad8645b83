package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"pkm/experiments"
	"pkm/experiments/sweeps"
)

// distributedFlags are the flags of a run whose account is done by workers.
type distributedFlags struct {
	on      bool
	workers int
	lost    time.Duration
	access  accessFlags
}

func (f *distributedFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.on, "distributed", false, "train here, and have the kernel machines computed in parts by workers, each a process")
	flags.IntVar(&f.workers, "workers", 0, "with --distributed: processes on this machine, of one core each (default: one for each core, none with --server)")
	flags.DurationVar(&f.lost, "lost-after", 30*time.Second, "with --distributed: a worker that says nothing for so long is given up, and its part goes to another; without --server 5s by default")
	f.access.add(cmd, "with --distributed: NATS server with JetStream to use instead of an embedded one, such as nats://host:4222")
}

// distribute returns what has the parts done, and says on notes how far it is; nil for a run that is not distributed.
func (f *distributedFlags) distribute(c *command, cmd *cobra.Command, config *experiments.Config, notes io.Writer) (func(context.Context, experiments.Job) ([]experiments.PartFiles, error), error) {
	if !f.on {
		for _, name := range []string{"workers", "lost-after", "server", "token-file", "tls-ca"} {
			if cmd.Flags().Changed(name) {
				return nil, usageError{fmt.Errorf("run: --%s goes with --distributed", name)}
			}
		}
		return nil, nil
	}
	if !cmd.Flags().Changed("lost-after") && f.access.server == "" {
		f.lost = lostLocally
	}
	switch {
	case f.lost < time.Second:
		return nil, usageError{fmt.Errorf("run: --lost-after is %v; a second is the least", f.lost)}
	case f.workers < 0:
		return nil, usageError{fmt.Errorf("run: --workers is %d; 0 is the least", f.workers)}
	}
	if err := config.Distributable(); err != nil {
		return nil, usageError{fmt.Errorf("run: %w", err)}
	}
	access, err := f.access.access(c)
	if err != nil {
		return nil, err
	}
	if access.URL != "" { // before the network is trained
		conn, err := sweeps.Connect(access, "check")
		if err != nil {
			return nil, err
		}
		conn.Close()
	}
	if !cmd.Flags().Changed("workers") && access.URL == "" {
		f.workers = runtime.NumCPU()
	}
	if f.workers == 0 && access.URL == "" {
		return nil, usageError{errors.New("run: without --server at least one worker is needed")}
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to start workers: %w", err)
	}
	start := time.Now()
	d := sweeps.Distribution{Server: access, Workers: f.workers, Lost: f.lost, Worker: func() *exec.Cmd { return exec.Command(program, "worker") }}
	d.Observe = func(done, of int, note string) {
		switch {
		case note != "":
			fmt.Fprintf(notes, "%s\n", note)
		case done == 0:
			start = time.Now()
			fmt.Fprintf(notes, "account: %d parts\n", of)
		default:
			left := time.Duration(float64(time.Since(start)) / float64(done) * float64(of-done))
			fmt.Fprintf(notes, "account: part %d/%d  %v left\n", done, of, left.Round(time.Second))
		}
	}
	return d.Do, nil
}
