package training

import (
	"context"
	"errors"
	"fmt"
	"math"

	"pkm/graphs"
	"pkm/internal/compute"
)

// Loop trains a network: w_{s+1} = w_s + Δ_s, where Δ_s is an optimizer's for the mean
// gradient (1/B)Σ_{i∈batch s} g_i(w_s), or a step along the gradient flow. It holds options
// only: one Loop may run several times, and segments of it (see Replay) at once, each with
// hooks and, where they run at the same time, an engine of its own.
type Loop[T graphs.Float] struct {
	Network *graphs.Network
	Engine  compute.Engine
	Loss    graphs.Loss[T]
	Inputs  []T // (N, d), not written to
	Targets []T // (N, C), not written to
	Initial []T // w_0 (P), not written to
	Steps   int // S ≥ 1

	LearningRate float64 // η > 0
	Schedule     ScheduleOptions
	Optimizer    Options // Kind "": plain gradient descent
	BatchSize    int     // 0: all samples
	Seed         uint64  // of the batches
	Flow         *FlowOptions

	// LossLimit ends the run as diverged when the loss exceeds LossLimit times
	// max(1, loss of the first step): a network of bounded activations can run away without a single
	// tensor becoming non-finite. 0: no limit.
	LossLimit float64
	Stop      Stop
	Hooks     []Hook[T]
}

// Stop ends a run early, as completed: at the first step whose loss, or Euclidean norm of
// the mean gradient, is at or below a value. 0 is never.
type Stop struct{ Loss, GradientNorm float64 }

// reason returns why a step is the last, "" where it is not.
func (s Stop) reason(loss float64, gradient []float64) string {
	if s.Loss > 0 && loss <= s.Loss {
		return fmt.Sprintf("the loss, %.4g, is at or below %g", loss, s.Loss)
	}
	if s.GradientNorm > 0 {
		var square float64
		for _, g := range gradient {
			square += g * g
		}
		if norm := math.Sqrt(square); norm <= s.GradientNorm {
			return fmt.Sprintf("the norm of the gradient, %.4g, is at or below %g", norm, s.GradientNorm)
		}
	}
	return ""
}

// Result is what a run ended in.
type Result[T graphs.Float] struct {
	Weights []T    // w_S; after an error, the last weights that were evaluated without one; when stopped, those after the last step
	Steps   int    // that are complete
	Reason  string // why it stopped early without an error, "" if it did not
}

// Diverged is the error of a run that left the finite numbers or its loss limit.
// Steps before Step are complete and have been handed to the hooks.
type Diverged struct {
	Step   int     // the step whose weights were being evaluated
	Tensor string  // the first tensor that is not finite; empty when only the loss ran away
	Loss   float64 // the loss at that step
	Limit  float64 // the limit it exceeded, when Tensor is empty
	// Largest is the tensor with the value of largest magnitude, when Tensor is empty.
	Largest   string
	Magnitude float64
	// Lower is what to lower, training.optimizer.learning_rate when it is empty.
	Lower string
}

// Error implements error.
func (d *Diverged) Error() string {
	lower := d.Lower
	if lower == "" {
		lower = "training.optimizer.learning_rate"
	}
	if d.Tensor != "" {
		return fmt.Sprintf("training diverged at step %d: tensor %q is not finite; lower %s", d.Step, d.Tensor, lower)
	}
	return fmt.Sprintf("training diverged at step %d: the loss is %.4g, beyond the limit of %.4g; no tensor is non-finite yet, the largest value, %.3g, is in tensor %q; lower %s, or raise training.loss_limit", d.Step, d.Loss, d.Limit, d.Magnitude, d.Largest, lower)
}

// Run trains from the initial weights. Cost of a step: 6·B·P FLOPs for dense layers
// and what the hooks do.
func (l *Loop[T]) Run(ctx context.Context) (Result[T], error) { return l.RunFrom(ctx, nil) }

// RunFrom trains from a snapshot, from the initial weights where that is nil, and ends in
// the same bits as a run that was never interrupted. When ctx is cancelled the step
// under way is finished, hooks that are Stoppers are called, and the error wraps the
// cause.
func (l *Loop[T]) RunFrom(ctx context.Context, from *Snapshot[T]) (Result[T], error) {
	result, err := l.runFrom(ctx, from)
	if d := (*Diverged)(nil); l.Flow != nil && errors.As(err, &d) {
		d.Lower = "training.optimizer.fixed_step, max_step or the tolerances"
	}
	return result, err
}

