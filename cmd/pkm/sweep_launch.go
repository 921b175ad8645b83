package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pkm/experiments"
	"pkm/experiments/sweeps"
	"pkm/experiments/sweeps/launch"
	"pkm/internal/atomicfile"
)

func (c *command) sweepLaunchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "launch slurm|kubernetes FILE",
		Short: "Start a sweep's workers on a cluster",
		Long: "launch writes array job scripts or manifests of Indexed Jobs that start workers of a sweep, each a pkm\n" +
			"worker; --submit hands them to the scheduler. The sweep's own process is pkm sweep FILE --server URL.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("launch: a scheduler is missing, slurm or kubernetes, then a sweep file; see pkm sweep launch --help")}
			}
			return usageError{fmt.Errorf("launch: %q is no scheduler that is known; slurm and kubernetes are", args[0])}
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.launchSlurmCommand(), c.launchKubernetesCommand())
	return cmd
}

// launching is what both schedulers have in common.
type launching struct {
	workers            launch.Workers
	out, files, memory string
	submit             bool
}

func (l *launching) add(cmd *cobra.Command) {
	w := &l.workers
	cmd.Flags().IntVar(&w.Count, "workers", 0, "to start (default: as many as trials run at once where results decide on others: the file's concurrency or population; else one for each trial, 64 at most)")
	cmd.Flags().StringVar(&w.Server, "server", "", "server of the sweep, as workers reach it, such as nats://host:4222")
	cmd.Flags().StringVar(&w.TokenFile, "token-file", "", "file with the server's token, as workers see it")
	cmd.Flags().StringVar(&w.CA, "tls-ca", "", "certificate authorities of the server, in PEM, as workers see them (default: those of the system)")
	cmd.Flags().StringVar(&l.out, "out", "", "folder of the sweep (default sweeps/FILE)")
	cmd.Flags().StringVar(&l.files, "files", "", "folder for what is written, new or empty (default the sweep's with -workers, -workers-2 and so on)")
	cmd.Flags().IntVar(&w.CPUs, "cpus", 1, "cores of a worker")
	cmd.Flags().StringVar(&l.memory, "memory", "4GiB", "of a worker")
	cmd.Flags().DurationVar(&w.Wait, "wait", 10*time.Minute, "that a worker waits for the server and the sweep to be there")
	cmd.Flags().BoolVar(&l.submit, "submit", false, "hand what is written to the scheduler")
}

// prepare completes what the flags say.
func (l *launching) prepare(cmd *cobra.Command, c *command, file string) error {
	s, err := sweeps.Read(file, c.environ)
	if err != nil {
		return err
	}
	w := &l.workers
	w.Name = sweepName(file)
	if !cmd.Flags().Changed("workers") {
		if w.Count = s.AtOnce(); w.Count == s.Trials {
			w.Count = min(s.Trials, 64)
		}
	}
	bytes, ok := experiments.ParseSize(l.memory)
	if !ok {
		return usageError{fmt.Errorf("launch: --memory is %q; it is a number and a unit, such as 4GiB", l.memory)}
	}
	w.Memory = bytes
	if l.out == "" {
		l.out = filepath.Join("sweeps", w.Name)
	}
	if l.out, err = filepath.Abs(l.out); err != nil {
		return err
	}
	d, err := sweeps.ReadDefinition(l.out)
	var none *sweeps.FolderError
	switch {
	case err == nil:
		w.Sweep = d.ID
	case !errors.As(err, &none):
		return err
	}
	if l.files == "" {
		l.files, err = vacant(filepath.Dir(l.out), filepath.Base(l.out)+"-workers")
	} else {
		l.files, err = filepath.Abs(l.files)
	}
	return err
}

