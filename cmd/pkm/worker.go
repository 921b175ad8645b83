package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pkm/experiments/sweeps"
)

// accessFlags are the flags with which a server is reached.
type accessFlags struct{ server, tokenFile, ca string }

func (a *accessFlags) add(cmd *cobra.Command, server string) {
	cmd.Flags().StringVar(&a.server, "server", "", server)
	cmd.Flags().StringVar(&a.tokenFile, "token-file", "", "file with the token that the server asks for (default: the variable "+sweeps.TokenVariable+")")
	cmd.Flags().StringVar(&a.ca, "tls-ca", "", "certificate authorities of the server, in PEM (default: those of the system)")
}

// access reads the token.
func (a *accessFlags) access(c *command) (sweeps.Access, error) {
	access := sweeps.Access{URL: a.server, Token: c.variable(sweeps.TokenVariable), CA: a.ca}
	if a.tokenFile != "" {
		text, err := os.ReadFile(a.tokenFile)
		if err != nil {
			return access, usageError{fmt.Errorf("read the server's token: %w", err)}
		}
		access.Token = strings.TrimSpace(string(text))
	}
	return access, nil
}

func (c *command) workerCommand() *cobra.Command {
	var flags accessFlags
	var sweep, dir string
	var untilStdinCloses bool
	var wait time.Duration
	var handBackCode int
	cmd := &cobra.Command{
		Use:   "worker --server nats://HOST:PORT",
		Short: "Take trials of a sweep, or parts of a run, from a server until it is over",
		Long: "worker takes trials from the work queue of a sweep, or parts of a run that is distributed, one at a time, and does them.\n" +
			"SIGUSR1: it finishes the trial under way and ends. SIGTERM and SIGINT: it finishes the step\n" +
			"under way, saves, hands the trial back and ends. Both are exit code 0.",
		Example: "  pkm worker --server nats://coordinator:4222 --token-file token --dir /shared/sweeps/rates",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.server == "" {
				return usageError{errors.New("worker: --server is missing, such as --server nats://coordinator:4222")}
			}
			access, err := flags.access(c)
			if err != nil {
				return err
			}
			engine, err := c.engine()
			if err != nil {
				return err
			}
			defer engine.Close()
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			ctx, orphaned := context.WithCancelCause(ctx)
			defer orphaned(nil)
			if untilStdinCloses {
				go func() {
					_, _ = io.Copy(io.Discard, c.in)
					orphaned(errOrphaned)
				}()
			}
			w := &sweeps.Worker{Sweep: sweep, Dir: dir, Engine: engine, Name: sweeps.WorkerName(), Wait: wait, Log: func(format string, args ...any) {
				fmt.Fprintf(c.errout, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
			}}
			w.Conn, err = sweeps.ConnectPatiently(ctx, access, w.Name, wait)
			if err == nil {
				defer w.Conn.Close()
				err = w.Run(ctx, usr1())
			}
			var signal interrupted
			switch {
			case errors.As(err, &signal) && handBackCode != 0:
				return handedBack{err, handBackCode}
			case errors.As(err, &signal), errors.Is(err, errOrphaned):
				return nil
			}
			return err
		},
	}
	flags.add(cmd, "server of the sweep")
	cmd.Flags().StringVar(&sweep, "sweep", "", "id of the sweep or the run, where the server has several")
	cmd.Flags().StringVar(&dir, "dir", ".", "folder of the sweep, as this machine sees it: runs go to its trials; or of the run, which all workers share")
	cmd.Flags().DurationVar(&wait, "wait", 0, "for the server and the sweep to be there")
	cmd.Flags().IntVar(&handBackCode, "hand-back-code", 0, "exit code after SIGTERM and SIGINT, other than 0 where a scheduler is to begin the worker again")
	cmd.Flags().BoolVar(&untilStdinCloses, "until-stdin-closes", false, "end as after SIGTERM when standard input closes: a coordinator's own workers end with it")
	return cmd
}

// handedBack is the end of a worker whose exit code is chosen.
type handedBack struct {
	error
	code int
}

// errOrphaned ends a worker whose coordinator has ended.
var errOrphaned = fmt.Errorf("standard input is closed: %w", context.Canceled)
