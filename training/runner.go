package training

import (
	"context"
	"fmt"

	"pkm/graphs"
)

// runner is a loop under way.
type runner[T graphs.Float] struct {
	loop      *Loop[T]
	samples   int // N
	batches   *Batches
	gradients map[int]*graphs.Gradient[T] // by number of samples
	schedule  Schedule
	optimizer Optimizer[T]
	flow      *flowMover[T] // instead of an optimizer

	step    int
	weights []T // w_s
	good    []T // the last weights that were evaluated without an error
	delta   []T // Δ_s
	mean    []float64
	limit   float64
	inputs  []T // scratch: of a batch
	targets []T
}

func newRunner[T graphs.Float](l *Loop[T], from *Snapshot[T]) (r *runner[T], err error) {
	r = &runner[T]{loop: l, gradients: make(map[int]*graphs.Gradient[T])}
	if r.samples, err = l.check(); err != nil {
		return nil, err
	}
	if r.batches, err = NewBatches(r.samples, l.BatchSize, l.Seed); err != nil {
		return nil, err
	}
	p := len(l.Initial)
	if from == nil {
		from = &Snapshot[T]{Weights: l.Initial}
	} else if err := from.check(p, l.Steps); err != nil {
		return nil, err
	}
	if l.Flow != nil {
		if r.flow, err = newFlowMover(r, from); err != nil {
			return nil, err
		}
	} else if err := r.optimize(from); err != nil {
		return nil, err
	}
	r.step, r.limit, r.delta, r.mean = from.Step, from.Limit, make([]T, p), make([]float64, p)
	r.weights, r.good = append([]T(nil), from.Weights...), append([]T(nil), from.Weights...)
	return r, nil
}

// optimize prepares schedule and optimizer.
func (r *runner[T]) optimize(from *Snapshot[T]) (err error) {
	l := r.loop
	schedule, options := l.Schedule, l.Optimizer
	if schedule.Kind == "" {
		schedule.Kind = ConstantName
	}
	if options.Kind == "" {
		options.Kind = SGDName
	}
	if r.schedule, err = NewSchedule(schedule, l.LearningRate, l.Steps); err != nil {
		return err
	}
	if r.optimizer, err = NewOptimizer[T](options, len(l.Initial)); err != nil {
		return err
	}
	if from.Step == 0 {
		return nil
	}
	return r.optimizer.Restore(from.Optimizer)
}

// gradient returns the evaluator for a number of samples. That of all samples holds them.
func (r *runner[T]) gradient(rows int) (*graphs.Gradient[T], error) {
	if g := r.gradients[rows]; g != nil {
		return g, nil
	}
	l := r.loop
	g, err := graphs.NewGradient(l.Network, l.Engine, rows, l.Loss)
	if err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	if rows == r.samples {
		if err := g.SetInputs(l.Inputs); err != nil {
			return nil, fmt.Errorf("training: %w", err)
		}
		if err := g.SetTargets(l.Targets); err != nil {
			return nil, fmt.Errorf("training: %w", err)
		}
	}
	r.gradients[rows] = g
	return g, nil
}

// load gives an evaluator the samples of a batch.
func (r *runner[T]) load(g *graphs.Gradient[T], batch []int) error {
	d, c := r.loop.Network.Input().Size(), r.loop.Network.Outputs()
	r.inputs, r.targets = r.inputs[:0], r.targets[:0]
	for _, i := range batch {
		r.inputs = append(r.inputs, r.loop.Inputs[i*d:(i+1)*d]...)
		r.targets = append(r.targets, r.loop.Targets[i*c:(i+1)*c]...)
	}
	if err := g.SetInputs(r.inputs); err != nil {
		return err
	}
	return g.SetTargets(r.targets)
}

// evaluate computes losses and gradients at w_s, of the step's batch or of all samples.
func (r *runner[T]) evaluate(all bool) (*Step[T], error) {
	epoch, batch := r.batches.At(r.step)
	size := len(batch)
	if all || batch == nil {
		batch, size = nil, r.samples
	}
	g, err := r.gradient(size)
	if err != nil {
		return nil, err
	}
	if batch != nil {
		if err := r.load(g, batch); err != nil {
			return nil, fmt.Errorf("training: step %d: %w", r.step, err)
		}
	}
	if err := g.Run(r.weights); err != nil {
		return nil, fmt.Errorf("training: step %d: %w", r.step, err)
	}
	step := &Step[T]{
		Index: r.step, Epoch: epoch, Batch: batch, Size: size, Weights: r.weights,
		Loss: Mean(g.Losses()), Losses: g.Losses(), Outputs: g.Outputs(),
		LossDerivatives: g.LossDerivatives(), Mean: r.mean, gradient: g,
	}
	if r.schedule != nil {
		step.LearningRate = r.schedule.Rate(r.step)
	}
	if r.limit == 0 && r.loop.LossLimit > 0 {
		r.limit = r.loop.LossLimit * max(1, step.Loss)
	}
	if all {
		step.next = r.snapshot
	}
	if err := diverged(g, step, r.limit); err != nil {
		return nil, err
	}
	copy(r.good, r.weights)
	// Division by B, for the optimizer, here and nowhere else.
	for i, s := range g.Sum() {
		r.mean[i] = float64(s) / float64(size)
	}
	return step, nil
}

