package experiments

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pkm/internal/compute"
)

// calibrationSteps is how many steps a calibration takes.
const calibrationSteps = 6

// Estimate is how long a run would take on this machine, in seconds.
type Estimate struct {
	Step  float64 // of training, with the machines that are filled in it
	Total float64 // of the whole run
}

// Estimate takes the first few steps of the run, in a temporary folder that is removed, and
// returns how long all of them would take. Later steps of an adaptive machine, and of a flow, may
// take more or less than the first. A run with baselines is begun twice, to tell what of them grows with the steps.
func (c *Config) Estimate(ctx context.Context, engine compute.Engine) (e Estimate, err error) {
	first, err := c.calibrate(ctx, engine, calibrationSteps)
	if err != nil {
		return e, err
	}
	if first.steps == 0 { // it stops before the first
		return Estimate{Total: first.whole}, nil
	}
	var replayed float64
	if len(c.Baselines) > 0 && c.Training.Steps > calibrationSteps {
		second, err := c.calibrate(ctx, engine, 3*calibrationSteps)
		if err != nil {
			return e, err
		}
		if more := second.steps - first.steps; more > 0 {
			replayed = max(0, second.compare-first.compare) / more
		}
	}
	each := first.step + first.account + replayed
	fixed := max(0, first.whole-first.steps*each)
	return Estimate{Step: first.step, Total: fixed + first.total*each}, nil
}

// calibration is what the first steps of a run took, in seconds.
type calibration struct {
	steps, total           float64 // taken, and of the whole run
	step, account, compare float64 // of a step in training, and in the account; and of the comparison
	whole                  float64
}

// calibrate takes so many steps of the run.
func (c *Config) calibrate(ctx context.Context, engine compute.Engine, steps int) (t calibration, err error) {
	short := *c
	short.Training.Steps = min(c.Training.Steps, steps)
	short.Training.Checkpoints.Every = short.Training.Steps
	short.Decompose.Windows = min(c.Decompose.Windows, short.Training.Steps)
	short.Machines = slices.Clone(c.Machines)
	part := float64(short.Training.Steps) / float64(c.Training.Steps)
	for i := range short.Machines { // the tolerance of a step stays what it is
		short.Machines[i].Tolerance *= part
	}
	flows := short.Training.Optimizer.Kind == "flow"
	if flows {
		short.Training.Optimizer.Time *= part
		short.Training.Steps = c.Training.Steps // as many as it takes to come so far
	}
	dir, err := os.MkdirTemp("", "pkm-plan-")
	if err != nil {
		return t, fmt.Errorf("calibrate: %w", err)
	}
	defer os.RemoveAll(dir)
	var taken []float64
	last := time.Now()
	start := last
	path := filepath.Join(dir, "run")
	if err := Execute(ctx, &short, Options{Dir: path, Engine: engine, Progress: func(Progress) {
		now := time.Now()
		taken = append(taken, now.Sub(last).Seconds())
		last = now
	}}); err != nil {
		return t, fmt.Errorf("calibrate: %w", err)
	}
	t.whole, t.steps, t.total = time.Since(start).Seconds(), float64(len(taken)), float64(c.Training.Steps)
	if flows {
		t.total = t.steps / part
	}
	if len(taken) == 0 {
		return t, nil
	}
	manifest, err := ReadManifest(path)
	if err != nil {
		return t, err
	}
	// The first step holds the preparation, and fills caches.
	t.step = taken[0]
	if len(taken) > 1 {
		rest := slices.Clone(taken[1:])
		slices.Sort(rest)
		t.step = rest[len(rest)/2]
	}
	t.account, t.compare = float64(manifest.PhaseTimes["account"])/t.steps, float64(manifest.PhaseTimes["compare"])
	return t, nil
}

// duration writes seconds as people say them.
func duration(seconds float64) string {
	if seconds < 10 {
		return fmt.Sprintf("%.2g s", seconds)
	}
	return time.Duration(math.Round(seconds) * float64(time.Second)).String()
}
