package experiments

import (
	"context"
	"strconv"

	"pkm/graphs"
	"pkm/internal/compute"
	"pkm/pathkernel"
	"pkm/training"
)

// lossPathKernel is the bound of Chen et al.
const lossPathKernel = "loss-path-kernel"

// Generalization compares what was measured of the generalisation gap with its bound. The bound is twice the
// complexity, and the deviation where the range of the losses is known; see pathkernel.LossPath for what it is
// and when it is one. Twice the complexity alone bounds the gap on average over training sets, with the
// deviation that of one training set with the confidence of the configuration. The measured gap is query_loss −
// train_loss, in which the mean over finitely many queries stands for the expected loss.
type Generalization struct {
	Kind        string  `json:"kind"`
	Bound       Figure  `json:"bound"`
	TrainLoss   Figure  `json:"train_loss"`
	QueryLoss   Figure  `json:"query_loss"`
	MeasuredGap Figure  `json:"measured_gap"`
	Complexity  Figure  `json:"complexity"`          // (B/N)·√trace
	Norm        Figure  `json:"norm"`                // B = √∫‖∇L‖²dτ
	Trace       Figure  `json:"trace"`               // Σ_i K_T(z_i, z_i)
	Deviation   *Figure `json:"deviation,omitempty"` // 3·loss_range·√(ln(2/δ)/2N)
}

// lossPath is the hook that adds up the loss path kernel of the training samples.
type lossPath[T graphs.Float] struct {
	*pathkernel.LossPath
	engine compute.Engine
}

// newLossPath returns the hook of a configuration, nil where it asks for no bound.
func newLossPath[T graphs.Float](b *Bound, engine compute.Engine, samples int) *lossPath[T] {
	if b.Kind != lossPathKernel {
		return nil
	}
	return &lossPath[T]{pathkernel.NewLossPath(samples), engine}
}

// Step implements training.Hook.
func (l *lossPath[T]) Step(_ context.Context, s *training.Step[T]) error {
	l.LossPath.Step(s.LearningRate, l.norms(s), s.Mean)
	return nil
}

// Finish implements training.Hook.
func (l *lossPath[T]) Finish(_ context.Context, s *training.Step[T]) error {
	l.LossPath.Finish(l.norms(s), s.Mean)
	return nil
}

func (l *lossPath[T]) norms(s *training.Step[T]) []float64 {
	return pathkernel.SquaredNorms(l.engine, convert(s.Factors()))
}

// writeBound writes the diagonal of the loss path kernel and returns the figures beside those of the network;
// nil where no bound was asked for.
func (e *experiment[T]) writeBound(n NetworkFigures) (*Generalization, error) {
	if e.lossPath == nil {
		return nil, nil
	}
	p, b := e.lossPath, &e.config.Bound
	g := &Generalization{Kind: b.Kind, Bound: Figure(2 * p.Complexity()), TrainLoss: n.TrainLoss, QueryLoss: n.QueryLoss, MeasuredGap: n.QueryLoss - n.TrainLoss,
		Complexity: Figure(p.Complexity()), Norm: Figure(p.Norm())}
	for _, k := range p.Diagonal() {
		g.Trace += Figure(k)
	}
	if b.LossRange > 0 {
		deviation := Figure(pathkernel.Deviation(len(p.Diagonal()), b.Confidence, b.LossRange))
		g.Deviation, g.Bound = &deviation, g.Bound+deviation
	}
	return g, WriteArray(e.dir, "loss_path_kernel_diagonal", []int{len(p.Diagonal())}, p.Diagonal())
}

// fullBatch reports whether every step is of all training samples.
func (c *Config) fullBatch() bool {
	return c.Training.BatchSize == 0 || c.Training.BatchSize == c.Data.Train
}

// bound records the kinds of training of which the bound says nothing.
func (v *validator) bound(c *Config) {
	if c.Bound.Kind != lossPathKernel || v.faulty["bound.kind"] {
		return
	}
	t := &c.Training
	refuse := func(path, found, allowed string) {
		if !v.faulty[path] {
			v.fail(path, ConfigError{Found: found, Fault: "while bound.kind is " + lossPathKernel + ", which is of the gradient flow to a time that does not depend on the samples", Allowed: allowed})
		}
	}
	o := &t.Optimizer
	switch {
	case o.Kind != "sgd" && o.Kind != "flow":
		refuse("training.optimizer.kind", o.Kind, "flow, sgd; or bound.kind: none")
	case o.Kind == "sgd" && o.Momentum != 0:
		refuse("training.optimizer.momentum", decimal(o.Momentum), "0; or bound.kind: none")
	case o.Kind == "sgd" && o.WeightDecay != 0:
		refuse("training.optimizer.weight_decay", decimal(o.WeightDecay), "0; or bound.kind: none")
	}
	if !c.fullBatch() {
		refuse("training.batch_size", strconv.Itoa(t.BatchSize), "0: every sample of data.train; or bound.kind: none")
	}
	for path, value := range map[string]float64{"training.clip_norm": t.ClipNorm, "training.stop.loss": t.Stop.Loss, "training.stop.gradient_norm": t.Stop.GradientNorm} {
		if value != 0 {
			refuse(path, decimal(value), "0; or bound.kind: none")
		}
	}
}
