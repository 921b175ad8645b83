package experiments

import (
	"fmt"

	"pkm/graphs"
	"pkm/internal/compute"
	"pkm/pathkernel"
	"pkm/training"
)

// The targets of a machine.
const (
	outputsTarget        = "outputs"
	lossTarget           = "loss"
	logProbabilityTarget = "log-probability"
)

// lossOf is the target ℓ(f(x); y) of the queries' own labels: K = 1.
type lossOf struct {
	loss    graphs.Loss[float64]
	targets []float64 // (M, C)
}

// Size implements pathkernel.Target.
func (l lossOf) Size() int { return 1 }

// Evaluate implements pathkernel.Target.
func (l lossOf) Evaluate(query int, f, values, derivatives []float64) {
	l.loss.Evaluate(f, l.targets[query*len(f):(query+1)*len(f)], len(f), values, derivatives)
}

// targetsOf returns the targets (n, C) of samples for a loss and a number of outputs.
func targetsOf[T graphs.Float](loss string, s *Samples, outputs int) ([]T, error) {
	if s.Labels == nil {
		return narrow[T](s.Targets), nil
	}
	return training.Targets[T](loss, s.Labels, max(2, outputs)) // the logistic loss has one output for two classes
}

// newTarget returns the target of that name for the queries; nil for the outputs.
func newTarget(name, loss string, queries *Samples, outputs int) (pathkernel.Target, error) {
	switch name {
	case lossTarget:
		l, err := training.NewLoss[float64](loss)
		if err != nil {
			return nil, err
		}
		targets, err := targetsOf[float64](loss, queries, outputs)
		return lossOf{l, targets}, err
	case logProbabilityTarget:
		return pathkernel.LogProbability{Classes: outputs}, nil
	case outputsTarget, "":
		return nil, nil
	}
	return nil, fmt.Errorf("no target is named %q", name)
}

// group is the machines that account for one target h(f) of K values.
type group[T graphs.Float] struct {
	name     string
	target   pathkernel.Target // nil: h = f
	machines []*pathkernel.Machine
	path     *pathkernel.Path[T]

	initial, before, final []float64 // h at w_0, w_s, w_S (M, K)
}

// newGroup returns an empty group.
func newGroup[T graphs.Float](name string, target pathkernel.Target) *group[T] {
	return &group[T]{name: name, target: target}
}

// size returns K of a network of C outputs.
func (g *group[T]) size(outputs int) int {
	if g.target == nil {
		return outputs
	}
	return g.target.Size()
}

// open prepares the path of the group's machines.
func (g *group[T]) open(engine compute.Engine) (err error) {
	g.path, err = pathkernel.NewPath[T](engine, g.machines...)
	return err
}

// values returns h (n, K) of outputs f (n, C) of n queries from first on, and ∂h/∂f (n, K, C), nil for h = f.
func (g *group[T]) values(first int, f []float64, outputs int) (h, derivatives []float64) {
	if g.target == nil {
		return f, nil
	}
	n, k := len(f)/outputs, g.target.Size()
	h, derivatives = make([]float64, n*k), make([]float64, n*k*outputs)
	for q := range n {
		g.target.Evaluate(first+q, f[q*outputs:(q+1)*outputs], h[q*k:(q+1)*k], derivatives[q*k*outputs:(q+1)*k*outputs])
	}
	return h, derivatives
}

// factors returns the factors of ∂h/∂f·J from those of J, for queries from first on with outputs f (n, C).
func (g *group[T]) factors(first int, factors []pathkernel.Factor[T], f []float64) []pathkernel.Factor[T] {
	if g.target == nil {
		return factors
	}
	_, derivatives := g.values(first, f, factors[0].Stacks)
	return pathkernel.Combine(factors, derivatives)
}