func (l *Loop[T]) runFrom(ctx context.Context, from *Snapshot[T]) (Result[T], error) {
	r, err := newRunner(l, from)
	if err != nil {
		return Result[T]{}, err
	}
	if err := r.start(ctx); err != nil {
		return r.result(""), err
	}
	for {
		if ctx.Err() != nil {
			copy(r.good, r.weights)
			return r.result(""), r.stopped(ctx)
		}
		last := r.step == l.Steps || r.ended()
		if last && r.flow != nil && !r.ended() {
			return r.result(""), fmt.Errorf("training: the flow has come to time %.4g of %g after %d steps, the most that training.steps allows; raise it, loosen the tolerances or end the flow earlier", r.flow.done, l.Flow.Time, l.Steps)
		}
		reason := ""
		step, err := r.evaluate(last)
		if err != nil {
			return r.result(""), err
		}
		if !last {
			if reason = l.Stop.reason(step.Loss, r.mean); reason != "" {
				last = true
				if step, err = r.evaluate(true); err != nil {
					return r.result(""), err
				}
			}
		}
		if last {
			return r.result(reason), r.call(ctx, step, Hook[T].Finish)
		}
		if err := r.move(step); err != nil {
			return r.result(""), err
		}
		if err := r.hooks(ctx, step); err != nil {
			return r.result(""), err
		}
		r.advance()
	}
}

// check refuses what cannot be trained and returns N.
func (l *Loop[T]) check() (int, error) {
	d, c := l.Network.Input().Size(), l.Network.Outputs()
	rows := len(l.Targets) / c
	switch {
	case rows == 0:
		return 0, fmt.Errorf("training: there are no training samples")
	case len(l.Inputs) != rows*d || len(l.Targets) != rows*c:
		return 0, fmt.Errorf("training: %d inputs and %d targets are not those of %d samples of %d inputs and %d outputs", len(l.Inputs), len(l.Targets), rows, d, c)
	case len(l.Initial) != l.Network.Parameters():
		return 0, fmt.Errorf("training: found %d initial weights for a network of %d", len(l.Initial), l.Network.Parameters())
	case l.Steps < 1:
		return 0, fmt.Errorf("training: found %d steps, at least 1 is needed", l.Steps)
	case l.Flow == nil && (!(l.LearningRate > 0) || math.IsInf(l.LearningRate, 0)):
		return 0, fmt.Errorf("training: found learning rate %g, it has to be positive and finite", l.LearningRate)
	case l.Flow != nil && l.BatchSize != 0:
		return 0, fmt.Errorf("training: a gradient flow is that of all samples, found a batch size of %d", l.BatchSize)
	}
	return rows, nil
}

// diverged checks everything that was computed at w_s.
func diverged[T graphs.Float](g *graphs.Gradient[T], s *Step[T], limit float64) error {
	if tensor, found := g.NonFinite(); found {
		return &Diverged{Step: s.Index, Tensor: tensor, Loss: s.Loss}
	}
	if math.IsNaN(s.Loss) || math.IsInf(s.Loss, 0) {
		return &Diverged{Step: s.Index, Tensor: "loss", Loss: s.Loss}
	}
	if limit > 0 && s.Loss > limit {
		largest, magnitude := g.Largest()
		return &Diverged{Step: s.Index, Loss: s.Loss, Limit: limit, Largest: largest, Magnitude: magnitude}
	}
	return nil
}

// nonFiniteUpdate names the parameter whose update is not finite.
func nonFiniteUpdate[T graphs.Float](layout graphs.Layout, delta []T) (string, bool) {
	for _, p := range layout {
		if !graphs.Finite(graphs.View(delta, p)) {
			return p.Name, true
		}
	}
	return "", false
}

// hookError wraps the error of a hook, but for a divergence that it found.
func hookError(step int, err error) error {
	if d := (*Diverged)(nil); err == nil || errors.As(err, &d) {
		return err
	}
	return fmt.Errorf("training: hook of step %d: %w", step, err)
}
