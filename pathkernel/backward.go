package pathkernel

import (
	"fmt"
	"unsafe"

	gblas "gonum.org/v1/gonum/blas"

	"pkm/internal/blas"
	"pkm/internal/compute"
	"pkm/internal/vector"
)

// Backward fills a machine of family exact over a path of linear steps, from the last
// step to the first:
//
//	φ_s = Σ_k ω_k J(x; w_s+t_kΔ_s)
//	Ψ_s = E_s⊙φ_s + β_{s+1}Ψ_{s+1},   χ_s = A_s⊙Ψ_s + F_s⊙φ_s        (M, C, P)
//	Q[m,c,i] −= (Clip_s/B_s) χ_s[m,c]·g_i(w_s)                         for i in batch s
//	R[m,c]   −= L2_s χ_s[m,c]·w_s + Decay_s φ_s[m,c]·w_s
//
// A sample keeps acting through u after it has left the batch; read backwards, the query
// carries that, so that memory is M·C·P elements of T and never N·P. Cost of a step:
// 2·M·C·P·(B + nodes) FLOPs.
type Backward[T Float] struct {
	machine *Machine
	rule    Rule
	first   int // query
	count   int // queries
	engine  compute.Engine
	psi     []T // Ψ (count·C, P)
	size    int // P
	beta    float64
	scratch *Contraction[T] // forms gradients of convolutions

	gradients []T   // scratch: a chunk of the batch's gradients (B, columns)
	phi       [][]T // scratch of each worker: φ and χ of a tile, (rows, columns)
	chi       [][]T
	products  [][]T // (rows, B)
}

// NewBackward returns an empty account of a path of P = parameters weights for count queries of a
// machine from first on: an account of less memory, for M queries in turns. The machine
// has family exact; a trace kernel is filled by Path.AddKernel, and a full one, whose
// coefficients the steps of an optimizer do not have, is refused.
func NewBackward[T Float](engine compute.Engine, m *Machine, parameters, first, count int) (*Backward[T], error) {
	e, ok := m.Measure.(*exact)
	if !ok || m.kernel == FullKernel {
		return nil, fmt.Errorf("pathkernel: machine %q: only machines of family %s without a full path kernel are filled backwards", m.Name, ExactFamily)
	}
	if first < 0 || count < 1 || first+count > m.queries {
		return nil, fmt.Errorf("pathkernel: account for %d queries of machine %q from query %d on: there are %d", count, m.Name, first, m.queries)
	}
	if m.regularization == nil {
		m.regularization = make([]float64, m.queries*m.outputs)
	}
	return &Backward[T]{machine: m, rule: e.rule, first: first, count: count, engine: engine, size: parameters,
		psi: aligned[T](count * m.outputs * parameters), scratch: NewContraction[T](engine)}, nil
}

// A chunk is a range of a layer's weights, and a tile a block of rows (m, c) of Ψ.
const (
	backwardColumns = 4096
	backwardRows    = 256
)

// State returns Ψ (count·C, P) and β of the step accounted for last, the live values from which
// the rest of the account goes on, beside the machine's own.
func (b *Backward[T]) State() (psi []T, beta float64) { return b.psi, b.beta }

// Restore copies a state of a path of the same shape.
func (b *Backward[T]) Restore(psi []T, beta float64) error {
	if len(psi) != len(b.psi) {
		return fmt.Errorf("pathkernel: restore the account of machine %q of %d values: found %d", b.machine.Name, len(b.psi), len(psi))
	}
	copy(b.psi, psi)
	b.beta = beta
	return nil
}

// Rule returns the quadrature rule: a step's Nodes are those of the rule.
func (b *Backward[T]) Rule() Rule { return b.rule }

// Step accounts for one step. Steps come in descending order.
func (b *Backward[T]) Step(s *LinearStep[T]) error {
	m := b.machine
	if err := s.check(b.rule, b.count, m.outputs, m.samples, b.size); err != nil {
		return err
	}
	_, m.single = any(T(0)).(float32)
	for layer := range s.Gradient {
		b.layer(s, layer)
	}
	b.beta = s.Beta
	return nil
}

