package pathkernel

// PredictAveraged returns the outputs ŷ (M, C) of a machine whose coefficients do not depend on the query, given
// b = f(x; w_0),
//
//	ŷ_c(x_m) = b_c(x_m) + Σ_{i,c′} ā[c,i,c′]·K^p[m,c,i,c′],   ā[c,i,c′] = Σ_m a·K^p / Σ_m K^p,
//
// averages over the queries weighted by the path kernel, which a vanishing kernel does not spoil. It is the kernel machine of
// textbooks, and says by its error how much the coefficients' dependence on the query matters. nil for a
// machine without coefficients.
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
		above[i%size] += q
		below[i%size] += kernel[i]
	}
	out := append([]float64(nil), initial...)
	for i, k := range kernel {
		if j := i % size; above[j] != 0 {
			out[i/size*m.outputs+j/(m.samples*seeds)] += above[j] / below[j] * k
		}
	}
	return out
}
