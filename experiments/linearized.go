package experiments

import (
	"context"
	"fmt"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

// linearLoss is the loss of other outputs than those of the graph that asks: those of the linearised network.
type linearLoss[T graphs.Float] struct {
	graphs.Loss[T]
	outputs []T
}

// Evaluate implements graphs.Loss.
func (l *linearLoss[T]) Evaluate(_, targets []T, classes int, losses []float64, derivatives []T) {
	l.Loss.Evaluate(l.outputs, targets, classes, losses, derivatives)
}

// linearizer evaluates outputs and gradients of f(w_0) + J(w_0)·(w − w_0) for batches of a size.
type linearizer[T graphs.Float] struct {
	jacobian *graphs.Jacobian[T]
	gradient *graphs.Gradient[T]
	loss     *linearLoss[T]
	held     bool // the samples are those of every batch, and evaluated
}

// linearized trains the network's linearisation at w_0, f(x; w_0) + J(x; w_0)·(w − w_0), with the optimizer, the
// schedule and the batches of the run, and returns its outputs (M, C) for the queries: regression with the neural tangent kernel, for any
// loss and optimizer (Lee et al., NeurIPS 2019). A step costs a Jacobian of its batch where the batches change.
func (b *baselines[T]) linearized(ctx context.Context) ([]float64, error) {
	l, parameters, d, c := b.loop, b.network.Parameters(), b.network.Input().Size(), b.network.Outputs()
	optimizer, err := training.NewOptimizer[T](l.Optimizer, parameters)
	if err != nil {
		return nil, err
	}
	schedule, err := training.NewSchedule(l.Schedule, l.LearningRate, l.Steps)
	if err != nil {
		return nil, err
	}
	batches, err := training.NewBatches(b.train.Count(), l.BatchSize, l.Seed)
	if err != nil {
		return nil, err
	}
	evaluators := make(map[int]*linearizer[T])
	w, moved, delta, mean := append([]T(nil), b.initial...), make([]T, parameters), make([]T, parameters), make([]float64, parameters)
	for s := range b.completed {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		_, batch := batches.At(s)
		size, inputs, targets := b.train.Count(), b.inputs, b.targets
		if batch != nil {
			size, inputs, targets = len(batch), rowsOf(b.inputs, size, batch), rowsOf(b.targets, size, batch)
		}
		e := evaluators[size]
		if e == nil {
			if e, err = newLinearizer(b, size); err != nil {
				return nil, err
			}
			evaluators[size] = e
		}
		if err := e.load(inputs, targets, b.initial); err != nil {
			return nil, err
		}
		e.held = batch == nil
		e.outputs(b, moved)
		if err := e.gradient.Run(b.initial); err != nil {
			return nil, err
		}
		for i, g := range e.gradient.Sum() {
			mean[i] = float64(g) / float64(size)
		}
		if _, err := optimizer.Update(schedule.Rate(s), w, mean, delta); err != nil {
			return nil, fmt.Errorf("train the linearised network, step %d: %w", s, err)
		}
		for i := range w {
			w[i] += delta[i]
			moved[i] = w[i] - b.initial[i]
		}
	}
	jacobian, err := graphs.NewJacobian[T](b.network, b.options.Engine, b.block)
	if err != nil {
		return nil, err
	}
	var out []float64
	for _, block := range b.queries.blocks() {
		inputs := make([]T, b.block*d)
		copy(inputs, b.queries.inputs[block.first*d:(block.first+block.count)*d])
		if err := jacobian.SetInputs(inputs); err != nil {
			return nil, err
		}
		if err := jacobian.Run(b.initial); err != nil {
			return nil, err
		}
		f := widen(jacobian.Outputs()[:block.count*c])
		for i, v := range pathkernel.Apply(b.options.Engine, pathkernel.Rows(convert(jacobian.Factors()), 0, block.count), moved) {
			f[i] += v
		}
		out = append(out, f...)
	}
	return out, nil
}

func newLinearizer[T graphs.Float](b *baselines[T], rows int) (*linearizer[T], error) {
	e := &linearizer[T]{loss: &linearLoss[T]{Loss: b.loop.Loss, outputs: make([]T, rows*b.network.Outputs())}}
	var err error
	if e.jacobian, err = graphs.NewJacobian[T](b.network, b.options.Engine, rows); err != nil {
		return nil, err
	}
	e.gradient, err = graphs.NewGradient[T](b.network, b.options.Engine, rows, e.loss)
	return e, err
}

// load evaluates the Jacobian at w_0 of a batch, once where it is always the same.
func (e *linearizer[T]) load(inputs, targets, initial []T) error {
	if e.held {
		return nil
	}
	if err := e.jacobian.SetInputs(inputs); err != nil {
		return err
	}
	if err := e.gradient.SetInputs(inputs); err != nil {
		return err
	}
	if err := e.gradient.SetTargets(targets); err != nil {
		return err
	}
	return e.jacobian.Run(initial)
}

// outputs sets the outputs of the loss to those of w_0 + moved.
func (e *linearizer[T]) outputs(b *baselines[T], moved []T) {
	f := e.jacobian.Outputs()
	for i, v := range pathkernel.Apply(b.options.Engine, convert(e.jacobian.Factors()), moved) {
		e.loss.outputs[i] = T(float64(f[i]) + v)
	}
}
