// Package launch writes what a cluster's scheduler is given to start the workers of a sweep: array
// jobs for Slurm, Indexed Jobs for Kubernetes. Nothing of it runs anything.
package launch

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Workers are the processes to start, each a pkm worker.
type Workers struct {
	Name   string // of the jobs
	Count  int
	PerJob int // at most so many in one array

	Program   string        // pkm, as a worker's machine finds it
	Server    string        // URL, without a secret
	Sweep     string        // its id; "": the only one on the server
	Dir       string        // folder of the sweep, as a worker's machine sees it
	TokenFile string        // that holds the server's token, as a worker's machine sees it, or ""
	CA        string        // file of the certificate authorities, likewise, or ""
	WorkDir   string        // where workers run: data.path is relative to it; "": the scheduler's choice
	Wait      time.Duration // for the server and the sweep to be there

	CPUs   int
	Memory float64       // bytes
	Time   time.Duration // after which the scheduler ends a worker; 0: when it likes
}

// File is a file for the scheduler.
type File struct {
	Name    string
	Text    string
	Workers int // that it starts
}

// OptionError reports a value that cannot be used.
type OptionError struct{ Option, Fault string }

func (e *OptionError) Error() string { return fmt.Sprintf("%s %s", e.Option, e.Fault) }

// handBack is how long before the end of its time a worker is told to hand its trial back: it
// finishes the step under way and saves.
const handBack = 2 * time.Minute

// check reports the first value that cannot be used.
func (w *Workers) check() error {
	for _, n := range []struct {
		option string
		value  int
	}{{"--workers", w.Count}, {"--max-array", w.PerJob}, {"--cpus", w.CPUs}} {
		if n.value < 1 {
			return &OptionError{n.option, fmt.Sprintf("is %d; 1 is the least", n.value)}
		}
	}
	if w.Memory < 1<<20 {
		return &OptionError{"--memory", "is less than 1MiB"}
	}
	if w.Time != 0 && w.Time < handBack+time.Minute {
		return &OptionError{"--time", fmt.Sprintf("is %v; %v is the least, as trials are handed back %v before the end", w.Time, handBack+time.Minute, handBack)}
	}
	u, err := url.Parse(w.Server)
	switch {
	case w.Server == "":
		return &OptionError{"--server", "is missing, such as --server nats://coordinator:4222"}
	case err != nil || u.Host == "":
		return &OptionError{"--server", "is no address such as nats://coordinator:4222"}
	case u.User != nil:
		return &OptionError{"--server", "has a secret in it, which would be seen on command lines; leave it out and name the file that holds it with --token-file, or a Kubernetes secret with --token-secret"}
	}
	return printable("the sweep's name", w.Name, "--program", w.Program, "--server", w.Server, "--dir", w.Dir, "--token-file", w.TokenFile, "--tls-ca", w.CA, "--chdir", w.WorkDir)
}

// printable reports the first value, each after its option, in which something cannot be seen, such as
// a line break.
func printable(options ...string) error {
	for i := 0; i < len(options); i += 2 {
		if option, value := options[i], options[i+1]; strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return &OptionError{option, fmt.Sprintf("is %q, with a character that has no place in a name", value)}
		}
	}
	return nil
}

// arguments returns those of pkm.
func (w *Workers) arguments() []string {
	args := []string{"worker", "--server", w.Server, "--dir", w.Dir}
	for _, option := range [][2]string{{"--sweep", w.Sweep}, {"--token-file", w.TokenFile}, {"--tls-ca", w.CA}} {
		if option[1] != "" {
			args = append(args, option[0], option[1])
		}
	}
	if w.Wait > 0 {
		args = append(args, "--wait", w.Wait.String())
	}
	return args
}

// threads are the variables that bound a worker's threads.
func (w *Workers) threads() (variables [][2]string) {
	for _, name := range []string{"GOMAXPROCS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"} {
		variables = append(variables, [2]string{name, strconv.Itoa(w.CPUs)})
	}
	return variables
}

// part is a job: workers first … first+count−1 of all.
type part struct{ number, first, count int }

// parts splits the workers into as few jobs as can be.
func (w *Workers) parts() (parts []part) {
	for first := 0; first < w.Count; first += w.PerJob {
		parts = append(parts, part{len(parts) + 1, first, min(w.PerJob, w.Count-first)})
	}
	return parts
}

// mebibytes returns the memory in MiB, rounded up.
func (w *Workers) mebibytes() int64 { return int64((w.Memory + (1<<20 - 1)) / (1 << 20)) }
