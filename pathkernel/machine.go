package pathkernel

import (
	"fmt"
	"slices"
)

// Kernel says which path kernel is kept beside the contributions.
type Kernel string

// The kinds of path kernel.
const (
	TraceKernel Kernel = "trace" // ∫ tr K dτ (M, N)
	FullKernel  Kernel = "full"  // ∫ K dτ (M, C, N, C)
	NoKernel    Kernel = "none"
)

// Kernels returns all kinds of path kernel.
func Kernels() []Kernel { return []Kernel{TraceKernel, FullKernel, NoKernel} }

// Machine is one account of a network as a kernel machine. A Path fills it step
// by step. Memory: M·C·N float64 for the contributions, M·N for a trace kernel,
// 2·M·C²·N for a full one.
type Machine struct {
	Name    string
	Measure Measure
	// Adaptive refines what the measure's rule, its Base, leaves above the tolerance; nil for
	// other rules. See Path.Refine and LinearStep.Refined.
	Adaptive *Adaptive

	kernel         Kernel
	queries        int       // M
	outputs        int       // C
	samples        int       // N
	contributions  []float64 // (M, C, N)
	pathKernel     []float64 // trace: (M, N); full: (M, C, N, C)
	regularization []float64 // (M, C), nil for 0
	numerators     []float64 // full: −∫K_{cc′}ℓ′_{c′}dτ/N (M, C, N, C)
	bound          float64   // the largest |ℓ′|/B met
	certificate    *Certificate
	layers         *parts // of the contributions and the regularisation, or nil
	windows        *parts
	single         bool // fed with float32 factors
}

// NewMachine returns an empty account of M = queries samples and N = samples
// training samples of a network of C = outputs.
func NewMachine(name string, measure Measure, kernel Kernel, queries, outputs, samples int) (*Machine, error) {
	if !slices.Contains(Kernels(), kernel) {
		return nil, fmt.Errorf("pathkernel: machine %q: no path kernel is named %q; there are trace, full and none", name, kernel)
	}
	if queries < 1 || outputs < 1 || samples < 1 {
		return nil, fmt.Errorf("pathkernel: machine %q of %d queries, %d outputs and %d training samples: there must be at least 1 of each", name, queries, outputs, samples)
	}
	m := &Machine{Name: name, Measure: measure, kernel: kernel, queries: queries, outputs: outputs, samples: samples,
		contributions: make([]float64, queries*outputs*samples)}
	if Order(measure) > 0 {
		m.certificate = newCertificate(queries)
	}
	switch kernel {
	case TraceKernel:
		m.pathKernel = make([]float64, queries*samples)
	case FullKernel:
		m.pathKernel = make([]float64, queries*outputs*outputs*samples)
		m.numerators = make([]float64, queries*outputs*outputs*samples)
	}
	return m, nil
}

// Rule returns the quadrature rule of a machine of family exact: at the start of every step
// for an adaptive one.
func (m *Machine) Rule() (rule Rule, exists bool) {
	if e, ok := m.Measure.(*exact); ok {
		return e.rule, true
	}
	return Rule{}, false
}

// Kernel returns the kind of path kernel the machine keeps.
func (m *Machine) Kernel() Kernel { return m.kernel }

// Contributions returns Q (M, C, N): what training sample i added to output c of
// query m over the path. The slice belongs to the machine.
func (m *Machine) Contributions() []float64 {
	if m.layers != nil {
		m.layers.sum(m.contributions)
	}
	return m.contributions
}

// Regularization returns R (M, C): what weight decay added to the outputs. It belongs
// to no sample.
func (m *Machine) Regularization() []float64 {
	if m.regularization == nil {
		return make([]float64, m.queries*m.outputs)
	}
	return m.regularization
}

// PathKernel returns K^p, which is ∫tr K dτ (M, N) of a trace kernel, ∫K dτ
// (M, C, N, C) of a full one, nil of none. Time is what Path.Begin was told of each step, τ = Σ_s η_s·clip_s for
// learning rates η_s and factors clip_s ≤ 1 by which gradients were clipped, so that a step of plain descent
// is Δ_s = −dτ·∇L, whatever it was clipped to. A machine of family exact takes the query's side at the nodes of its rule
// and the training side at w_s. Path.Refine refines that of an adaptive machine with its contributions; a machine that
// is filled by a Backward has the refinements in its contributions alone, and the kernel of the rule
// that every step begins with. The slice belongs to the machine.
func (m *Machine) PathKernel() []float64 {
	return m.pathKernel
}

// Coefficients returns the coefficients a of the machine
//
//	f_c(x_m) = b_c(x_m) + Σ_{i,c′} a[m,c,i,c′]·K^p[m,c,i,c′],  b = f(x; w_0),
//	a[m,c,i,c′] = −∫ K_{cc′}(x_m,x_i) ∂L/∂f_{c′}(x_i) dτ / ∫ K_{cc′}(x_m,x_i) dτ
//
// (arXiv 2012.00152, theorem 1): averages over the path, weighted by similarity,
// of the derivative of the objective L = (1/B)Σℓ with respect to the training
// outputs, ∂L/∂f(x_i) = ℓ′_i/B. They depend on the query. A full kernel gives
// (M, C, N, C); a trace kernel of one output gives (M, N) = (M, 1, N, 1); others
// give nil, because ∫tr K mixes outputs. Where K^p is 0 the coefficient is 0 if
// the contribution is, else infinite. Near zeros of K^p it means nothing: see
// Conditioning, and keep the contributions for the truth.
func (m *Machine) Coefficients() []float64 {
	numerators, kernel := m.numerators, m.pathKernel
	switch {
	case m.kernel == TraceKernel && m.outputs == 1:
		numerators = m.Contributions()
	case m.kernel != FullKernel:
		return nil
	}
	a := make([]float64, len(kernel))
	for i, q := range numerators {
		if q != 0 {
			a[i] = q / kernel[i]
		}
	}
	return a
}

// Predict returns the machine's outputs ŷ = b + Σ_i Q + R (M, C), given b = f(x; w_0).
func (m *Machine) Predict(initial []float64) []float64 {
	return Predict(initial, m.Contributions(), m.Regularization())
}

// Residual returns f(x; w_S) − ŷ (M, C): what the quadrature misses.
func (m *Machine) Residual(initial, final []float64) []float64 {
	residual := m.Predict(initial)
	for r := range residual {
		residual[r] = final[r] - residual[r]
	}
	return residual
}

// Predict returns b + Σ_i Q[·,·,i] + R (M, C) for initial outputs b (M, C),
// contributions Q (M, C, N) and regularisation R (M, C). Samples are summed in
// ascending order, so that equal arrays give equal bits. The slices must not be
// empty and their lengths must fit.
func Predict(initial, contributions, regularization []float64) []float64 {
	n := len(contributions) / len(initial)
	prediction := make([]float64, len(initial))
	for r := range prediction {
		var sum float64
		for _, q := range contributions[r*n : (r+1)*n] {
			sum += q
		}
		prediction[r] = initial[r] + sum + regularization[r]
	}
	return prediction
}
