package training

import (
	"context"
	"errors"
	"fmt"
	"math"

	"pkm/graphs"
	"pkm/internal/compute"
)

// Loop is full-batch gradient descent: w_{s+1} = w_s − (η/N)Σ_i g_i(w_s).
type Loop[T graphs.Float] struct {
	Network      *graphs.Network
	Engine       compute.Engine
	Loss         graphs.Loss[T]
	Inputs       []T     // (N, d), not written to
	Targets      []T     // (N, C), not written to
	Initial      []T     // w_0 (P), not written to
	LearningRate float64 // η > 0
	Steps        int     // S ≥ 1
	// LossLimit ends the run as diverged when the loss exceeds LossLimit times
	// max(1, loss at w_0): a network of bounded activations can run away without a single
	// tensor becoming non-finite. 0: no limit.
	LossLimit float64
	Hooks     []Hook[T]
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
}

// Error implements error.
func (d *Diverged) Error() string {
	if d.Tensor != "" {
		return fmt.Sprintf("training diverged at step %d: tensor %q is not finite; lower training.optimizer.learning_rate", d.Step, d.Tensor)
	}
	return fmt.Sprintf("training diverged at step %d: the loss is %.4g, beyond the limit of %.4g; no tensor is non-finite yet, the largest value, %.3g, is in tensor %q; lower training.optimizer.learning_rate, or raise training.loss_limit", d.Step, d.Loss, d.Limit, d.Magnitude, d.Largest)
}

// Run trains and returns w_S (P). On an error it returns the last weights that
// were evaluated without one, and how many steps were completed. Cost of a step:
// 6·N·P FLOPs and what the hooks do.
func (l *Loop[T]) Run(ctx context.Context) (w []T, steps int, err error) {
	rows, err := l.check()
	if err != nil {
		return nil, 0, err
	}
	g, err := graphs.NewGradient(l.Network, l.Engine, rows, l.Loss)
	if err != nil {
		return nil, 0, fmt.Errorf("training: %w", err)
	}
	if err := g.SetInputs(l.Inputs); err != nil {
		return nil, 0, fmt.Errorf("training: %w", err)
	}
	if err := g.SetTargets(l.Targets); err != nil {
		return nil, 0, fmt.Errorf("training: %w", err)
	}
	w = append([]T(nil), l.Initial...)
	good := append([]T(nil), w...)
	delta := make([]T, len(w))
	var limit float64
	for s := 0; ; s++ {
		if err := ctx.Err(); err != nil {
			return w, s, fmt.Errorf("training: stopped before step %d: %w", s, context.Cause(ctx))
		}
		if err := g.Run(w); err != nil {
			return good, s, fmt.Errorf("training: step %d: %w", s, err)
		}
		step := &Step[T]{
			Index: s, LearningRate: l.LearningRate, Size: rows, Weights: w,
			Loss: Mean(g.Losses()), Losses: g.Losses(), Outputs: g.Outputs(),
			LossDerivatives: g.LossDerivatives(), gradient: g,
		}
		if s == 0 && l.LossLimit > 0 {
			limit = l.LossLimit * max(1, step.Loss)
		}
		if err := diverged(g, step, limit); err != nil {
			return good, s, err
		}
		copy(good, w)
		if s == l.Steps {
			return good, s, l.call(ctx, step, Hook[T].Finish)
		}
		rate := step.Rate()
		for i, gi := range g.Sum() {
			// Applied below as w+Δ, so that whoever evaluates w_s + 1·Δ_s meets the
			// next step's weights bit for bit.
			delta[i] = T(-rate * float64(gi))
		}
		step.Delta = delta
		if tensor, found := nonFiniteUpdate(l.Network.Layout(), delta); found {
			return good, s, &Diverged{Step: s, Tensor: tensor + " (update)", Loss: step.Loss}
		}
		if err := l.call(ctx, step, Hook[T].Step); err != nil {
			return good, s, err
		}
		for i := range w {
			w[i] += delta[i]
		}
	}
}

func (l *Loop[T]) call(ctx context.Context, s *Step[T], method func(Hook[T], context.Context, *Step[T]) error) error {
	for _, h := range l.Hooks {
		err := method(h, ctx, s)
		if d := (*Diverged)(nil); errors.As(err, &d) {
			return err
		}
		if err != nil {
			return fmt.Errorf("training: hook of step %d: %w", s.Index, err)
		}
	}
	return nil
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
	case !(l.LearningRate > 0) || math.IsInf(l.LearningRate, 0):
		return 0, fmt.Errorf("training: found learning rate %g, it has to be positive and finite", l.LearningRate)
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
