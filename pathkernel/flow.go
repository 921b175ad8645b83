package pathkernel

// flow is the measure of gradient flow, with the iterates for its snapshots and
// learning rates for its time steps:
//
//	left       Σ_s η_s h_s
//	trapezoid  Σ_s (η_s/2)(h_s + h_{s+1})
//
// Both sides of the kernel are evaluated at the same snapshot (arXiv 2012.00152,
// definition 2). On iterates of gradient descent both are of order 1: the
// trapezoid telescopes to left + (η/2)(h_S − h_0).
type flow struct {
	trapezoid bool
	last      float64 // η_{s−1}, 0 before the first step
	weight    [1]float64
}

func (f *flow) Nodes() []float64 { return []float64{0} }

func (f *flow) Step(η float64) []float64 {
	if f.trapezoid {
		f.weight[0] = (f.last + η) / 2
	} else {
		f.weight[0] = η
	}
	f.last = η
	return f.weight[:]
}

// Finish returns the weight of w_S once: a path that is taken up at its end, with a state from after it, has counted it.
func (f *flow) Finish() float64 {
	last := f.last
	f.last = 0
	if f.trapezoid {
		return last / 2
	}
	return 0
}
