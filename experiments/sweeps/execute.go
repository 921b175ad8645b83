package sweeps

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pkm/experiments"
	"pkm/internal/compute"
	"pkm/training"
)

// errTerminated ends a run early.
type errTerminated struct{ Limit }

func (e errTerminated) Error() string {
	return fmt.Sprintf("ended early: its training loss after %d steps is above %.4g", e.Step, e.Limit.Loss)
}

// Is makes it a cancellation, as which a run records it.
func (errTerminated) Is(target error) bool { return target == context.Canceled }

// errDiverged is the reason that a run gives which has diverged already.
type errDiverged struct{ reason string }

func (e errDiverged) Error() string { return e.reason }

// lockedWait is how long an attempt waits before it looks again whether another process has
// left the run directory.
const lockedWait = time.Second

// leastPatience is the least time after which an attempt no longer waits for a run directory that another process
// has: one that is told to end may need so long for the step under way.
const leastPatience = 10 * time.Second

// execute makes an attempt at a trial within the folder of its sweep. A run directory that
// an earlier attempt left is resumed, or, where it is complete, read. One that another process keeps for
// longer than patience is left to it, and the trial runs in another: the process may be stalled, and whichever of
// the two ends first, the result is the same. The error is that of ctx: the attempt can be gone on
// with. Everything else is a result.
func execute(ctx context.Context, dir string, task *Task, engine compute.Engine, patience time.Duration, progress func(experiments.Progress)) (*Result, error) {
	start, trial := time.Now(), &task.Trial
	r := &Result{Trial: trial.Number, Attempt: task.Attempt}
	path, err := filepath.Join(dir, trial.Folder()), error(nil)
	for n := 1; ; n++ {
		if n > 1 {
			r.Folder = fmt.Sprintf("%s-%d", trial.Folder(), n)
			path = filepath.Join(dir, r.Folder)
		}
		var occupied *experiments.OccupiedError
		if err = trial.run(ctx, path, engine, patience, progress); !errors.As(err, &occupied) {
			break
		}
	}
	if ctx.Err() != nil && err != nil {
		return nil, context.Cause(ctx)
	}
	r.Seconds = time.Since(start).Seconds()
	losses, logged := readLosses(path)
	if r.Steps = logged; err == nil && logged > 0 {
		r.Steps-- // the last line is of the final weights
	}
	for _, step := range trial.Rungs {
		if loss, ok := losses[step]; ok {
			r.Rungs = append(r.Rungs, Rung{step, loss})
		}
	}
	var diverged *training.Diverged
	var before errDiverged
	var early errTerminated
	switch {
	case errors.As(err, &early):
		r.State, r.Message = Terminated, early.Error()
		r.Rungs = slices.DeleteFunc(r.Rungs, func(g Rung) bool { return g.Step > early.Step })
		r.Steps = early.Step
	case errors.As(err, &diverged):
		r.State, r.Message = Diverged, diverged.Error()
	case errors.As(err, &before):
		r.State, r.Message = Diverged, before.Error()
	case err != nil:
		r.State, r.Message = Failed, firstLine(err)
	default:
		run, err := experiments.LoadRun(path)
		if err == nil {
			r.Figures, err = Flatten(&run.Summary)
		}
		if err != nil {
			r.State, r.Message = Failed, firstLine(err)
			break
		}
		r.State, r.Steps = Completed, run.Summary.Steps
	}
	return r, nil
}

// run executes or resumes the run of a trial at path. The error is an [*experiments.OccupiedError] where another process
// has kept it for longer than patience.
func (t *Trial) run(ctx context.Context, path string, engine compute.Engine, patience time.Duration, progress func(experiments.Progress)) error {
	config, err := t.configOf()
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	options := experiments.Options{Dir: path, Engine: engine, Progress: func(p experiments.Progress) {
		// The loss is that before the step: after one step less.
		if l, above := exceeded(t.Limits, []Rung{{p.Step - 1, p.Loss}}); above {
			end(errTerminated{l})
		}
		progress(p)
	}}
	for since := time.Now(); ; {
		resume, err := begun(path)
		if err != nil {
			return err
		}
		// The limit may have been met by a worker that died of something else.
		losses, _ := readLosses(path)
		for _, l := range t.Limits {
			if loss, ok := losses[l.Step]; ok && !(loss <= l.Loss) {
				return errTerminated{l}
			}
		}
		options.Resume = resume
		err = experiments.Execute(ctx, config, options)
		var occupied *experiments.OccupiedError
		var cannot *experiments.ResumeError
		switch {
		case errors.As(err, &occupied) && time.Since(since) < patience:
			select { // another process has not ended yet
			case <-time.After(lockedWait):
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		case errors.As(err, &cannot):
			m, unreadable := experiments.ReadManifest(path)
			if unreadable == nil && m.Outcome == experiments.Completed {
				return nil
			}
			if unreadable == nil && m.Outcome == experiments.Diverged {
				return errDiverged{m.Reason}
			}
			if err := os.RemoveAll(path); err != nil { // it cannot be gone on with
				return err
			}
			continue
		}
		if early := (errTerminated{}); err != nil && errors.As(context.Cause(ctx), &early) {
			return early
		}
		return err
	}
}

// begun reports whether there is a run at path to resume. What is there without a manifest
// was left by a process that died while it removed a run, and is removed. An empty folder
// is left alone: a run may be beginning there.
func begun(path string) (bool, error) {
	if _, err := os.Stat(filepath.Join(path, "manifest.json")); err == nil {
		return true, nil
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) == 0 {
		return false, nil
	}
	return false, os.RemoveAll(path)
}

// readLosses returns the training loss by step, and the number of whole lines, of a run's metrics.
func readLosses(path string) (losses map[int]float64, lines int) {
	losses = map[int]float64{}
	content, err := os.ReadFile(filepath.Join(path, "metrics.jsonl"))
	if err != nil {
		return losses, 0
	}
	for line := range bytes.Lines(content) {
		var m experiments.StepMetrics
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &m) != nil {
			break
		}
		losses[m.Step] = float64(m.Loss)
		lines++
	}
	return losses, lines
}

// firstLine returns the first line of an error.
func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
