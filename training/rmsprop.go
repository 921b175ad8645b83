package training

import (
	"math"

	"pkm/graphs"
)

// rmsprop is torch.optim.RMSprop (Tieleman & Hinton 2012; centered: Graves 2013),
//
//	v ← αv + (1−α)ĝ²,   m ← αm + (1−α)ĝ
//	r = 1/(√v + ε),     or 1/(√(v−m²) + ε) when centered
//	Δ = −η r⊙ĝ,         or, with momentum, u ← μu + r⊙ĝ and Δ = −ηu
//
// so that with momentum r is A, inside the sum over steps, and otherwise ηr is F.
// v−m² is a variance; where rounding makes it negative (PyTorch: NaN) it counts as 0.
type rmsprop[T graphs.Float] struct {
	base[T]
	v, m, u []T       // (P); m is nil unless centered, u without momentum
	r       []float64 // (P): r, or ηr without momentum
}

func newRMSprop[T graphs.Float](b base[T]) *rmsprop[T] {
	o := &rmsprop[T]{base: b, r: make([]float64, b.parameters)}
	o.v = o.tensor("square_avg", 0)
	if b.Centered {
		o.m = o.tensor("grad_avg", 0)
	}
	if b.Momentum > 0 {
		o.u = o.tensor("momentum", 0)
	}
	return o
}

// Update implements Optimizer.
func (o *rmsprop[T]) Update(η float64, w []T, gradient []float64, delta []T) (Update, error) {
	step, err := o.begin(η, w, gradient, delta)
	if err != nil {
		return Update{}, err
	}
	numerator := 1.0
	if o.u == nil {
		numerator = η
	}
	for i := range o.r {
		g := effective(step, w[i], gradient[i])
		v := o.Alpha*float64(o.v[i]) + (1-o.Alpha)*g*g
		o.v[i] = T(v)
		if o.m != nil {
			m := o.Alpha*float64(o.m[i]) + (1-o.Alpha)*g
			o.m[i] = T(m)
			v = max(0, v-m*m)
		}
		o.r[i] = numerator / (math.Sqrt(v) + o.Epsilon)
	}
	if o.u == nil {
		step.F.Vector = o.r
	} else {
		step.Beta, step.A.Vector, step.E.Scalar = o.Momentum, o.r, η
	}
	apply(step, w, gradient, o.u, delta)
	return step, nil
}
