package pathkernel

import (
	"fmt"
	"slices"

	"pkm/internal/compute"
)

// Path feeds machines along a path of weights. For every step, in order: Begin
// with its learning rate, then Add for each block of training samples, with what
// was evaluated in that step: the query's factors are the same in all of them. Then, any number of times, Refine, and
// Add as before. After the last one, if Finish says that it is
// needed, Add once more with what was evaluated at w_S.
type Path[T Float] struct {
	machines []*Machine
	nodes    []float64
	weights  [][]float64 // of this step: machine, node
	products *Contraction[T]
	first    int  // query of the machines that the factors begin with
	current  bool // products holds the query's side of this step

	refining    bool                   // what is added are the corrections alone
	corrections [][]correction[T]      // of this step, of each machine
	correcting  *Contraction[T]        // multiplies them
	fixed       map[[2]int]map[int][]T // of each block of queries and samples, by their first: Grams of inputs that are data
}

// NewPath returns a path for machines of the same shapes.
func NewPath[T Float](engine compute.Engine, machines ...*Machine) (*Path[T], error) {
	p := &Path[T]{machines: machines, products: NewContraction[T](engine), fixed: make(map[[2]int]map[int][]T)}
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
	p.corrections = make([][]correction[T], len(machines))
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
	p.From(0)
	for i, m := range p.machines {
		clear(p.weights[i])
		nodes := m.Measure.Nodes()
		for k, w := range m.Measure.Step(η) {
			at, _ := slices.BinarySearch(p.nodes, nodes[k])
			p.weights[i][at] = w
		}
	}
}

// From says that the factors which follow are those of consecutive queries from the given one on,
// not of all: within a step, each block of queries is a turn of Add and Refine of its own.
func (p *Path[T]) From(query int) {
	p.first, p.current, p.refining = query, false, false
	clear(p.corrections)
}

