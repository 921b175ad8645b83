package pathkernel

import "fmt"

// Accumulators is what a machine has added up so far: all that the rest of a path
// needs to end in the same bits. The slices are those of the machine.
type Accumulators struct {
	Contributions []float64 // (M, C, N)
	PathKernel    []float64 // as the machine's; empty without one
	Numerators    []float64 // of a full kernel
	// Regularization is R (M, C), of a machine that is filled backwards.
	Regularization []float64
	Bound          float64 // the largest |ℓ′|/B
	LastRate       float64 // η of the last step, for family flow
	Certificate    []float64
	Layers         []float64 // (L, M, C, N), then (L, M, C) of the regularisation
	Windows        []float64 // (W, M, C, N), (W, M, C), and both as they were when the last window was closed
}

// Accumulators returns the state of the machine.
func (m *Machine) Accumulators() Accumulators {
	a := Accumulators{Contributions: m.Contributions(), PathKernel: m.pathKernel, Numerators: m.numerators, Regularization: m.regularization, Bound: m.bound}
	if f, ok := m.Measure.(*flow); ok {
		a.LastRate = f.last
	}
	if m.certificate != nil {
		a.Certificate = m.certificate.values()
	}
	if m.layers != nil {
		a.Layers = m.layers.values
	}
	if m.windows != nil {
		a.Windows = m.windows.values
	}
	return a
}

// Restore copies a state into a machine of the same shape and kernel.
func (m *Machine) Restore(a Accumulators) error {
	if len(a.Contributions) != len(m.contributions) || len(a.PathKernel) != len(m.pathKernel) || len(a.Numerators) != len(m.numerators) {
		return fmt.Errorf("pathkernel: restore machine %q of %d contributions, %d kernel values and %d numerators: found %d, %d and %d", m.Name,
			len(m.contributions), len(m.pathKernel), len(m.numerators), len(a.Contributions), len(a.PathKernel), len(a.Numerators))
	}
	copy(m.contributions, a.Contributions)
	copy(m.pathKernel, a.PathKernel)
	copy(m.numerators, a.Numerators)
	if len(a.Regularization) == m.queries*m.outputs {
		m.regularization = append([]float64(nil), a.Regularization...)
	}
	m.bound = a.Bound
	if f, ok := m.Measure.(*flow); ok {
		f.last = a.LastRate
	}
	for _, side := range []struct {
		parts *parts
		state []float64
	}{{m.layers, a.Layers}, {m.windows, a.Windows}} {
		if side.parts == nil {
			continue
		}
		if err := side.parts.restore(side.state); err != nil {
			return fmt.Errorf("pathkernel: restore machine %q: %w", m.Name, err)
		}
	}
	if m.certificate != nil {
		return m.certificate.restore(a.Certificate)
	}
	return nil
}
