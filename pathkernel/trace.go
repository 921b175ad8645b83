package pathkernel

import (
	gblas "gonum.org/v1/gonum/blas"

	"pkm/internal/blas"
)

// Trace adds Σ_k K_j[m,k,i,k], the trace of the tangent kernel when both sides
// are seeded with the unit vectors, to the sums of each integral that was
// prepared. 2·K·M·N·d_out FLOPs for a node and dense layer, less where the
// cotangents have structure.
func (c *Contraction[T]) Trace(train []Factor[T], sums [][]Sum) { c.trace(train, sums, false) }

// trace is Trace; where the two sides are the same, what lies below the diagonal is left out
// but for a margin.
func (c *Contraction[T]) trace(train []Factor[T], sums [][]Sum, symmetric bool) {
	samples := train[0].Rows
	products := make([]traceProduct[T], len(c.terms))
	for i := range c.terms {
		products[i] = c.terms[i].traceWith(&train[c.terms[i].layer])
	}
	c.traceTiles(c.terms, products, tiles{samples: samples, count: samples, symmetric: symmetric}, sums)
	for layer := range train {
		if f := &train[layer]; f.kind() == sharedWeights {
			if c.strategy(layer, f, 1) == paired {
				c.pairedTrace(layer, f, sums, symmetric)
				continue
			}
			c.eachChunk(f, func(first, count int, gradients []T) {
				terms := c.formedTerms(layer)
				products := make([]traceProduct[T], len(terms))
				for i, t := range terms {
					products[i] = traceProduct[T]{query: t.cotangent, other: gradients, width: f.Stacks * t.width}
				}
				c.traceTiles(terms, products, tiles{samples: samples, first: first, count: count, symmetric: symmetric}, sums)
			})
		}
	}
}

// traceProduct is a product query·otherᵀ of matrices with rows of the given width,
// one row a sample; or a constant.
type traceProduct[T Float] struct {
	query, other []T
	width        int
	constant     T
}

// traceWith returns the product that is the trace of a term's cotangents with those of
// training samples. Cotangents that are shared⊙scale on both sides need one product
// instead of K: Σ_k (V_k⊙s)·(V′_k⊙s′) = (s⊙Σ_k V_k⊙V′_k)·s′.
func (t *term[T]) traceWith(train *Factor[T]) traceProduct[T] {
	switch {
	case t.unit && train.Unit: // Σ_k e_k·e_k
		return traceProduct[T]{constant: T(train.Stacks)}
	case t.shared == nil || train.Shared == nil:
		return traceProduct[T]{query: t.cotangent, other: train.Cotangent, width: t.width * train.Stacks}
	}
	v := aligned[T](t.width)
	for i, q := range t.shared {
		v[i%t.width] += q * train.Shared[i]
	}
	mixed := aligned[T](len(t.scale))
	for i := 0; i < len(t.scale); i += t.width {
		for j, vj := range v {
			mixed[i+j] = t.scale[i+j] * vj
		}
	}
	return traceProduct[T]{query: mixed, other: train.Scale, width: t.width}
}

// traceTiles adds the products, one for each term, times their Grams.
func (c *Contraction[T]) traceTiles(terms []term[T], products []traceProduct[T], s tiles, sums [][]Sum) {
	workers := c.reserve((s.count+traceTile-1)/traceTile, c.queries*traceTile)
	c.engine.TilesWorker(workers, s.count, traceTile, func(worker, left, right int) {
		n, queries := right-left, c.above(s, right)
		product := c.scratch[worker][:queries*n]
		for i := range terms {
			t, p := &terms[i], &products[i]
			if p.query == nil {
				for j := range product {
					product[j] = p.constant
				}
			} else {
				blas.Gemm(c.engine, gblas.NoTrans, gblas.Trans, queries, n, p.width, 1, p.query, p.width,
					p.other[left*p.width:right*p.width], p.width, 0, product, n)
			}
			for m := range queries {
				t.add(sums, m, s.first+left, 1, product[m*n:][:n], c.gramRow(t, m, s, left, right))
			}
		}
	})
}

// above returns how many queries a tile up to column right takes: all, or where the two
// sides are the same those that do not lie below the diagonal.
func (c *Contraction[T]) above(s tiles, right int) int {
	if s.symmetric {
		return s.first + right
	}
	return c.queries
}

// gramRow returns the Gram of query m with the samples left to right of a tile, ones
// for a term without one.
func (c *Contraction[T]) gramRow(t *term[T], m int, s tiles, left, right int) []T {
	if t.gram == nil {
		return c.ones[:right-left]
	}
	return t.gram[m*s.samples+left : m*s.samples+right]
}

// Diagonal adds K_j[m,k,i,k], the products of equal seeds alone, to the sums of each
// integral that was prepared: the diagonal blocks of the tangent kernel when both
// sides are seeded with the unit vectors. 2·K·M·N·d_out FLOPs for a node and dense layer.
func (c *Contraction[T]) Diagonal(train []Factor[T], sums [][]Sum) { c.diagonal(train, sums, false) }

// diagonal is Diagonal, with the option of trace.
func (c *Contraction[T]) diagonal(train []Factor[T], sums [][]Sum, symmetric bool) {
	samples := train[0].Rows
	others := make([][]T, len(c.terms))
	for i := range c.terms {
		others[i] = train[c.terms[i].layer].Cotangent
	}
	c.diagonalTiles(c.terms, others, tiles{samples: samples, count: samples, symmetric: symmetric}, sums)
	for layer := range train {
		if f := &train[layer]; f.kind() == sharedWeights {
			if c.strategy(layer, f, 1) == paired {
				c.pairedDiagonal(layer, f, sums, symmetric)
				continue
			}
			c.eachChunk(f, func(first, count int, gradients []T) {
				terms := c.formedTerms(layer)
				c.diagonalTiles(terms, repeat(gradients, len(terms)), tiles{samples: samples, first: first, count: count, symmetric: symmetric}, sums)
			})
		}
	}
}

func (c *Contraction[T]) diagonalTiles(terms []term[T], others [][]T, s tiles, sums [][]Sum) {
	workers := c.reserve((s.count+traceTile-1)/traceTile, c.queries*traceTile)
	c.engine.TilesWorker(workers, s.count, traceTile, func(worker, left, right int) {
		n, queries := right-left, c.above(s, right)
		product := c.scratch[worker][:queries*n]
		for i := range terms {
			t := &terms[i]
			stride := c.stacks * t.width
			for k := range c.stacks {
				blas.Gemm(c.engine, gblas.NoTrans, gblas.Trans, queries, n, t.width, 1, t.cotangent[k*t.width:], stride,
					others[i][left*stride+k*t.width:], stride, 0, product, n)
				for m := range queries {
					t.add(sums, m*c.stacks+k, s.first+left, 1, product[m*n:][:n], c.gramRow(t, m, s, left, right))
				}
			}
		}
	})
}
