package launch

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Slurm are workers on a cluster with Slurm.
type Slurm struct {
	Workers
	Partition string // "": the site's default
	Account   string // likewise
	Logs      string // folder of what workers say; there has to be one
}

// DefaultMaxArray is the largest number of tasks in an array of Slurm (MaxArraySize in
// slurm.conf) unless a site has set another.
const DefaultMaxArray = 1001

// Files returns array job scripts, each with at most PerJob workers.
//
// A worker is told by SIGTERM to hand its trial back before its time is over, and is queued again
// where it is preempted or its node fails.
func (s *Slurm) Files() ([]File, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := printable("--partition", s.Partition, "--account", s.Account, "the folder of the workers", s.Logs); err != nil {
		return nil, err
	}
	if strings.Contains(s.Logs, `\`) {
		return nil, &OptionError{"the folder of the workers", fmt.Sprintf("is %q: Slurm takes no backslash in it", s.Logs)}
	}
	var files []File
	for _, p := range s.parts() {
		name := fmt.Sprintf("workers-%d.sbatch", p.number)
		files = append(files, File{name, s.script(name, p), p.count})
	}
	return files, nil
}

// script returns the script of one array.
func (s *Slurm) script(name string, p part) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("#!/bin/bash")
	line("# Workers %d to %d of %d of the sweep %s, by pkm sweep launch slurm. Begin them with: sbatch %s", p.first+1, p.first+p.count, s.Count, s.Name, name)
	line("#SBATCH --job-name=%s", directive("pkm "+s.Name))
	line("#SBATCH --array=0-%d", p.count-1)
	line("#SBATCH --ntasks=1")
	line("#SBATCH --cpus-per-task=%d", s.CPUs)
	line("#SBATCH --mem=%dM", s.mebibytes())
	if s.Time > 0 {
		line("#SBATCH --time=%s", slurmTime(s.Time))
	}
	line("#SBATCH --signal=B:TERM@%d", int(handBack.Seconds()))
	line("#SBATCH --requeue")
	line("#SBATCH --open-mode=append")
	for _, option := range [][2]string{{"partition", s.Partition}, {"account", s.Account}, {"chdir", s.WorkDir}} {
		if option[1] != "" {
			line("#SBATCH --%s=%s", option[0], directive(option[1]))
		}
	}
	logs := filepath.Join(strings.ReplaceAll(s.Logs, "%", "%%"), fmt.Sprintf("worker-%d-%%a.log", p.number))
	line("#SBATCH --output=%s", directive(logs))
	line("")
	b.WriteString("export")
	for _, v := range s.threads() {
		fmt.Fprintf(&b, " %s=%s", v[0], v[1])
	}
	line("")
	// The worker takes the place of the shell, so that it gets the signal.
	b.WriteString("exec " + quote(s.Program))
	for _, argument := range s.arguments() {
		b.WriteString(" " + quote(argument))
	}
	line("")
	return b.String()
}

// slurmTime returns a time as days-hours:minutes:seconds, rounded up.
func slurmTime(d time.Duration) string {
	seconds := int((d + time.Second - 1) / time.Second)
	return fmt.Sprintf("%d-%02d:%02d:%02d", seconds/86400, seconds/3600%24, seconds/60%60, seconds%60)
}

// quote returns a text as one word of a shell.
func quote(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=+,@") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// directive returns a text as one word of a #SBATCH line, of which sbatch takes double quotes and
// backslashes as a shell does, and nothing else.
func directive(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// Command returns a command line for a shell.
func Command(words []string) string {
	var quoted []string
	for _, w := range words {
		quoted = append(quoted, quote(w))
	}
	return strings.Join(quoted, " ")
}
