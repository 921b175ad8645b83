package pathkernel

import (
	"fmt"
	"slices"

	"pkm/internal/compute"
)

// Path feeds machines along a path of weights. For every step, in order: Begin
// with its learning rate, then Add for each block of training samples, with what
// was evaluated in that step. After the last one, if Finish says that it is
// needed, Add once more with what was evaluated at w_S.
type Path[T Float] struct {
	machines []*Machine
	nodes    []float64
	weights  [][]float64 // of this step: machine, node
	engine   compute.Engine
	blocks   map[int]*Contraction[T] // by first sample
}

// NewPath returns a path for machines of the same shapes.
func NewPath[T Float](engine compute.Engine, machines ...*Machine) (*Path[T], error) {
	p := &Path[T]{machines: machines, engine: engine, blocks: make(map[int]*Contraction[T])}
	for _, m := range machines {
		if first := machines[0]; m.queries != first.queries || m.outputs != first.outputs || m.samples != first.samples || m.kernel != first.kernel {
			return nil, fmt.Errorf("pathkernel: machines %q and %q have different shapes or path kernels", first.Name, m.Name)
		}
		p.nodes = append(p.nodes, m.Measure.Nodes()...)
	}
	slices.Sort(p.nodes)
	p.nodes = slices.Compact(p.nodes)
	var zero T
	_, single := any(zero).(float32)
	for _, m := range machines {
		m.single = single
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

// Block is what a step evaluated of consecutive training samples, n of N.
type Block[T Float] struct {
	First       int         // index of its first sample
	Gradient    []Factor[T] // factors of g_i(w_s), one stack, not divided by B
	Derivatives []T         // ℓ′_i (n, C), not divided by B
	// Jacobian holds the factors of J(x_i; w_s), seeded with the unit vectors; nil
	// without a path kernel. Its inputs are those of Gradient.
	Jacobian []Factor[T]
}

// Add adds what a block of training samples contributed in this step,
//
//	Q[m,c,i] −= (1/B)Σ_k weight_k·J_c(x_m; w_s+t_kΔ_s)·g_i(w_s)
//	K^p[m,i] += Σ_k weight_k·K(x_m, x_i)
//
// with the trace over outputs for a trace kernel, and for a full kernel the
// numerators of the coefficients too. nodes holds the query's factors, seeded
// with the unit vectors, at each of Nodes. Division by the batch size B is applied
// here and nowhere else on the way to Q.
func (p *Path[T]) Add(nodes [][]Factor[T], b Block[T], batch int) {
	if len(p.machines) == 0 {
		return
	}
	c := p.blocks[b.First]
	if c == nil {
		c = NewContraction[T](p.engine)
		p.blocks[b.First] = c
	}
	c.Prepare(nodes, b.Gradient, p.weights)
	rate := -1 / float64(batch)
	sums := make([][]Sum, len(p.machines))
	for i, m := range p.machines {
		sums[i] = []Sum{{Values: m.contributions, Width: m.samples, Offset: b.First, Scale: rate}}
		if !slices.ContainsFunc(p.weights[i], func(w float64) bool { return w != 0 }) {
			continue // what is evaluated here is none of this machine's
		}
		for _, d := range b.Derivatives {
			m.bound = max(m.bound, float64(max(d, -d))/float64(batch))
		}
	}
	c.Outer(b.Gradient, sums)

	kernel := p.machines[0].kernel
	if kernel == NoKernel {
		return
	}
	for i, m := range p.machines {
		sums[i] = []Sum{{Values: m.pathKernel, Width: m.samples, Offset: b.First, Scale: 1}}
	}
	if kernel == TraceKernel {
		c.Trace(b.Jacobian, sums)
		return
	}
	derivatives := make([]float64, len(b.Derivatives))
	for i, d := range b.Derivatives {
		derivatives[i] = float64(d)
	}
	for i, m := range p.machines {
		sums[i] = append(sums[i], Sum{Values: m.numerators, Width: m.samples, Offset: b.First, Scale: rate, Columns: derivatives})
	}
	c.Outer(b.Jacobian, sums)
}
