package training

import (
	"math"

	"pkm/graphs"
)

// adagrad is torch.optim.Adagrad (Duchi, Hazan & Singer 2011). In step t = 1, 2, …
// with learning rate decay κ,
//
//	v ← v + ĝ²,   Δ = −η/(1+(t−1)κ) · ĝ / (√v + ε)
//
// where v starts as InitialAccumulator. The quotient without ĝ is F.
type adagrad[T graphs.Float] struct {
	base[T]
	v []T       // (P)
	f []float64 // (P)
}

func newAdagrad[T graphs.Float](b base[T]) *adagrad[T] {
	o := &adagrad[T]{base: b, f: make([]float64, b.parameters)}
	o.v = o.tensor("sum", b.InitialAccumulator)
	return o
}

// Update implements Optimizer.
func (o *adagrad[T]) Update(η float64, w []T, gradient []float64, delta []T) (Update, error) {
	step, err := o.begin(η, w, gradient, delta)
	if err != nil {
		return Update{}, err
	}
	rate := η / (1 + float64(o.state.Steps-1)*o.LearningRateDecay)
	for i := range o.f {
		g := effective(step, w[i], gradient[i])
		v := float64(o.v[i]) + g*g
		o.v[i] = T(v)
		o.f[i] = rate / (math.Sqrt(v) + o.Epsilon)
	}
	step.F.Vector = o.f
	apply(step, w, gradient, nil, delta)
	return step, nil
}
