package experiments

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

// accountant fills the machines of a run whose steps are not plain descent, from its
// trajectory: segment by segment, each replayed from its checkpoint, and within a segment step by
// step, from the last of the run to the first.
type accountant[T graphs.Float] struct {
	*experiment[T]
	loop     *training.Loop[T]
	backward []*pathkernel.Backward[T]
	nodes    []float64                   // of all rules together
	query    []*graphs.Jacobian[T]       // one for each node
	gradient map[int]*graphs.Gradient[T] // by size of batch
	point    []T
	refiner  *refiner[T]
	outputs  *graphs.Forward[T]    // of the query
	after    []float64             // f(x; w_{s+1}) (M, C), nil: not known yet
	snapshot *training.Snapshot[T] // of the end of training
}

// recorded is what a replayed step is made of.
type recorded[T graphs.Float] struct {
	weights, delta []T
	batch          []int
	update         training.Update
}

// account fills the machines. Memory: M·C·P for each, and the weights of a segment.
func (e *experiment[T]) account(ctx context.Context, loop *training.Loop[T], save *saver[T]) error {
	a := &accountant[T]{experiment: e, loop: loop, gradient: make(map[int]*graphs.Gradient[T]), point: make([]T, e.network.Parameters()),
		refiner: &refiner[T]{network: e.network, engine: e.options.Engine, queries: e.queries}}
	for _, m := range e.machines {
		b, err := pathkernel.NewBackward[T](e.options.Engine, m, e.network.Parameters())
		if err != nil {
			return err
		}
		a.backward = append(a.backward, b)
		a.nodes = append(a.nodes, b.Rule().Nodes...)
	}
	slices.Sort(a.nodes)
	a.nodes = slices.Compact(a.nodes)
	for range a.nodes {
		j, err := graphs.NewJacobian[T](e.network, e.options.Engine, len(e.query.Labels))
		if err != nil {
			return err
		}
		if err := j.SetInputs(e.queries); err != nil {
			return err
		}
		a.query = append(a.query, j)
	}
	var err error
	if a.outputs, err = graphs.NewForward[T](e.network, e.options.Engine, len(e.query.Labels)); err != nil {
		return err
	}
	if err := a.outputs.SetInputs(e.queries); err != nil {
		return err
	}
	trajectory := training.Trajectory{Dir: filepath.Join(e.dir.path, "trajectory")}
	starts, err := trajectory.Steps()
	if err != nil {
		return err
	}
	end := e.completed
	if a.snapshot, err = training.ReadCheckpointOf[T](trajectory.Path(end), e.network.Layout(), end); err != nil {
		return err
	}
	if s := e.saved; s != nil && s.accounted >= 0 {
		for i, b := range a.backward {
			if err := b.Restore(s.psi[i], s.beta[i]); err != nil {
				return err
			}
		}
		end = s.accounted
	}
	for _, start := range slices.Backward(starts) {
		if start >= end {
			continue
		}
		segment := &segment[T]{}
		if _, err := training.Replay(ctx, loop, trajectory, start, end, segment); err != nil {
			return err
		}
		for i, step := range slices.Backward(segment.steps) {
			if err := a.step(start+i, step); err != nil {
				return fmt.Errorf("account for step %d: %w", start+i, err)
			}
			if ctx.Err() != nil {
				return fmt.Errorf("stopped while accounting for step %d: %w", start+i, context.Cause(ctx))
			}
		}
		end = start
		if err := save.saveAccount(a, end); err != nil {
			return err
		}
	}
	if end != 0 {
		return fmt.Errorf("account for the path: the trajectory has no checkpoint of step 0")
	}
	return nil
}

// segment is the hook that keeps the steps of a replay.
type segment[T graphs.Float] struct{ steps []recorded[T] }

// Step implements training.Hook.
func (s *segment[T]) Step(_ context.Context, step *training.Step[T]) error {
	u := step.Update
	for _, d := range []*training.Diagonal{&u.A, &u.E, &u.F} {
		d.Vector = slices.Clone(d.Vector)
	}
	s.steps = append(s.steps, recorded[T]{slices.Clone(step.Weights), slices.Clone(step.Delta), slices.Clone(step.Batch), u})
	return nil
}