// Finish turns from steps to the final weights and reports whether a machine
// counts them: then what was evaluated at w_S stands for node 0.
func (p *Path[T]) Finish() (needed bool) {
	p.From(0)
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
// with the unit vectors, at each of Nodes, of the queries that From says. Division by the batch size B is applied
// here and nowhere else on the way to Q.
func (p *Path[T]) Add(nodes [][]Factor[T], b Block[T], batch int) {
	if len(p.machines) == 0 {
		return
	}
	rate := -1 / float64(batch)
	sums := make([][]Sum, len(p.machines))
	for i, m := range p.machines {
		sums[i] = []Sum{m.sumFrom(p.first)}
		sums[i][0].Offset, sums[i][0].Scale = b.First, rate
	}
	if p.refining {
		for i, m := range p.machines {
			p.correct(i, b.Gradient, p.kept(b.First), m.outputs, 1, sums[i], (*Contraction[T]).Outer)
		}
		p.addKernel(nil, b, sums, batch)
		return
	}
	for i := range p.machines {
		p.raiseBound(i, b.Derivatives, batch)
	}
	c := p.prepare(nodes, b.Gradient, p.kept(b.First))
	c.Outer(b.Gradient, sums)
	p.addKernel(c, b, sums, batch)
}

// AddBatch adds what the samples of a mini-batch contributed in this step, as Add does, to
// the columns of their indices; samples come from 0 to N−1, each at most once. For the path
// kernel, call AddKernel for blocks of all samples.
func (p *Path[T]) AddBatch(nodes [][]Factor[T], samples []int, gradient []Factor[T], derivatives []T) {
	if len(p.machines) == 0 {
		return
	}
	n, rows := len(samples), nodes[0][0].Rows
	sums := make([][]Sum, len(p.machines))
	for i, m := range p.machines {
		whole := m.sumFrom(p.first)
		sums[i] = []Sum{whole.like(rows*m.outputs, n, 1, -1/float64(n))}
	}
	if !p.refining {
		for i := range p.machines {
			p.raiseBound(i, derivatives, n)
		}
		p.prepare(nodes, gradient, make(map[int][]T)).Outer(gradient, sums) // another batch has other inputs
	}
	for i, m := range p.machines {
		if p.refining {
			if len(p.corrections[i]) == 0 {
				continue
			}
			p.correct(i, gradient, nil, m.outputs, 1, sums[i], (*Contraction[T]).Outer)
		}
		whole := m.sumFrom(p.first)
		all := whole.all()
		for part, values := range sums[i][0].all() {
			for r := range rows * m.outputs {
				to := all[part][r*m.samples:][:m.samples]
				for j, q := range values[r*n : (r+1)*n] {
					to[samples[j]] += q
				}
			}
		}
	}
}

// AddKernel adds the tangent kernel with a block of training samples, of which Jacobian
// and Derivatives are read, the latter 0 for samples that are not in the step's batch of the
// given size. Gradients are AddBatch's.
func (p *Path[T]) AddKernel(nodes [][]Factor[T], b Block[T], batch int) {
	if len(p.machines) == 0 || p.machines[0].kernel == NoKernel {
		return
	}
	var c *Contraction[T]
	if !p.refining {
		c = p.prepare(nodes, b.Jacobian, p.kept(b.First))
	}
	p.addKernel(c, b, make([][]Sum, len(p.machines)), batch)
}

// prepare returns the products of the step's nodes with a training block.
func (p *Path[T]) prepare(nodes [][]Factor[T], train []Factor[T], fixed map[int][]T) *Contraction[T] {
	if !p.current {
		p.products.query(nodes, p.weights)
		p.current = true
	}
	p.products.against(train, fixed)
	return p.products
}

// kept returns the Grams of the block that begins with a sample.
func (p *Path[T]) kept(first int) map[int][]T {
	block := [2]int{p.first, first}
	if p.fixed[block] == nil {
		p.fixed[block] = make(map[int][]T)
	}
	return p.fixed[block]
}

// raiseBound notes the derivatives that a machine counts.
func (p *Path[T]) raiseBound(machine int, derivatives []T, batch int) {
	if !slices.ContainsFunc(p.weights[machine], func(w float64) bool { return w != 0 }) {
		return // what is evaluated here is none of this machine's
	}
	m := p.machines[machine]
	for _, d := range derivatives {
		m.bound = max(m.bound, float64(max(d, -d))/float64(batch))
	}
}

// addKernel adds the kernel with a block whose contraction c is prepared, or, while refining, its corrections.
func (p *Path[T]) addKernel(c *Contraction[T], b Block[T], sums [][]Sum, batch int) {
	kernel, rate := p.machines[0].kernel, -1/float64(batch)
	if kernel == NoKernel {
		return
	}
	for i, m := range p.machines {
		sums[i] = []Sum{{Values: m.pathKernel[p.first*len(m.pathKernel)/m.queries:], Width: m.samples, Offset: b.First, Scale: 1}}
	}
	if kernel == TraceKernel {
		if !p.refining {
			c.Trace(b.Jacobian, sums)
			return
		}
		for i := range p.machines {
			p.correct(i, b.Jacobian, p.kept(b.First), 1, 1, sums[i], (*Contraction[T]).Trace)
		}
		return
	}
	derivatives := make([]float64, len(b.Derivatives))
	for i, d := range b.Derivatives {
		derivatives[i] = float64(d)
	}
	for i, m := range p.machines {
		sums[i] = append(sums[i], Sum{Values: m.numerators[p.first*len(m.numerators)/m.queries:], Width: m.samples, Offset: b.First, Scale: rate, Columns: derivatives})
	}
	if !p.refining {
		c.Outer(b.Jacobian, sums)
		return
	}
	for i, m := range p.machines {
		p.correct(i, b.Jacobian, p.kept(b.First), m.outputs, m.outputs, sums[i], (*Contraction[T]).Outer)
	}
}
