package experiments

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

// accountant fills the machines of a run whose steps are not plain descent, from its
// trajectory: a block of queries after the other; for each, segment by segment, each replayed
// from its checkpoint, and within a segment step by step, from the last of the run to the first.
type accountant[T graphs.Float] struct {
	*experiment[T]
	loop     *training.Loop[T]
	done, of int                         // steps, each once for every block
	residual float64                     // of the step, see Progress
	block    int                         // of the queries
	backward []*pathkernel.Backward[T]   // of the block, one for each machine of the groups
	refiner  *refiner[T]                 // of adaptive machines
	gradient map[int]*graphs.Gradient[T] // by size of batch
	after    []float64                   // f(x; w_{s+1}) of the block (n, C), nil: not known yet
	snapshot *training.Snapshot[T]       // of the end of training
}

// recorded is what a replayed step is made of.
type recorded[T graphs.Float] struct {
	weights, delta []T
	batch          []int
	update         training.Update
	loss           float64
}

// account fills the machines. Memory: n·C·P for each and a block of n queries, and the weights
// of a segment.
func (e *experiment[T]) account(ctx context.Context, loop *training.Loop[T], save *saver[T]) error {
	a := e.newAccountant(loop)
	trajectory := training.Trajectory{Dir: filepath.Join(e.dir.path, "trajectory")}
	starts, err := trajectory.Steps()
	if err != nil {
		return err
	}
	if a.snapshot, err = training.ReadCheckpointOf[T](trajectory.Path(e.completed), e.network.Layout(), e.completed); err != nil {
		return err
	}
	blocks := e.queries.blocks()
	a.of = len(blocks) * e.completed
	for i, block := range blocks {
		end := e.completed
		s := e.saved
		if s != nil && s.accounted >= 0 && i < s.block {
			continue // accounted for before the run was interrupted
		}
		if err := a.begin(i, block); err != nil {
			return err
		}
		if s != nil && s.accounted >= 0 && i == s.block {
			for j, b := range a.backward {
				if err := b.Restore(s.psi[j], s.beta[j]); err != nil {
					return err
				}
			}
			end = s.accounted
		}
		a.done = i*e.completed + e.completed - end
		e.begins(PhaseAccounting, a.done, a.of)
		for _, start := range slices.Backward(starts) {
			if start >= end {
				continue
			}
			if err := a.segment(ctx, trajectory, start, end); err != nil {
				return err
			}
			end = start
			if err := save.saveAccount(a, end); err != nil {
				return err
			}
		}
		if end != 0 {
			return fmt.Errorf("account for the path: the trajectory has no checkpoint of step 0")
		}
	}
	return nil
}

func (e *experiment[T]) newAccountant(loop *training.Loop[T]) *accountant[T] {
	return &accountant[T]{experiment: e, loop: loop, gradient: make(map[int]*graphs.Gradient[T]),
		refiner: e.tracker.refiner}
}

// begin turns to a block of queries.
func (a *accountant[T]) begin(i int, block queryBlock) error {
	a.block, a.backward, a.after = i, nil, nil
	if err := a.queries.turn(block); err != nil {
		return err
	}
	for _, g := range a.groups {
		for _, m := range g.machines {
			b, err := pathkernel.NewBackward[T](a.options.Engine, m, a.network.Parameters(), block.first, block.count)
			if err != nil {
				return err
			}
			a.backward = append(a.backward, b)
		}
	}
	return nil
}

// residualOf returns the residual of a step as it was known in training, NaN where this process did not train.
func (a *accountant[T]) residualOf(step int) float64 {
	if step >= len(a.residuals) {
		return math.NaN()
	}
	return a.residuals[step]
}

// segment replays the steps from start to end and accounts for them.
func (a *accountant[T]) segment(ctx context.Context, trajectory training.Trajectory, start, end int) error {
	segment := &segment[T]{}
	if _, err := training.Replay(ctx, a.loop, trajectory, start, end, segment); err != nil {
		return err
	}
	return a.steps(ctx, start, segment.steps)
}

