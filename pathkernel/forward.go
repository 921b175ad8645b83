package pathkernel

import "fmt"

// Forward is the plain twin of Backward: it carries a buffer for every training
// sample forward in time,
//
//	u_{s,i} = β u_{s−1,i} + A⊙(Clip/B) g_i [i in batch],   the same for the regularisation
//	Q[m,c,i] −= φ_s·(E⊙u_{s,i} + F⊙(Clip/B) g_i)
//
// with gradients and Jacobians formed. Memory: (N + 1)·P and more; for small problems
// and as an oracle.
type Forward[T Float] struct {
	machine *Machine
	rule    Rule
	size    int
	buffers [][]float64 // (N + 1, P): the last is of the regularisation
}

// NewForward returns an empty account of a path of P = parameters weights.
func NewForward[T Float](m *Machine, parameters int) (*Forward[T], error) {
	e, ok := m.Measure.(*exact)
	if !ok || m.kernel != NoKernel {
		return nil, fmt.Errorf("pathkernel: machine %q: only machines of family %s without a path kernel take linear steps", m.Name, ExactFamily)
	}
	if m.regularization == nil {
		m.regularization = make([]float64, m.queries*m.outputs)
	}
	f := &Forward[T]{machine: m, rule: e.rule, size: parameters, buffers: make([][]float64, m.samples+1)}
	for i := range f.buffers {
		f.buffers[i] = make([]float64, parameters)
	}
	return f, nil
}

// Step accounts for one step. Steps come in ascending order.
func (f *Forward[T]) Step(s *LinearStep[T]) error {
	m, p := f.machine, f.size
	if err := s.check(f.rule, m.queries, m.outputs, m.samples, p); err != nil {
		return err
	}
	direct := make(map[int][]float64) // what ĝ owes to each sample, and to the regularisation
	gradients := Explicit(s.Gradient, p)
	batch := s.Gradient[0].Rows
	for i := range batch {
		direct[s.sample(i)] = scaled(s.Clip/float64(batch), gradients[i*p:(i+1)*p])
	}
	weights := make([]float64, p)
	for i, w := range s.Weights {
		weights[i] = float64(w)
	}
	direct[m.samples] = scaled(s.L2, weights)
	φ := make([]float64, m.queries*m.outputs*p)
	for k, ω := range f.rule.Weights {
		for i, j := range Explicit(s.Nodes[k], p) {
			φ[i] += ω * j
		}
	}
	for i, u := range f.buffers {
		for q := range u {
			u[q] *= s.Beta
			if g := direct[i]; g != nil {
				u[q] += s.A.at(q) * g[q]
			}
		}
		for r := range m.queries * m.outputs {
			var change float64
			for q, j := range φ[r*p : (r+1)*p] {
				move := s.E.at(q) * u[q]
				if g := direct[i]; g != nil {
					move += s.F.at(q) * g[q]
				}
				if i == m.samples {
					move += s.Decay * weights[q]
				}
				change -= j * move
			}
			if i == m.samples {
				m.regularization[r] += change
			} else {
				m.contributions[r*m.samples+i] += change
			}
		}
	}
	return nil
}

func scaled(w float64, v []float64) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = w * v[i]
	}
	return out
}

// Explicit returns the gradients (N, K, P) that factors stand for, formed in float64: P
// elements for every sample and seed, for small problems and as an oracle.
func Explicit[T Float](factors []Factor[T], p int) []float64 {
	rows := factors[0].Rows * factors[0].Stacks
	j := make([]float64, rows*p)
	for l := range factors {
		f := &factors[l]
		var u []T
		for r := range rows {
			switch f.kind() {
			case outerProduct:
				u = f.Input[r/f.Stacks*f.InWidth:][:f.InWidth]
			case sharedWeights:
				u = make([]T, f.InWidth*f.Positions)
				f.Unfold(f.image(r/f.Stacks), u)
			}
			f.addExplicit(j[r*p:(r+1)*p], f.Cotangent[r*f.OutWidth*f.Positions:], u)
		}
	}
	return j
}

// addExplicit adds Σ_t δ[·,t]⊗u[·,t] and the biases' Σ_t δ[·,t], or δ itself where there is no u.
func (f *Factor[T]) addExplicit(row []float64, δ, u []T) {
	for o := range f.OutWidth {
		for t := range f.Positions {
			v := float64(δ[o*f.Positions+t])
			if f.Input == nil {
				row[f.Weight+o] += v
				continue
			}
			for i := range f.InWidth {
				row[f.Weight+o*f.InWidth+i] += v * float64(u[i*f.Positions+t])
			}
			if f.Bias >= 0 {
				row[f.Bias+o] += v
			}
		}
	}
}
