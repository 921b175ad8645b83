package training

import (
	"context"
	"fmt"
	"slices"

	"pkm/graphs"
)

// ReplayError reports a replay that does not meet a checkpoint of the trajectory: the run
// was another one, or ran on another platform or BLAS.
type ReplayError struct {
	Step   int    // of the checkpoint
	Tensor string // the first tensor that differs
}

// Error implements error.
func (e *ReplayError) Error() string {
	return fmt.Sprintf("training: replay to step %d: tensor %q has other bits than the checkpoint: the trajectory is that of another configuration, data, platform or BLAS", e.Step, e.Tensor)
}

// Replay regenerates the steps from ≤ s < to of a trajectory bit for bit and hands them
// to the hooks, whose Finish is not called. It starts at the nearest checkpoint before, and
// compares the weights with every checkpoint that it meets on the way, going on to the first at or
// after step to, so that a path of other options is noticed. The
// loop's own hooks are not called. Segments are independent of each other: they may be replayed at the
// same time or on other machines. It returns w_to.
func Replay[T graphs.Float](ctx context.Context, l *Loop[T], t Trajectory, from, to int, hooks ...Hook[T]) ([]T, error) {
	if from < 0 || to < from || to > l.Steps {
		return nil, fmt.Errorf("training: replay steps %d to %d of %d", from, to, l.Steps)
	}
	steps, err := t.Steps()
	if err != nil {
		return nil, err
	}
	at := -1
	for _, s := range steps {
		if s <= from {
			at = s
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("training: replay from step %d: %s has no checkpoint at or before it", from, t.Dir)
	}
	layout := l.Network.Layout()
	start, err := ReadCheckpointOf[T](t.Path(at), layout, at)
	if err != nil {
		return nil, err
	}
	segment := *l
	segment.Hooks = nil
	r, err := newRunner(&segment, start)
	if err != nil {
		return nil, err
	}
	end := to
	if i, _ := slices.BinarySearch(steps, to); i < len(steps) {
		end = steps[i]
	}
	var weights []T
	if at == to {
		return start.Weights, nil
	}
	for r.step < end {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("training: replay stopped before step %d: %w", r.step, context.Cause(ctx))
		}
		step, err := r.evaluate(false)
		if err != nil {
			return nil, err
		}
		if err := r.move(step); err != nil {
			return nil, err
		}
		if r.loop.Hooks = nil; r.step >= from && r.step < to {
			r.loop.Hooks = hooks
		}
		if err := r.hooks(ctx, step); err != nil {
			return nil, err
		}
		r.advance()
		if r.step == to {
			weights = slices.Clone(r.weights)
		}
		if _, recorded := slices.BinarySearch(steps, r.step); recorded {
			if err := meets(r, t, layout); err != nil {
				return nil, err
			}
		}
	}
	return weights, nil
}

// meets compares the weights with the checkpoint of the step.
func meets[T graphs.Float](r *runner[T], t Trajectory, layout graphs.Layout) error {
	recorded, err := ReadCheckpointOf[T](t.Path(r.step), layout, r.step)
	if err != nil {
		return err
	}
	for _, p := range layout {
		if !slices.Equal(graphs.View(recorded.Weights, p), graphs.View(r.weights, p)) {
			return &ReplayError{Step: r.step, Tensor: p.Name}
		}
	}
	return nil
}
