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
// take more or less than the first.
func (c *Config) Estimate(ctx context.Context, engine compute.Engine) (e Estimate, err error) {
	short := *c
	short.Training.Steps = min(c.Training.Steps, calibrationSteps)
	short.Training.Checkpoints.Every = calibrationSteps
	short.Machines = slices.Clone(c.Machines)
	for i := range short.Machines { // the tolerance of a step stays what it is
		short.Machines[i].Tolerance *= float64(short.Training.Steps) / float64(c.Training.Steps)
	}
	if o := &short.Training.Optimizer; o.Kind == "flow" {
		o.Time *= float64(short.Training.Steps) / float64(c.Training.Steps)
	}
	dir, err := os.MkdirTemp("", "pkm-plan-")
	if err != nil {
		return e, fmt.Errorf("calibrate: %w", err)
	}
	defer os.RemoveAll(dir)
	var steps []float64
	last := time.Now()
	start := last
	path := filepath.Join(dir, "run")
	if err := Execute(ctx, &short, Options{Dir: path, Engine: engine, Progress: func(Progress) {
		now := time.Now()
		steps = append(steps, now.Sub(last).Seconds())
		last = now
	}}); err != nil {
		return e, fmt.Errorf("calibrate: %w", err)
	}
	whole := time.Since(start).Seconds()
	manifest, err := ReadManifest(path)
	if err != nil {
		return e, err
	}
	// The first step holds the preparation, and fills caches.
	e.Step = slices.Min(steps)
	if len(steps) > 1 {
		rest := slices.Clone(steps[1:])
		slices.Sort(rest)
		e.Step = rest[len(rest)/2]
	}
	taken := float64(len(steps))
	account := float64(manifest.PhaseTimes["account"]) / taken
	fixed := max(0, whole-taken*(e.Step+account))
	total := float64(c.Training.Steps)
	e.Total = fixed + total*(e.Step+account)
	return e, nil
}

// duration writes seconds as people say them.
func duration(seconds float64) string {
	if seconds < 10 {
		return fmt.Sprintf("%.2g s", seconds)
	}
	return time.Duration(math.Round(seconds) * float64(time.Second)).String()
}
