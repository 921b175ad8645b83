package training

import "pkm/graphs"

// sgd is torch.optim.SGD: gradient descent with momentum μ (Polyak 1964),
// dampening τ or Nesterov's look-ahead in the form of Sutskever et al. (2013),
//
//	u ← ĝ in the first step, μu + (1−τ)ĝ in later ones
//	Δ = −ηu,   or −η(ĝ + μu) with nesterov,   or −ηĝ without momentum
//
// The gradient enters the first u undampened, so A is 1 there and 1−τ afterwards.
// Decoupled decay (SGDW of Loshchilov & Hutter 2019, not in PyTorch) multiplies w
// by 1−ηλ first.
type sgd[T graphs.Float] struct {
	base[T]
	u []T // (P); nil without momentum
}

func newSGD[T graphs.Float](b base[T]) *sgd[T] {
	o := &sgd[T]{base: b}
	if b.Momentum > 0 {
		o.u = o.tensor("momentum", 0)
	}
	return o
}

// Update implements Optimizer.
func (o *sgd[T]) Update(η float64, w []T, gradient []float64, delta []T) (Update, error) {
	step, err := o.begin(η, w, gradient, delta)
	if err != nil {
		return Update{}, err
	}
	if o.u == nil {
		step.F.Scalar = η
	} else {
		step.Beta, step.A.Scalar, step.E.Scalar = o.Momentum, 1-o.Dampening, η
		if o.state.Steps == 1 {
			step.A.Scalar = 1
		}
		if o.Nesterov {
			step.E.Scalar, step.F.Scalar = η*o.Momentum, η
		}
	}
	apply(step, w, gradient, o.u, delta)
	return step, nil
}
