//go:build unix

package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// process is pkm in a process of its own, whose lines are read as they come.
type process struct {
	*exec.Cmd
	mu      sync.Mutex
	lines   []string
	workers []int         // the last process of each worker
	ended   chan struct{} // closed when it has
}

// start starts pkm.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startCommand(t, exec.Command(os.Args[0], args...))
}

// startCommand starts a command that may be pkm.
func startCommand(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: cmd, ended: make(chan struct{})}
	p.Env = append(os.Environ(), asProgram)
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stderr = p.Stdout
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			p.line(lines.Text())
		}
		_ = p.Wait() // the state says how
	}()
	t.Cleanup(func() { _ = p.Process.Kill(); <-p.ended })
	return p
}

func (p *process) line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, text)
	var worker, pid int
	if n, _ := fmt.Sscanf(text, "worker %d is process %d", &worker, &pid); n == 2 {
		for len(p.workers) < worker {
			p.workers = append(p.workers, 0)
		}
		p.workers[worker-1] = pid
	}
}

// output returns what it has said so far.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// worker returns the process of a worker, 0 where there is none yet.
func (p *process) worker(i int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i >= len(p.workers) {
		return 0
	}
	return p.workers[i]
}

// wait waits for the end and returns the exit code.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(4 * time.Minute):
		t.Fatalf("it does not end:\n%s", p.output())
	}
	return p.ProcessState.ExitCode()
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 4800 {
		if holds() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("four minutes without %s", what)
}

// sweepFiles writes an experiment and a sweep of it, and returns the sweep's path.
func sweepFiles(t *testing.T, experiment, sweep string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"base.yaml": experiment, "sweep.yaml": "experiment: base.yaml\n" + sweep} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "sweep.yaml")
}

// results returns a sweep's table without times.
func results(t *testing.T, dir string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "results.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	seconds := slices.Index(rows[0], "seconds")
	for i := range rows {
		rows[i] = slices.Delete(rows[i], seconds, seconds+1)
	}
	return rows
}

// column returns the values of a column.
func column(rows [][]string, name string) (values []string) {
	i := slices.Index(rows[0], name)
	for _, row := range rows[1:] {
		values = append(values, row[i])
	}
	return values
}

func same(t *testing.T, what string, got, want [][]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("%s: row %d is\n%q\nwant\n%q", what, i, got[i], want[i])
		}
	}
}

// slow is an experiment of half a second, which saves its state often.
const slow = `name: slow
data: {train: 60, query: 5}
network: {hidden: [24, 24]}
training: {steps: 150, batch_size: 20, checkpoints: {save: 0.02, every: 10}}
machines: [{name: exact, family: exact, rule: gauss-2}]
path_kernel: none
`

// steps returns slow with another number of steps, of which the race detector makes long ones.
func steps(n int) string {
	if testing.Short() {
		n = min(n, 40)
	}
	return strings.Replace(slow, "steps: 150", fmt.Sprintf("steps: %d", n), 1)
}

// ashaSweep depends on earlier results in its points and in its early ends.
const ashaSweep = `method: tpe
run_cap: %d
startup_trials: 4
concurrency: 3
metric: {name: network.query_loss}
early_terminate: {type: asha, min_steps: 5, eta: 3}
parameters:
  training.optimizer.learning_rate: {distribution: log_uniform, min: 1e-3, max: 3}
  training.optimizer.momentum: {values: [0, 0.9]}
`