// write writes the files and submits them by a command, or says how.
func (l *launching) write(ctx context.Context, c *command, file string, files []launch.File, err error, submit ...string) error {
	var option *launch.OptionError
	if errors.As(err, &option) {
		return usageError{fmt.Errorf("launch: %w", err)}
	}
	if err != nil {
		return err
	}
	if l.submit {
		if _, err := exec.LookPath(submit[0]); err != nil {
			return fmt.Errorf("launch: %w; leave out --submit, and submit what is written where it is", err)
		}
	}
	if entries, err := os.ReadDir(l.files); err == nil && len(entries) > 0 {
		return usageError{fmt.Errorf("launch: there is something in %s; choose another folder with --files", l.files)}
	}
	if err := os.MkdirAll(l.files, 0o777); err != nil {
		return fmt.Errorf("launch: %w", err)
	}
	for _, f := range files {
		if _, err := atomicfile.Write(filepath.Join(l.files, f.Name), func(w io.Writer) error { _, err := io.WriteString(w, f.Text); return err }); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s: %d workers\n", filepath.Join(l.files, f.Name), f.Workers)
	}
	l.warn(c)
	if l.workers.Sweep == "" {
		begin := []string{"pkm", "sweep", file, "--server", l.workers.Server, "--out", l.out}
		fmt.Fprintf(c.out, "The sweep has not begun; workers wait %v for it. Begin it, with --token-file where the server asks for one:\n  %s\n", l.workers.Wait, launch.Command(begin))
	}
	if !l.submit {
		fmt.Fprintln(c.out, "Submit the workers:")
		for _, f := range files {
			fmt.Fprintf(c.out, "  %s\n", launch.Command(append(submit[:len(submit):len(submit)], filepath.Join(l.files, f.Name))))
		}
		return nil
	}
	for _, f := range files {
		cmd := exec.CommandContext(ctx, submit[0], append(submit[1:len(submit):len(submit)], filepath.Join(l.files, f.Name))...)
		for _, v := range os.Environ() { // the scheduler would keep the token
			if !strings.HasPrefix(v, sweeps.TokenVariable+"=") {
				cmd.Env = append(cmd.Env, v)
			}
		}
		var said, complaint bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &complaint
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("launch: submit %s: %w: %s", f.Name, err, strings.TrimSpace(complaint.String()+said.String()))
		}
		fmt.Fprintf(c.out, "submitted %s: %s\n", f.Name, strings.TrimSpace(said.String()))
	}
	return nil
}

// warn says what will probably not work, or should not be so.
func (l *launching) warn(c *command) {
	if u, err := url.Parse(l.workers.Server); err == nil {
		if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			fmt.Fprintf(c.errout, "note: only workers on this machine reach %s\n", l.workers.Server)
		}
	}
	if info, err := os.Stat(l.workers.TokenFile); err == nil && info.Mode().Perm()&0o077 != 0 {
		fmt.Fprintf(c.errout, "note: others may read the token in %s; chmod 600 it\n", l.workers.TokenFile)
	}
}

func (c *command) launchSlurmCommand() *cobra.Command {
	var l launching
	s := launch.Slurm{}
	cmd := &cobra.Command{
		Use:   "slurm FILE --server URL",
		Short: "As array jobs of Slurm",
		Long: "slurm writes array job scripts that start workers. Before its time is over a worker hands its trial back;\n" +
			"one that is preempted is queued again.",
		Example: "  pkm sweep launch slurm rates.yaml --server nats://login1:4222 --token-file ~/token --workers 32 --time 4h --submit",
		Args:    atLeast(1, "a sweep file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := l.prepare(cmd, c, args[0]); err != nil {
				return err
			}
			w := &l.workers
			var err error
			for _, path := range []*string{&w.TokenFile, &w.CA, &w.WorkDir, &w.Dir} {
				if *path == "" && (path == &w.TokenFile || path == &w.CA) {
					continue
				}
				if *path == "" && path == &w.Dir {
					*path = l.out
				}
				if *path, err = filepath.Abs(*path); err != nil {
					return err
				}
			}
			if w.Program == "" {
				if w.Program, err = os.Executable(); err != nil {
					return fmt.Errorf("find this program, to start workers: %w; name it with --program", err)
				}
			}
			if w.TokenFile == "" && c.variable(sweeps.TokenVariable) != "" {
				return usageError{fmt.Errorf("launch: the token in %s does not reach workers; write it to a file that only you can read, and name that with --token-file", sweeps.TokenVariable)}
			}
			if !cmd.Flags().Changed("max-array") {
				w.PerJob = maxArraySize(cmd.Context())
			}
			s.Workers, s.Logs = *w, l.files
			files, err := s.Files()
			return l.write(cmd.Context(), c, args[0], files, err, "sbatch")
		},
	}
	l.add(cmd)
	cmd.Flags().StringVar(&l.workers.Program, "program", "", "pkm, as workers see it (default: this one)")
	cmd.Flags().StringVar(&l.workers.Dir, "dir", "", "folder of the sweep, as workers see it (default: --out)")
	cmd.Flags().StringVar(&l.workers.WorkDir, "chdir", "", "where workers run: data.path is relative to it (default: here)")
	cmd.Flags().DurationVar(&l.workers.Time, "time", 0, "after which Slurm ends a worker (default: the partition's)")
	cmd.Flags().IntVar(&l.workers.PerJob, "max-array", 0, fmt.Sprintf("tasks of an array (default: MaxArraySize of scontrol show config, or %d)", launch.DefaultMaxArray))
	cmd.Flags().StringVar(&s.Partition, "partition", "", "of the cluster (default: the site's)")
	cmd.Flags().StringVar(&s.Account, "account", "", "to charge (default: yours)")
	return cmd
}