// layer accounts for the weights of one layer.
func (b *Backward[T]) layer(s *LinearStep[T], layer int) {
	g := &s.Gradient[layer]
	width := g.gradientWidth()
	query, train := b.columnsOf(s.Nodes, layer), b.columnsOf([][]Factor[T]{s.Gradient}, layer)
	refined := make(map[int]refinedColumns[T], len(s.Refined))
	for _, r := range s.Refined {
		refined[r.Query] = refinedColumns[T]{r.Weights, b.columnsOf([][]Factor[T]{r.Factors}, layer)[0]}
	}
	for lo := 0; lo < width; lo += backwardColumns {
		hi := min(lo+backwardColumns, width)
		n := hi - lo
		if len(b.gradients) < g.Rows*n {
			b.gradients = aligned[T](g.Rows * backwardColumns)
		}
		gradients := b.gradients[:g.Rows*n]
		b.engine.Tiles(g.Rows, sampleTile, func(first, last int) {
			for i := first; i < last; i++ {
				to := gradients[i*n : (i+1)*n]
				clear(to)
				train[0](i, lo, hi, 1, to)
			}
		})
		b.chunk(s, layer, g.Weight+lo, lo, hi, query, refined, gradients)
	}
}

// chunk accounts for columns lo to hi of a layer, at offset of the flat weights.
func (b *Backward[T]) chunk(s *LinearStep[T], layer, offset, lo, hi int, query []columns[T], refined map[int]refinedColumns[T], gradients []T) {
	m := b.machine
	n, rows := hi-lo, b.count*m.outputs
	batch := len(gradients) / n
	workers := b.engine.Workers((rows+backwardRows-1)/backwardRows, 1)
	for w := range workers {
		nth(&b.phi, w, n)
		nth(&b.chi, w, backwardRows*n)
		nth(&b.products, w, backwardRows*batch)
	}
	e, a, f := diagonalOf[T](s.E, offset, n), diagonalOf[T](s.A, offset, n), diagonalOf[T](s.F, offset, n)
	weights := s.Weights[offset : offset+n]
	rate := -s.Clip / float64(batch) // division by B, here and nowhere else
	whole := m.sumFrom(b.first)
	b.engine.TilesWorker(workers, rows, backwardRows, func(worker, first, last int) {
		φ, χ, product := b.phi[worker][:n], b.chi[worker][:(last-first)*n], b.products[worker][:(last-first)*batch]
		for r := first; r < last; r++ {
			clear(φ)
			if mesh, ok := refined[r/m.outputs]; ok {
				for k, ω := range mesh.weights {
					mesh.columns(k*m.outputs+r%m.outputs, lo, hi, T(ω), φ)
				}
			} else {
				for k, ω := range b.rule.Weights {
					query[k](r, lo, hi, T(ω), φ)
				}
			}
			ψ, χ := b.psi[r*b.size+offset:][:n], χ[(r-first)*n:][:n]
			combine(ψ, χ, φ, T(b.beta), e, a, f)
			var decayed float64
			if s.L2 != 0 {
				decayed += s.L2 * vector.Dot64(χ, weights)
			}
			if s.Decay != 0 {
				decayed += s.Decay * vector.Dot64(φ, weights)
			}
			m.regularization[b.first*m.outputs+r] -= decayed
			if m.layers != nil {
				m.layers.regularization[layer][b.first*m.outputs+r] -= decayed
			}
		}
		blas.Gemm(b.engine, gblas.NoTrans, gblas.Trans, last-first, batch, n, 1, χ, n, gradients, n, 0, product, batch)
		for r := first; r < last; r++ {
			row, to := product[(r-first)*batch:][:batch], whole.of(layer)[r*m.samples:][:m.samples]
			for i, p := range row {
				to[s.sample(i)] += rate * float64(p)
			}
		}
	})
}

