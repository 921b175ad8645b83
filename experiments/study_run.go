package experiments

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"pkm/internal/compute"
	"pkm/training"
)

// StudyOptions are what a study needs beside its configurations.
type StudyOptions struct {
	// Dir is the folder of the study, created. Its runs are in Dir/eta-RATE. Those that are complete, of the
	// same configuration and data, are taken as they are; those that were interrupted are gone on with.
	// Nothing else is overwritten.
	Dir    string
	Engine compute.Engine
	Error  string // RelativeErrorName or MaxAbsErrorName; "": the former
	// Begin, if not nil, is called before each run. done tells that it is complete already.
	Begin func(level StudyLevel, dir string, done bool)
	// Progress, if not nil, is called after every step of a run.
	Progress func(Progress)
	// End, if not nil, is called after each run that was not done.
	End func(err error)
}

// Run makes the runs of the study that are not there yet, one after the other, and writes convergence.json,
// convergence.csv, convergence.svg and convergence.png into the folder of the study, over those of an
// earlier study of the same runs. A run that diverges has no errors, and the study goes on; where all do, the
// error is that of the last, beside what there is.
func (s *Study) Run(ctx context.Context, o StudyOptions) (*Convergence, error) {
	if o.Error == "" {
		o.Error = RelativeErrorName
	}
	if o.Error != RelativeErrorName && o.Error != MaxAbsErrorName {
		return nil, &StudyError{Key: "error", Fault: fmt.Sprintf("found %q, allowed: %s, %s", o.Error, RelativeErrorName, MaxAbsErrorName)}
	}
	states, err := s.states(o.Dir) // before hours are spent on the first
	if err != nil {
		return nil, err
	}
	first := s.Levels[0]
	c := &Convergence{Format: convergenceFormat, Name: s.Name, Error: o.Error,
		Quantity: first.Quantity(), Product: Figure(first.Rate() * float64(first.Config.Training.Steps))}
	for _, m := range s.Machines {
		c.Machines = append(c.Machines, MachineConvergence{Name: m.Name, Family: m.Family, Rule: m.Rule, Target: m.Target, Order: s.order(m)})
	}
	completed := 0
	for i, level := range s.Levels {
		if err := s.run(ctx, o, level, states[i]); err != nil {
			return nil, err
		}
		if err := c.add(level, filepath.Join(o.Dir, level.folder())); err != nil {
			return nil, err
		}
		if c.Levels[i].Outcome == Completed {
			completed++
		}
	}
	epsilon := 0x1p-52
	if first.Config.Precision == "float32" {
		epsilon = 0x1p-23
	}
	c.fit(epsilon)
	if err := c.write(o.Dir); err != nil {
		return nil, err
	}
	if completed == 0 {
		return c, &AllDivergedError{Dir: o.Dir, Reason: c.Levels[len(c.Levels)-1].Reason}
	}
	return c, nil
}

// AllDivergedError reports a study without a run that did not diverge.
type AllDivergedError struct {
	Dir    string
	Reason string // of the last run
}

// Error implements error.
func (e *AllDivergedError) Error() string {
	return fmt.Sprintf("convergence study %s: every run diverged, the last as follows: %s", e.Dir, e.Reason)
}

// run makes the run of a level, unless it is done. One that diverges is no error.
func (s *Study) run(ctx context.Context, o StudyOptions, level StudyLevel, state levelState) error {
	dir := filepath.Join(o.Dir, level.folder())
	if o.Begin != nil {
		o.Begin(level, dir, state == levelDone)
	}
	if state == levelDone {
		return nil
	}
	err := Execute(ctx, level.Config, Options{Dir: dir, Engine: o.Engine, Resume: state == levelBegun, Progress: o.Progress})
	if o.End != nil {
		o.End(err)
	}
	if diverged := (*training.Diverged)(nil); errors.As(err, &diverged) {
		return nil
	}
	return err
}

// add reads the errors of a run.
func (c *Convergence) add(level StudyLevel, dir string) error {
	m, err := ReadManifest(dir)
	if err != nil {
		return err
	}
	rate := Figure(level.Rate())
	c.Levels = append(c.Levels, ConvergenceLevel{LearningRate: rate, Factor: level.Factor.RatString(), Steps: level.Config.Training.Steps,
		Run: filepath.Base(dir), Outcome: m.Outcome, Reason: m.Reason})
	var run *Run
	if m.Outcome != Diverged {
		if run, err = LoadRun(dir); err != nil {
			return err
		}
	}
	for i := range c.Machines {
		p := ConvergencePoint{LearningRate: rate, RelativeError: nan(), MaxAbsError: nan()}
		if run != nil {
			f, found := run.Summary.Machines.Get(c.Machines[i].Name)
			if !found {
				return fmt.Errorf("read run directory %s: it has no machine %s", dir, c.Machines[i].Name)
			}
			p.RelativeError, p.MaxAbsError = f.RelativeError, f.MaxAbsError
		}
		c.Machines[i].Points = append(c.Machines[i].Points, p)
	}
	return nil
}