// maxArraySize asks Slurm how long an array may be.
func maxArraySize(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "scontrol", "show", "config").Output()
	if err != nil {
		return launch.DefaultMaxArray
	}
	if m := regexp.MustCompile(`(?m)^MaxArraySize\s*=\s*(\d+)`).FindSubmatch(out); m != nil {
		if n, err := strconv.Atoi(string(m[1])); err == nil {
			return n
		}
	}
	return launch.DefaultMaxArray
}

func (c *command) launchKubernetesCommand() *cobra.Command {
	var l launching
	var secret string
	k := launch.Kubernetes{}
	cmd := &cobra.Command{
		Use:     "kubernetes FILE --server URL --image IMAGE",
		Aliases: []string{"k8s"},
		Short:   "As Indexed Jobs of Kubernetes",
		Long: "kubernetes writes manifests of Indexed Jobs that start workers, for Kubernetes 1.29 or later. The sweep's folder\n" +
			"is on the volume of --claim; without one runs stay in their pods, and the table has their figures all the same.",
		Example: "  kubectl create secret generic pkm --from-file=token\n" +
			"  pkm sweep launch kubernetes rates.yaml --server nats://nats:4222 --token-secret pkm/token --image registry.example/pkm:1 --claim shared --submit",
		Args: atLeast(1, "a sweep file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := l.prepare(cmd, c, args[0]); err != nil {
				return err
			}
			if l.workers.Dir == "" {
				l.workers.Dir = path.Join(k.Mount, filepath.Base(l.out))
			}
			if l.workers.Program == "" {
				l.workers.Program = "pkm"
			}
			var ok bool
			if k.Secret, k.SecretKey, ok = strings.Cut(secret, "/"); secret != "" && (!ok || k.Secret == "" || k.SecretKey == "") {
				return usageError{fmt.Errorf("launch: --token-secret is %q; it is the name of a secret, a slash and a key of it, such as pkm/token", secret)}
			}
			k.Workers = l.workers
			files, err := k.Files()
			return l.write(cmd.Context(), c, args[0], files, err, "kubectl", "create", "-f")
		},
	}
	l.add(cmd)
	cmd.Flags().StringVar(&l.workers.Program, "program", "pkm", "pkm in the image")
	cmd.Flags().StringVar(&l.workers.Dir, "dir", "", "folder of the sweep, as workers see it (default: its name within --mount)")
	cmd.Flags().StringVar(&l.workers.WorkDir, "chdir", "", "where workers run: data.path is relative to it (default: the image's)")
	cmd.Flags().DurationVar(&l.workers.Time, "time", 0, "after which Kubernetes ends a Job (default: none)")
	cmd.Flags().IntVar(&l.workers.PerJob, "max-array", launch.MaxIndexes, "workers of a Job")
	cmd.Flags().StringVar(&k.Image, "image", "", "of a container that holds pkm")
	cmd.Flags().StringVar(&k.Namespace, "namespace", "", "of the jobs (default: kubectl's)")
	cmd.Flags().StringVar(&k.Claim, "claim", "", "persistent volume claim of shared storage")
	cmd.Flags().StringVar(&k.Mount, "mount", "/sweeps", "where the claim is in workers")
	cmd.Flags().StringVar(&secret, "token-secret", "", "NAME/KEY of the secret that holds the server's token")
	return cmd
}
