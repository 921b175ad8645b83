//go:build unix

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killing is a moment at which a worker, or the coordinator, is killed.
type killing struct {
	done  int           // after so many trials are finished
	pause time.Duration // and then so long
	whom  int           // worker 0 or 1, 2: the coordinator
}

// killings draws when each of two workers is killed workers times and the coordinator coordinators
// times in a sweep of so many trials, each of about the length trial.
func killings(seed uint64, trials, workers, coordinators int, trial time.Duration) []killing {
	random := rand.New(rand.NewPCG(seed, 2))
	var all []killing
	for whom, n := range []int{workers, workers, coordinators} {
		for range n {
			all = append(all, killing{random.IntN(trials * 9 / 10), time.Duration(random.Int64N(int64(2 * trial))), whom})
		}
	}
	slices.SortFunc(all, func(a, b killing) int { return a.done - b.done })
	return all
}

// finishedTrials returns how many trials are finished according to what a coordinator says.
func (p *process) finishedTrials() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		var done, trials int
		if k, _ := fmt.Sscanf(line, "%d/%d  trial", &done, &trials); k == 2 {
			n = done
		} else if k, _ := fmt.Sscanf(line, "%d trials are finished", &done); k == 1 {
			n = done
		}
	}
	return n
}

// number returns an environment variable's number, or otherwise.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// A sweep of 200 trials by two workers, each killed five times at random moments, and the coordinator
// twice, has the table of a sweep that nothing happened to, run by one worker: every trial once,
// none lost. TEST_SWEEP_TRIALS sets the number of trials, TEST_SWEEP_SEED draws other moments.
func TestKilledSweepGoesOnToTheSameTable(t *testing.T) {
	trials, workers, coordinators := number("TEST_SWEEP_TRIALS", 200), 5, 2
	if testing.Short() {
		trials, workers, coordinators = 12, 1, 1
	}
	file := sweepFiles(t, steps(40), fmt.Sprintf(ashaSweep, trials))
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

	seed := number("TEST_SWEEP_SEED", 1)
	dir := filepath.Join(t.TempDir(), "killed")
	args := []string{"sweep", file, "--workers", "2", "--out", dir, "--lost-after", "1s"}
	begun = time.Now()
	p = start(t, args...)
	args = append(args, "--resume")
	var killed [3]int
	last := [2]int{}
	for _, k := range killings(uint64(seed), trials, workers, coordinators, took/time.Duration(trials)) {
		until(t, fmt.Sprintf("%d trials", k.done), func() bool { return p.finishedTrials() >= k.done })
		if k.whom == 2 {
			until(t, "the folder", func() bool { _, err := os.Stat(filepath.Join(dir, "sweep.json")); return err == nil })
			time.Sleep(k.pause)
			if err := p.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if p.wait(t) == exitOK {
				t.Fatalf("the sweep was over before the coordinator was killed\n%s", p.output())
			}
			p = start(t, args...)
			killed[2]++
			continue
		}
		pid := 0
		until(t, "a worker to kill", func() bool { pid = p.worker(k.whom); return pid > 0 && pid != last[k.whom] })
		time.Sleep(k.pause)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatalf("kill worker %d: %v", k.whom+1, err)
		}
		last[k.whom] = pid
		killed[k.whom]++
	}
	if code := p.wait(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.output())
	}
	t.Logf("%d trials, %v undisturbed by one worker, %v by two that were killed %d and %d times, and the coordinator %d times (seed %d)",
		trials, took.Round(time.Second/10), time.Since(begun).Round(time.Second/10), killed[0], killed[1], killed[2], seed)

	got := results(t, dir)
	same(t, "killed", got, want)
	for i, trial := range column(got, "trial") {
		if trial != strconv.Itoa(i) {
			t.Errorf("row %d is of trial %s", i, trial)
		}
	}
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
	p = start(t, args...)
	if code := p.wait(t); code != exitOK || strings.Contains(p.output(), "is process") {
		t.Errorf("resuming a finished sweep: exit code %d\n%s", code, p.output())
	}
}
