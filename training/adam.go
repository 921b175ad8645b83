package training

import (
	"math"

	"pkm/graphs"
)

// adam is torch.optim.Adam (Kingma & Ba 2015), torch.optim.AdamW (Loshchilov &
// Hutter 2019) where the decay is decoupled, and AMSGrad (Reddi, Kale & Kumar 2018).
// In step t = 1, 2, …
//
//	u ← β₁u + (1−β₁)ĝ,   v ← β₂v + (1−β₂)ĝ²,   v̂ = v, or max(v̂, v) with amsgrad
//	Δ = −η/(1−β₁ᵗ) · u / (√v̂/√(1−β₂ᵗ) + ε)
//
// AMSGrad takes the maximum before the bias is corrected, as PyTorch does. The
// quotient without u is E: it depends on the gradients of all samples so far.
type adam[T graphs.Float] struct {
	base[T]
	u, v, top []T       // (P); top is nil without amsgrad
	e         []float64 // (P)
}

func newAdam[T graphs.Float](b base[T]) *adam[T] {
	o := &adam[T]{base: b, e: make([]float64, b.parameters)}
	o.u, o.v = o.tensor("exp_avg", 0), o.tensor("exp_avg_sq", 0)
	if b.AMSGrad {
		o.top = o.tensor("max_exp_avg_sq", 0)
	}
	return o
}

// Update implements Optimizer.
func (o *adam[T]) Update(η float64, w []T, gradient []float64, delta []T) (Update, error) {
	step, err := o.begin(η, w, gradient, delta)
	if err != nil {
		return Update{}, err
	}
	t := float64(o.state.Steps)
	rate := η / (1 - math.Pow(o.Beta1, t))
	root := math.Sqrt(1 - math.Pow(o.Beta2, t))
	for i := range o.e {
		g := effective(step, w[i], gradient[i])
		v := o.Beta2*float64(o.v[i]) + (1-o.Beta2)*g*g
		o.v[i] = T(v)
		if o.top != nil {
			v = max(float64(o.top[i]), v)
			o.top[i] = T(v)
		}
		o.e[i] = rate / (math.Sqrt(v)/root + o.Epsilon)
	}
	step.Beta, step.A.Scalar, step.E.Vector = o.Beta1, 1-o.Beta1, o.e
	apply(step, w, gradient, o.u, delta)
	return step, nil
}
