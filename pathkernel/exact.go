package pathkernel

// exact is the measure of finite steps. The query's Jacobian is integrated over
// the line from w_s to w_{s+1} by a quadrature rule,
//
//	φ_s(x) = ∫₀¹ J(x; w_s+tΔ_s) dt ≈ Σ_k ω_k J(x; w_s+t_kΔ_s),
//
// while training gradients stay those of w_s, because that is what the step was
// made of (arXiv 2308.00824).
type exact struct {
	rule    Rule
	weights []float64
}

func (e *exact) Nodes() []float64 { return e.rule.Nodes }

func (e *exact) Step(η float64) []float64 {
	for k, ω := range e.rule.Weights {
		e.weights[k] = η * ω
	}
	return e.weights
}

func (e *exact) Finish() float64 { return 0 }
