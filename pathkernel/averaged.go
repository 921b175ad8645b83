package pathkernel

import "math"

// PredictAveraged returns the outputs ŷ (M, C) of a machine whose coefficients do not depend on the query, given
// b = f(x; w_0),
//
//	ŷ_c(x_m) = b_c(x_m) + Σ_{i,c′} ā[c,i,c′]·K^p[m,c,i,c′],   ā[c,i,c′] = Σ_m |K^p|·a / Σ_m |K^p|,
//
// averages over the queries with weights |K^p|[m,c,i,c′] ≥ 0, and 0 where all of them are 0. With a·K^p = q, the numerators
// of the coefficients, |K^p|·a is q·sign K^p, so that no small kernel is divided by; and because the path kernels of
// different queries cannot cancel in the denominator, as they could in Σ_m a·K^p / Σ_m K^p (off-diagonal outputs have
// kernels of both signs), ā lies between the smallest and the largest a of any query, and |ā·K^p| is at most Σ_m |q|. Where
// the kernels have one sign both are the same, and the predictions' sum over the queries is the machine's.
//
// It is the kernel machine of textbooks, and says by its error how much the coefficients' dependence on the query
// matters. nil for a machine without coefficients. 4·M·C²·N FLOPs, 16·C²·N bytes.
func (m *Machine) PredictAveraged(initial []float64) []float64 {
	numerators, kernel, seeds := m.numerators, m.pathKernel, m.outputs
	switch {
	case m.kernel == TraceKernel && m.outputs == 1:
		numerators, seeds = m.Contributions(), 1
	case m.kernel != FullKernel:
		return nil
	}
	size := m.outputs * m.samples * seeds
	above, below := make([]float64, size), make([]float64, size)
	for i, q := range numerators {
		if kernel[i] != 0 {
			above[i%size] += math.Copysign(1, kernel[i]) * q
			below[i%size] += math.Abs(kernel[i])
		}
	}
	out := append([]float64(nil), initial...)
	for i, k := range kernel {
		if j := i % size; below[j] != 0 {
			out[i/size*m.outputs+j/(m.samples*seeds)] += above[j] / below[j] * k
		}
	}
	return out
}
