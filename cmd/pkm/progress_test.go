package main

import (
	"bytes"
	"math"
	"testing"
	"time"

	"pkm/experiments"
)

// Where there is no terminal: a line after five seconds of a phase and every five seconds, and one as it ends, with
// the rate since it began and the time left at that rate.
func TestProgressLines(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := newProgress(&out)
	p.clock = func() time.Time { return now }
	step := func(phase experiments.Phase, seconds float64, step, steps int, loss, residual float64) {
		now = time.Unix(0, 0).Add(time.Duration(seconds * float64(time.Second)))
		p.update(phase, experiments.Progress{Step: step, Steps: steps, Loss: loss, Residual: residual})
	}
	nan := math.NaN()
	step(experiments.PhaseTraining, 0, 40, 100, nan, nan) // 40 steps are of the run that is resumed
	step(experiments.PhaseTraining, 2, 44, 100, 2, 1e-12)
	step(experiments.PhaseTraining, 5, 50, 100, 1.5, 1e-12)
	step(experiments.PhaseTraining, 9, 58, 100, 1.5, 1e-12)
	step(experiments.PhaseTraining, 10, 60, 100, 1.25, nan)
	step(experiments.PhaseTraining, 12, 100, 100, 1, nan)
	step(experiments.PhaseAccounting, 12, 0, 100, nan, nan)
	step(experiments.PhaseAccounting, 18, 24, 100, 1, 3e-9)
	step(experiments.PhaseWriting, 20, 0, 0, nan, nan)
	want := "training: step 50/100  loss 1.5  step residual 1.0e-12  2 steps/s  25s left\n" +
		"training: step 60/100  loss 1.25  2 steps/s  20s left\n" +
		"training: step 100/100  loss 1  5 steps/s\n" +
		"accounting: step 24/100  loss 1  step residual 3.0e-09  4 steps/s  19s left\n" +
		"writing\n"
	if out.String() != want {
		t.Errorf("wrote\n%swant\n%s", &out, want)
	}
}