// steps accounts for replayed steps, the first of which is start.
func (a *accountant[T]) steps(ctx context.Context, start int, steps []recorded[T]) error {
	for i, step := range slices.Backward(steps) {
		a.residual = a.residualOf(start + i) // of fixed rules; adaptive ones are certified here
		if err := a.step(start+i, step); err != nil {
			return fmt.Errorf("account for step %d: %w", start+i, err)
		}
		a.done++
		a.tell(PhaseAccounting, Progress{Step: a.done, Steps: a.of, Loss: step.loss, Residual: a.residual})
		if a.tracker.windows.begins(start + i) {
			for _, m := range a.machines {
				if err := a.tracker.windows.close(m, start+i, a.queries.now); err != nil {
					return err
				}
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("stopped while accounting for step %d: %w", start+i, context.Cause(ctx))
		}
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
	s.steps = append(s.steps, recorded[T]{slices.Clone(step.Weights), slices.Clone(step.Delta), slices.Clone(step.Batch), u, step.Loss})
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
	q := a.queries
	for k := range q.nodes {
		if err := q.run(k, r.weights, r.delta); err != nil {
			return err
		}
	}
	before, err := a.change(r)
	if err != nil {
		return err
	}
	accounts := a.backward
	for _, g := range a.groups {
		nodes := make([][]pathkernel.Factor[T], len(q.nodes))
		for k := range nodes {
			factors, f := q.factors(k)
			nodes[k] = g.factors(q.now.first, factors, f)
		}
		for _, m := range g.machines {
			b := accounts[0]
			accounts = accounts[1:]
			step := &pathkernel.LinearStep[T]{
				Clip: r.update.Clip, L2: r.update.L2, Beta: r.update.Beta, Decay: r.update.Decay,
				A: pathkernel.Diagonal(r.update.A), E: pathkernel.Diagonal(r.update.E), F: pathkernel.Diagonal(r.update.F),
				Weights: r.weights, Batch: r.batch, Gradient: gradient,
			}
			for _, k := range q.places(b.Rule().Nodes) {
				step.Nodes = append(step.Nodes, nodes[k])
			}
			if m.Adaptive != nil {
				if step.Refined, err = a.refine(g, m, b, index, &r, step.Nodes, before); err != nil {
					return err
				}
			}
			if err := b.Step(step); err != nil {
				return err
			}
		}
	}
	a.after = before
	return nil
}

// refine certifies the step of an adaptive machine and returns what stands in for its rule.
func (a *accountant[T]) refine(g *group[T], m *pathkernel.Machine, b *pathkernel.Backward[T], index int, r *recorded[T], nodes [][]pathkernel.Factor[T], before []float64) ([]pathkernel.Refinement[T], error) {
	first, outputs := a.queries.now.first, a.network.Outputs()
	step := &measured[T]{first: first, weights: r.weights, delta: r.delta, nodes: nodes}
	step.before, _ = g.values(first, before, outputs)
	step.after, _ = g.values(first, a.after, outputs)
	for _, factors := range nodes {
		step.slopes = append(step.slopes, pathkernel.Apply(a.options.Engine, factors, r.delta))
	}
	var all []pathkernel.Refinement[T]
	meshes, err := a.refiner.certify(g, m, index, step, func(refined []pathkernel.Refinement[T]) error {
		for _, r := range refined {
			all = append(all, b.Condense(r))
		}
		return nil
	})
	if worst := unrefined(step.residuals, meshes, g.size(outputs)); !(a.residual >= worst) {
		a.residual = worst
	}
	return all, err
}

// change evaluates the outputs at both ends of a step, where a machine asks for them.
func (a *accountant[T]) change(r recorded[T]) (before []float64, err error) {
	if !slices.ContainsFunc(a.machines, func(m *pathkernel.Machine) bool { return m.Adaptive != nil }) {
		return nil, nil
	}
	if a.after == nil {
		if a.after, err = a.queries.at(a.queries.moved(r.weights, r.delta)); err != nil {
			return nil, err
		}
	}
	return a.queries.at(r.weights)
}

// gradients evaluates the factors of g_i for the step's batch.
func (a *accountant[T]) gradients(r recorded[T]) ([]pathkernel.Factor[T], error) {
	rows := len(r.batch)
	if r.batch == nil {
		rows = a.train.Count()
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
		inputs, targets = rowsOf(a.inputs, a.train.Count(), r.batch), rowsOf(a.targets, a.train.Count(), r.batch)
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