// combine sets Ψ = E⊙φ + βΨ and χ = A⊙Ψ + F⊙φ.
func combine[T Float](ψ, χ, φ []T, β T, e, a, f []T) {
	ψ, χ, e, a, f = ψ[:len(φ)], χ[:len(φ)], e[:len(φ)], a[:len(φ)], f[:len(φ)]
	for i, p := range φ {
		ψ[i] = e[i]*p + β*ψ[i]
		χ[i] = a[i]*ψ[i] + f[i]*p
	}
}

// diagonalOf returns n elements of a diagonal from offset on.
func diagonalOf[T Float](d Diagonal, offset, n int) []T {
	v := make([]T, n)
	for i := range v {
		v[i] = T(d.at(offset + i))
	}
	return v
}

// Condense returns a refinement of the same query, with its gradients formed and averaged over the mesh,
// where that takes less memory: C·P elements instead of those of the factors at each node.
func (b *Backward[T]) Condense(r Refinement[T]) Refinement[T] {
	outputs := b.machine.outputs
	var zero T
	if r.Bytes() <= outputs*b.size*int(unsafe.Sizeof(zero)) {
		return r
	}
	condensed := Refinement[T]{Query: r.Query, Weights: []float64{1}}
	for layer := range r.Factors {
		f := &r.Factors[layer]
		width := f.gradientWidth()
		all := b.columnsOf([][]Factor[T]{r.Factors}, layer)[0]
		formed := Factor[T]{Layer: f.Layer, Rows: 1, Stacks: outputs, OutWidth: width, Cotangent: aligned[T](outputs * width), Weight: f.Weight, Bias: -1}
		for c := range outputs {
			to := formed.Cotangent[c*width : (c+1)*width]
			clear(to)
			for k, ω := range r.Weights {
				all(k*outputs+c, 0, width, T(ω), to)
			}
		}
		condensed.Factors = append(condensed.Factors, formed)
	}
	return condensed
}

// columns adds weight times the columns lo to hi of the formed gradient of row r (a
// sample and a seed) of a layer.
type columns[T Float] func(r, lo, hi int, weight T, to []T)

// refinedColumns are those of one query's mesh, a row for each node and output.
type refinedColumns[T Float] struct {
	weights []float64
	columns columns[T]
}

// columnsOf returns the columns of a layer's gradient at each node.
func (b *Backward[T]) columnsOf(nodes [][]Factor[T], layer int) []columns[T] {
	all := make([]columns[T], len(nodes))
	for k := range nodes {
		f := &nodes[k][layer]
		switch f.kind() {
		case outerProduct:
			all[k] = f.outerColumns
		case formedAlready:
			all[k] = denseColumns(f.Cotangent, f.OutWidth)
		case sharedWeights:
			formed := make([]T, f.Rows*f.Stacks*f.gradientWidth())
			b.scratch.form(f, 0, f.Rows, formed)
			all[k] = denseColumns(formed, f.gradientWidth())
		}
	}
	return all
}

func denseColumns[T Float](v []T, width int) columns[T] {
	return func(r, lo, hi int, weight T, to []T) { vector.AddScaled(to, weight, v[r*width+lo:r*width+hi]) }
}

// outerColumns is columns of a dense layer: the weights (d_out, d_in), then the biases.
func (f *Factor[T]) outerColumns(r, lo, hi int, weight T, to []T) {
	δ, a := f.Cotangent[r*f.OutWidth:(r+1)*f.OutWidth], f.Input[r/f.Stacks*f.InWidth:][:f.InWidth]
	all := f.OutWidth * f.InWidth
	for at := lo; at < min(hi, all); {
		j, i := at/f.InWidth, at%f.InWidth
		count := min(f.InWidth-i, min(hi, all)-at)
		vector.AddScaled(to[at-lo:][:count], weight*δ[j], a[i:i+count])
		at += count
	}
	for at := max(lo, all); at < hi; at++ {
		to[at-lo] += weight * δ[at-all]
	}
}
