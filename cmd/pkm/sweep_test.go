//go:build unix

package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
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

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...), ended: make(chan struct{})}
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
	for range 1200 {
		if holds() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("a minute without %s", what)
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

// A sweep whose workers are killed again and again, and whose coordinator is killed, has the
// table of a sweep that nothing happened to, whatever the number of workers.
// TEST_SWEEP_TRIALS sets the number of trials, 30 by default.
func TestKilledSweepGoesOnToTheSameTable(t *testing.T) {
	trials, kills, coordinators := 30, 4, 2
	if n, err := strconv.Atoi(os.Getenv("TEST_SWEEP_TRIALS")); err == nil {
		trials = n
	} else if testing.Short() {
		trials, kills, coordinators = 10, 1, 1
	}
	file := sweepFiles(t, slow, fmt.Sprintf(ashaSweep, trials))
	undisturbed := filepath.Join(t.TempDir(), "undisturbed")
	begun := time.Now()
	p := start(t, "sweep", file, "--workers", "1", "--out", undisturbed)
	if code := p.wait(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.output())
	}
	took := time.Since(begun)
	want := results(t, undisturbed)
	states := strings.Join(column(want, "state"), " ")
	if !strings.Contains(states, "completed") || !strings.Contains(states, "terminated") {
		t.Fatalf("the sweep should end some trials early and some not: %s", states)
	}

	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2))
	dir := filepath.Join(t.TempDir(), "killed")
	args := []string{"sweep", file, "--workers", "2", "--out", dir, "--lost-after", "1s"}
	pause := func(part int) { time.Sleep(time.Duration(random.Int64N(int64(took) / int64(part)))) }
	hit := 0
	for life := 0; ; life++ {
		p := start(t, args...)
		if life < coordinators {
			until(t, "workers", func() bool { return p.worker(1) > 0 })
			for range kills {
				for i := range 2 {
					pause(8 * kills)
					if pid := p.worker(i); pid > 0 && syscall.Kill(pid, syscall.SIGKILL) == nil {
						hit++
					}
				}
			}
			_ = p.Process.Kill()
		}
		code := p.wait(t)
		if code == exitOK {
			break
		}
		if life >= coordinators {
			t.Fatalf("exit code %d\n%s", code, p.output())
		}
		if _, err := os.Stat(filepath.Join(dir, "sweep.json")); err == nil && !slices.Contains(args, "--resume") {
			args = append(args, "--resume")
		}
	}
	t.Logf("undisturbed in %v; %d workers killed", took, hit)
	same(t, "killed", results(t, dir), want)
	entries, err := os.ReadDir(filepath.Join(dir, "trials"))
	if err != nil || len(entries) != trials {
		t.Errorf("%d folders of trials, %v", len(entries), err)
	}
	for _, e := range entries[:3] {
		if out, code := verify(t, filepath.Join(dir, "trials", e.Name())); code != exitOK && strings.Contains(out, "completed") {
			t.Errorf("%s: %s", e.Name(), out)
		}
	}
	// Nothing runs again.
	p = start(t, append(slices.Clone(args), "--resume")...)
	if code := p.wait(t); code != exitOK || strings.Contains(p.output(), "is process") {
		t.Errorf("resuming a finished sweep: exit code %d\n%s", code, p.output())
	}
}