// Finish implements training.Hook.
func (s *segment[T]) Finish(context.Context, *training.Step[T]) error { return nil }

// step accounts for one step.
func (a *accountant[T]) step(index int, r recorded[T]) error {
	gradient, err := a.gradients(r)
	if err != nil {
		return err
	}
	factors := make([][]pathkernel.Factor[T], len(a.nodes))
	for k, at := range a.nodes {
		for i, w := range r.weights {
			a.point[i] = w + T(at)*r.delta[i]
		}
		if err := a.query[k].Run(a.point); err != nil {
			return err
		}
		factors[k] = convert(a.query[k].Factors())
	}
	before, err := a.change(r)
	if err != nil {
		return err
	}
	for i, b := range a.backward {
		step := &pathkernel.LinearStep[T]{
			Clip: r.update.Clip, L2: r.update.L2, Beta: r.update.Beta, Decay: r.update.Decay,
			A: pathkernel.Diagonal(r.update.A), E: pathkernel.Diagonal(r.update.E), F: pathkernel.Diagonal(r.update.F),
			Weights: r.weights, Batch: r.batch, Gradient: gradient,
		}
		for _, t := range b.Rule().Nodes {
			k, _ := slices.BinarySearch(a.nodes, t)
			step.Nodes = append(step.Nodes, factors[k])
		}
		if m := a.machines[i]; m.Adaptive != nil {
			known := &measured[T]{weights: r.weights, delta: r.delta, nodes: step.Nodes, before: before, after: a.after}
			for _, factors := range step.Nodes {
				known.slopes = append(known.slopes, pathkernel.Apply(a.options.Engine, factors, r.delta))
			}
			if _, step.Refined, err = a.refiner.certify(m, index, known); err != nil {
				return err
			}
		}
		if err := b.Step(step); err != nil {
			return err
		}
	}
	a.after = before
	return nil
}

// change evaluates the outputs at both ends of a step, where a machine asks for them.
func (a *accountant[T]) change(r recorded[T]) (before []float64, err error) {
	if !slices.ContainsFunc(a.machines, func(m *pathkernel.Machine) bool { return m.Adaptive != nil }) {
		return nil, nil
	}
	if a.after == nil {
		for i, w := range r.weights {
			a.point[i] = w + r.delta[i]
		}
		if err := a.outputs.Run(a.point); err != nil {
			return nil, err
		}
		a.after = widen(a.outputs.Outputs())
	}
	if err := a.outputs.Run(r.weights); err != nil {
		return nil, err
	}
	return widen(a.outputs.Outputs()), nil
}

// gradients evaluates the factors of g_i for the step's batch.
func (a *accountant[T]) gradients(r recorded[T]) ([]pathkernel.Factor[T], error) {
	rows := len(r.batch)
	if r.batch == nil {
		rows = len(a.train.Labels)
	}
	g := a.gradient[rows]
	if g == nil {
		var err error
		if g, err = graphs.NewGradient(a.network, a.options.Engine, rows, a.loop.Loss); err != nil {
			return nil, err
		}
		a.gradient[rows] = g
	}
	inputs, targets := a.inputs, a.targets
	if r.batch != nil {
		inputs, targets = rowsOf(a.inputs, len(a.train.Labels), r.batch), rowsOf(a.targets, len(a.train.Labels), r.batch)
	}
	if err := g.SetInputs(inputs); err != nil {
		return nil, err
	}
	if err := g.SetTargets(targets); err != nil {
		return nil, err
	}
	if err := g.Run(r.weights); err != nil {
		return nil, err
	}
	return convert(g.Factors()), nil
}

// rowsOf returns some of n rows.
func rowsOf[T any](v []T, n int, rows []int) []T {
	width := len(v) / n
	out := make([]T, 0, width*len(rows))
	for _, r := range rows {
		out = append(out, v[r*width:(r+1)*width]...)
	}
	return out
}
