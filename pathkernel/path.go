package pathkernel

import (
	"fmt"
	"slices"

	"pkm/internal/blas"
)

// Path feeds machines along a path of weights. For every step, in order:
//
//	Begin(η)                        the step has learning rate η
//	Contribute(nodes, train, B)     the training gradients at w_s
//	AddKernel(nodes, train, at)     for each block of training samples
//
// and after the last one Finish, Contribute and AddKernel once more with what was
// evaluated at w_S, if Finish says that it is needed. The query's factors, seeded
// with the unit vectors, are given at the points Nodes, in that order.
type Path[T Float] struct {
	machines []*Machine
	nodes    []float64
	weights  [][]float64 // of this step: machine, node
	blas     blas.Implementation
	gradient *Contraction[T]
	kernels  map[int]*Contraction[T] // by first sample of the block
}

// NewPath returns a path for machines of the same shapes.
func NewPath[T Float](b blas.Implementation, machines ...*Machine) (*Path[T], error) {
	p := &Path[T]{machines: machines, blas: b, gradient: NewContraction[T](b), kernels: make(map[int]*Contraction[T])}
	for _, m := range machines {
		if first := machines[0]; m.queries != first.queries || m.outputs != first.outputs || m.samples != first.samples || m.kernel != first.kernel {
			return nil, fmt.Errorf("pathkernel: machines %q and %q have different shapes or path kernels", first.Name, m.Name)
		}
		p.nodes = append(p.nodes, m.Measure.Nodes()...)
	}
	slices.Sort(p.nodes)
	p.nodes = slices.Compact(p.nodes)
	for range machines {
		p.weights = append(p.weights, make([]float64, len(p.nodes)))
	}
	return p, nil
}

// Nodes returns the points in a step, ascending in [0, 1], at which the machines
// together need the query's factors.
func (p *Path[T]) Nodes() []float64 { return p.nodes }

// Weights returns the weight of each node for a machine in this step. They sum to
// η for a machine of family exact.
func (p *Path[T]) Weights(machine int) []float64 { return p.weights[machine] }

// Begin starts a step with learning rate η.
func (p *Path[T]) Begin(η float64) {
	for i, m := range p.machines {
		clear(p.weights[i])
		nodes := m.Measure.Nodes()
		for k, w := range m.Measure.Step(η) {
			at, _ := slices.BinarySearch(p.nodes, nodes[k])
			p.weights[i][at] = w
		}
	}
}

// Finish turns from steps to the final weights and reports whether a machine
// counts them: then what was evaluated at w_S stands for node 0.
func (p *Path[T]) Finish() (needed bool) {
	for i, m := range p.machines {
		clear(p.weights[i])
		if w := m.Measure.Finish(); w != 0 {
			p.weights[i][0] = w
			needed = true
		}
	}
	return needed
}

// Contribute adds what every training sample contributed in this step:
//
//	Q[m,c,i] −= (1/B)Σ_k weight_k·J_c(x_m; w_s+t_kΔ_s)·g_i(w_s)
//
// train holds the factors of g_i, one stack, not divided by B = batch, which is
// applied here and nowhere else on the way to Q. derivatives are ℓ′ (N, C) of
// the same samples, for the record of their size.
func (p *Path[T]) Contribute(nodes [][]Factor[T], train []Factor[T], derivatives []T, batch int) {
	integrals := make([]Integral, 0, len(p.machines))
	for i, m := range p.machines {
		integrals = append(integrals, Integral{Sum: m.contributions, Width: m.samples, Weights: p.weights[i], Scale: -1 / float64(batch)})
		for _, d := range derivatives {
			m.bound = max(m.bound, float64(max(d, -d))/float64(batch))
		}
	}
	p.gradient.Outer(nodes, train, integrals)
}

// AddKernel adds to the path kernel for the training samples from first on:
// K^p += Σ_k weight_k·K(x_m, x_i), with the trace over outputs for a trace
// kernel. train holds the factors of J(x_i; w_s), seeded with the unit vectors.
// For a full kernel the numerators of the coefficients are added too, from the
// samples' ℓ′ (n, C), divided by B = batch here.
func (p *Path[T]) AddKernel(nodes [][]Factor[T], train []Factor[T], first int, derivatives []T, batch int) {
	if len(p.machines) == 0 || p.machines[0].kernel == NoKernel {
		return
	}
	c := p.kernels[first]
	if c == nil {
		c = NewContraction[T](p.blas)
		p.kernels[first] = c
	}
	var integrals []Integral
	var columns []float64
	for i, m := range p.machines {
		integrals = append(integrals, Integral{Sum: m.pathKernel, Width: m.samples, Offset: first, Weights: p.weights[i], Scale: 1})
		if m.kernel == FullKernel {
			if columns == nil {
				columns = transposed(derivatives, m.outputs)
			}
			integrals = append(integrals, Integral{Sum: m.numerators, Width: m.samples, Offset: first, Weights: p.weights[i], Scale: -1 / float64(batch), Columns: columns})
		}
	}
	if p.machines[0].kernel == FullKernel {
		c.Outer(nodes, train, integrals)
	} else {
		c.Trace(nodes, train, integrals)
	}
}

// transposed returns (C, N) of (N, C), in float64.
func transposed[T Float](v []T, columns int) []float64 {
	rows := len(v) / columns
	out := make([]float64, len(v))
	for i := range rows {
		for c := range columns {
			out[c*rows+i] = float64(v[i*columns+c])
		}
	}
	return out
}