// move computes Δ_s.
func (r *runner[T]) move(s *Step[T]) (err error) {
	for _, p := range r.loop.Network.Layout() {
		if !graphs.Finite(r.mean[p.Offset : p.Offset+p.Size()]) {
			return &Diverged{Step: s.Index, Tensor: p.Name + " (gradient)", Loss: s.Loss}
		}
	}
	if r.flow != nil {
		err = r.flow.move(s)
	} else {
		s.Update, err = r.optimizer.Update(s.LearningRate, r.weights, r.mean, r.delta)
	}
	if err != nil {
		return err
	}
	if tensor, found := nonFiniteUpdate(r.loop.Network.Layout(), r.delta); found {
		return &Diverged{Step: s.Index, Tensor: tensor + " (update)", Loss: s.Loss}
	}
	s.Delta, s.next = r.delta, r.next
	return nil
}

// next returns the state after the step that has been computed.
func (r *runner[T]) next() *Snapshot[T] {
	s := r.snapshot()
	s.Step++
	s.Weights = append([]T(nil), r.weights...)
	for i, d := range r.delta {
		s.Weights[i] += d
	}
	return s
}

// snapshot returns the state at the start of the step, of which it shares the slices.
func (r *runner[T]) snapshot() *Snapshot[T] {
	s := &Snapshot[T]{Step: r.step, Weights: r.weights, Limit: r.limit}
	if r.flow != nil {
		s.Figures = r.flow.figures()
	} else {
		s.Optimizer = r.optimizer.State()
	}
	return s
}

// advance applies Δ_s: as w+Δ, so that whoever evaluates w_s + 1·Δ_s meets the next
// step's weights bit for bit.
func (r *runner[T]) advance() {
	for i := range r.weights {
		r.weights[i] += r.delta[i]
	}
	r.step++
}

// ended reports whether a gradient flow has come to its end.
func (r *runner[T]) ended() bool { return r.flow != nil && r.flow.ended() }

func (r *runner[T]) result(reason string) Result[T] {
	return Result[T]{Weights: r.good, Steps: r.step, Reason: reason}
}

// start tells the hooks of the state in which the loop starts.
func (r *runner[T]) start(ctx context.Context) error {
	for _, h := range r.loop.Hooks {
		if s, ok := h.(Starter[T]); ok {
			if err := s.Start(ctx, r.snapshot()); err != nil {
				return hookError(r.step, err)
			}
		}
	}
	return nil
}

// stopped tells the hooks that the loop stops before its step, and returns why.
func (r *runner[T]) stopped(ctx context.Context) error {
	err := fmt.Errorf("training: stopped before step %d: %w", r.step, context.Cause(ctx))
	for _, h := range r.loop.Hooks {
		if s, ok := h.(Stopper[T]); ok {
			if e := s.Stopped(context.WithoutCancel(ctx), r.snapshot()); e != nil {
				return fmt.Errorf("%w; %w", err, hookError(r.step, e))
			}
		}
	}
	return err
}

// hooks calls the hooks of a step, and of its epoch where it is the last of one.
func (r *runner[T]) hooks(ctx context.Context, s *Step[T]) error {
	if err := r.call(ctx, s, Hook[T].Step); err != nil {
		return err
	}
	if (r.step+1)%r.batches.PerEpoch() != 0 {
		return nil
	}
	for _, h := range r.loop.Hooks {
		if e, ok := h.(EpochHook[T]); ok {
			if err := e.Epoch(ctx, s); err != nil {
				return hookError(s.Index, err)
			}
		}
	}
	return nil
}

func (r *runner[T]) call(ctx context.Context, s *Step[T], method func(Hook[T], context.Context, *Step[T]) error) error {
	for _, h := range r.loop.Hooks {
		if err := method(h, ctx, s); err != nil {
			return hookError(s.Index, err)
		}
	}
	return nil
}
