package pathkernel

import (
	"fmt"
	"slices"
	"unsafe"
)

// Refinement is the quadrature of one query's step that stands in for the machine's rule:
// ∫₀¹ J(x_m; w_s+tΔ_s) dt ≈ Σ_k Weights[k]·J_k.
type Refinement[T Float] struct {
	Query   int         // m
	Weights []float64   // sum 1
	Factors []Factor[T] // of J at the mesh's nodes, a row each, seeded with the unit vectors
}

// Stack returns factors of the samples of all parts, in order. The parts are copied.
func Stack[T Float](parts ...[]Factor[T]) []Factor[T] {
	all := slices.Clone(parts[0])
	for layer := range all {
		f := &all[layer]
		join := func(values func(f *Factor[T]) []T) (joined []T) {
			size := 0
			for _, p := range parts {
				size += len(values(&p[layer]))
			}
			if size == 0 {
				return nil
			}
			joined = aligned[T](size)[:0]
			for _, p := range parts {
				joined = append(joined, values(&p[layer])...)
			}
			return joined
		}
		f.Input = join(func(f *Factor[T]) []T { return f.Input })
		f.Cotangent = join(func(f *Factor[T]) []T { return f.Cotangent })
		f.Shared, f.Scale = nil, nil // each part has its own
		f.Rows = 0
		for _, p := range parts {
			f.Rows += p[layer].Rows
		}
	}
	return all
}

// correction replaces the quadrature of some queries of a machine in a step: rows that take
// the rule's nodes away, and rows that bring those of the mesh.
type correction[T Float] struct {
	queries []int     // of each row
	weights []float64 // of each row
	factors []Factor[T]
}

// correctionRows bounds the rows of a correction, whose products are kept until they are added.
const correctionRows = 128

// Bytes returns the memory of the factors.
func (r *Refinement[T]) Bytes() (bytes int) {
	var zero T
	for i := range r.Factors {
		bytes += (len(r.Factors[i].Input) + len(r.Factors[i].Cotangent)) * int(unsafe.Sizeof(zero))
	}
	return bytes
}

// Refine replaces the machine's quadrature of some queries in this step, of which nodes holds
// the query's factors. Call it after the blocks of the step, or of the queries from From on, from which
// queries are counted, have been added; then add the blocks once more, which now adds
// only what the refinements change. A step may have several rounds of it, of other queries each, so that memory is that of
// a round. The machine has family exact.
func (p *Path[T]) Refine(machine int, nodes [][]Factor[T], refinements []Refinement[T]) error {
	rate := sum(p.weights[machine])
	p.refining = true
	clear(p.corrections)
	var queries []int
	var weights []float64
	var parts [][]Factor[T]
	flush := func() {
		if len(parts) > 0 {
			p.corrections[machine] = append(p.corrections[machine], correction[T]{queries, weights, Stack(parts...)})
		}
		queries, weights, parts = nil, nil, nil
	}
	for _, r := range refinements {
		if r.Query < 0 || r.Query >= nodes[0][0].Rows || len(r.Weights) != r.Factors[0].Rows {
			return fmt.Errorf("pathkernel: refine query %d of %d with %d weights for %d nodes", r.Query, nodes[0][0].Rows, len(r.Weights), r.Factors[0].Rows)
		}
		for k, w := range p.weights[machine] {
			if w != 0 {
				queries, weights = append(queries, r.Query), append(weights, -w)
				parts = append(parts, Rows(nodes[k], r.Query, 1))
			}
		}
		for first := 0; first < len(r.Weights); first += correctionRows {
			count := min(correctionRows, len(r.Weights)-first)
			for _, w := range r.Weights[first : first+count] {
				queries, weights = append(queries, r.Query), append(weights, w*rate)
			}
			parts = append(parts, Rows(r.Factors, first, count))
			if len(queries) >= correctionRows {
				flush()
			}
		}
	}
	flush()
	return nil
}

// correct adds the corrections of a step to what the product with a training block added to a
// machine's sums. The sums have rows of stacks for each query and seeds for each training
// sample; fixed holds the block's Grams of inputs that are data.
func (p *Path[T]) correct(machine int, train []Factor[T], fixed map[int][]T, stacks, seeds int, sums []Sum, multiply func(*Contraction[T], []Factor[T], [][]Sum)) {
	samples := train[0].Rows
	for _, r := range p.corrections[machine] {
		if p.correcting == nil {
			p.correcting = NewContraction[T](p.products.engine)
		}
		p.correcting.query([][]Factor[T]{r.factors}, [][]float64{{1}})
		p.correcting.against(train, chosen(fixed, r.queries, samples))
		scratch := make([]Sum, len(sums))
		for i, s := range sums {
			scratch[i] = s.like(len(r.queries)*stacks, samples, seeds, s.Scale)
		}
		multiply(p.correcting, train, [][]Sum{scratch})
		for i := range sums {
			all, from := sums[i].all(), scratch[i].all()
			for part := range all {
				for j, m := range r.queries {
					for k := range stacks {
						to := sums[i].row(all[part], m*stacks+k, 0, seeds, samples*seeds)
						for n, v := range scratch[i].row(from[part], j*stacks+k, 0, seeds, samples*seeds) {
							to[n] += r.weights[j] * v
						}
					}
				}
			}
		}
	}
}

// chosen returns some rows of the Grams of each layer.
func chosen[T Float](grams map[int][]T, rows []int, width int) map[int][]T {
	some := make(map[int][]T)
	for layer, g := range grams {
		to := aligned[T](len(rows) * width)
		for j, m := range rows {
			copy(to[j*width:(j+1)*width], g[m*width:(m+1)*width])
		}
		some[layer] = to
	}
	return some
}
