package pathkernel

import (
	gblas "gonum.org/v1/gonum/blas"

	"pkm/internal/blas"
	"pkm/internal/parallel"
)

// Contraction multiplies the factors of M query samples with those of N training
// samples: for a dense layer, with a, δ of the query and a′, δ′ of the training side,
//
//	⟨∇W, ∇W′⟩ + ⟨∇b, ∇b′⟩ = (a·a′ + 1)(δ·δ′)
//
// which costs O(d_in + d_out) a pair instead of O(d_in·d_out), and sums the
// layers. Factors are multiplied first and summed over steps afterwards.
//
// One Contraction serves one pair of sample blocks: it keeps the Gram matrices of
// inputs that are data. Not safe for concurrent use; it uses all cores itself,
// on tiles whose cut depends on nothing but shapes, so that the bits of a result
// do not depend on the number of cores.
type Contraction[T Float] struct {
	blas  blas.Implementation
	fixed map[int][]T // layer: Gram of inputs that are data
	gram  []T         // scratch (M, N)
	tiles [][]T       // scratch of each worker
	mixed []T         // scratch (M, d_out)
}

// NewContraction returns a contraction whose products go to b.
func NewContraction[T Float](b blas.Implementation) *Contraction[T] {
	return &Contraction[T]{blas: b, fixed: make(map[int][]T)}
}

const (
	rowTile    = 64   // rows of query cotangents in a tile
	columnTile = 1024 // training cotangents in a tile: 64·1024 values stay in cache
	traceTile  = 256  // training samples in a tile of a trace
)

// Outer adds the products of every query seed k with every training seed k′,
// K_j[m,k,k′,i] = Σ_layers (a·a′+bias)(δ_k·δ′_{k′}), to the integrals. nodes holds
// the query's factors at each node, train those of the training block. With
// training factors seeded with ℓ′ (one stack) it gives J(x_m)·g_i, with unit
// seeds the tangent kernel. 2·M·N·(d_in + K·K′·d_out) FLOPs a product.
func (c *Contraction[T]) Outer(nodes [][]Factor[T], train []Factor[T], integrals []Integral) {
	for layer := range train {
		for _, t := range terms(layer, nodes, integrals) {
			f := &train[layer]
			c.outer(&t, c.inputGram(layer, &t, nodes[0][layer].FixedInput, f), f, nodes[0][layer].Rows)
		}
	}
}

// Trace adds Σ_k K_j[m,k,k,i], the trace of the tangent kernel when both sides
// are seeded with the unit vectors, to the integrals. 2·M·N·(d_in + K·d_out)
// FLOPs a product, less where the cotangents have structure.
func (c *Contraction[T]) Trace(nodes [][]Factor[T], train []Factor[T], integrals []Integral) {
	for layer := range train {
		for _, t := range terms(layer, nodes, integrals) {
			f := &train[layer]
			c.trace(&t, c.inputGram(layer, &t, nodes[0][layer].FixedInput, f), f, nodes[0][layer].Rows)
		}
	}
}

// inputGram returns a·a′ + bias (M, N).
func (c *Contraction[T]) inputGram(layer int, t *term[T], fixed bool, train *Factor[T]) []T {
	if fixed {
		if gram, ok := c.fixed[layer]; ok {
			return gram
		}
	}
	rows, columns, width := len(t.input)/train.InWidth, train.Rows, train.InWidth
	gram := c.gram
	if fixed || len(gram) != rows*columns {
		gram = make([]T, rows*columns)
		if fixed {
			c.fixed[layer] = gram
		} else {
			c.gram = gram
		}
	}
	parallel.Tiles(columns, traceTile, func(lo, hi int) {
		for m := range rows {
			fill(gram[m*columns+lo:m*columns+hi], t.bias)
		}
		blas.Gemm(c.blas, gblas.NoTrans, gblas.Trans, rows, hi-lo, width, 1, t.input, width,
			train.Input[lo*width:hi*width], width, 1, gram[lo:], columns)
	})
	return gram
}

func fill[T Float](values []T, v T) {
	for i := range values {
		values[i] = v
	}
}

// scratch returns the tile of a worker, at least n long.
func (c *Contraction[T]) scratch(worker, n int) []T {
	if len(c.tiles[worker]) < n {
		c.tiles[worker] = make([]T, n)
	}
	return c.tiles[worker][:n]
}

// outer runs over tiles of query rows (k, m) and training columns (k′, i): a
// product into the tile, then the element-wise product while the tile is hot.
func (c *Contraction[T]) outer(t *term[T], gram []T, train *Factor[T], samples int) {
	width := train.OutWidth
	rows, columns := len(t.cotangent)/width, train.Stacks*train.Rows
	across, down := (columns+columnTile-1)/columnTile, (rows+rowTile-1)/rowTile
	workers := c.workers(across*down, 1)
	stacks := rows / samples
	parallel.TilesWorker(workers, across*down, 1, func(worker, tile, _ int) {
		lo, left := tile/across*rowTile, tile%across*columnTile
		hi, right := min(lo+rowTile, rows), min(left+columnTile, columns)
		n := right - left
		product := c.scratch(worker, (hi-lo)*n)
		blas.Gemm(c.blas, gblas.NoTrans, gblas.Trans, hi-lo, n, width, 1, t.cotangent[lo*width:hi*width], width,
			train.Cotangent[left*width:right*width], width, 0, product, n)
		for r := lo; r < hi; r++ {
			m, k := r%samples, r/samples
			for at := left; at < right; {
				seed, i := at/train.Rows, at%train.Rows
				count := min(train.Rows-i, right-at)
				p := product[(r-lo)*n+at-left:][:count]
				a := gram[m*train.Rows+i:][:count]
				for _, u := range t.uses {
					sum := u.Sum[((m*stacks+k)*train.Stacks+seed)*u.Width+u.Offset+i:][:count]
					if u.Columns == nil {
						accumulate(sum, p, a, u.weight)
					} else {
						accumulateColumns(sum, p, a, u.Columns[seed*train.Rows+i:][:count], u.weight)
					}
				}
				at += count
			}
		}
	})
}

// workers returns how many goroutines n elements in tiles occupy, with a scratch
// tile for each.
func (c *Contraction[T]) workers(n, tile int) int {
	workers := parallel.Workers(n, tile)
	for len(c.tiles) < workers {
		c.tiles = append(c.tiles, nil)
	}
	return workers
}

// accumulate adds weight·p⊙a to sum, in float64.
func accumulate[T Float](sum []float64, p, a []T, weight float64) {
	for i := range sum {
		sum[i] += weight * float64(p[i]*a[i])
	}
}

// accumulateColumns adds weight·p⊙a⊙columns to sum, in float64.
func accumulateColumns[T Float](sum []float64, p, a []T, columns []float64, weight float64) {
	for i := range sum {
		sum[i] += weight * columns[i] * float64(p[i]*a[i])
	}
}

// trace runs over tiles of training samples, summing the seeds in the product.
func (c *Contraction[T]) trace(t *term[T], gram []T, train *Factor[T], samples int) {
	width, columns := train.OutWidth, train.Rows
	query, other, stacks := t.cotangent, train.Cotangent, train.Stacks
	if t.shared != nil && train.Shared != nil {
		// Σ_k (V_k⊙s)·(V′_k⊙s′) = (s⊙Σ_k V_k⊙V′_k)·s′: one stack instead of K.
		query, other, stacks = c.mix(t, train), train.Scale, 1
	}
	parallel.TilesWorker(c.workers(columns, traceTile), columns, traceTile, func(worker, lo, hi int) {
		n := hi - lo
		product := c.scratch(worker, samples*n)
		for k := range stacks {
			var beta T
			if k > 0 {
				beta = 1
			}
			blas.Gemm(c.blas, gblas.NoTrans, gblas.Trans, samples, n, width, 1, query[k*samples*width:(k+1)*samples*width], width,
				other[(k*columns+lo)*width:(k*columns+hi)*width], width, beta, product, n)
		}
		for m := range samples {
			p, a := product[m*n:(m+1)*n], gram[m*columns+lo:m*columns+hi]
			for _, u := range t.uses {
				accumulate(u.Sum[m*u.Width+u.Offset+lo:][:n], p, a, u.weight)
			}
		}
	})
}

// mix returns s⊙Σ_k V_k⊙V′_k (M, d_out).
func (c *Contraction[T]) mix(t *term[T], train *Factor[T]) []T {
	width := train.OutWidth
	v := make([]T, width)
	for k := range train.Stacks {
		for j := range width {
			v[j] += t.shared[k*width+j] * train.Shared[k*width+j]
		}
	}
	if len(c.mixed) < len(t.scale) {
		c.mixed = make([]T, len(t.scale))
	}
	mixed := c.mixed[:len(t.scale)]
	for i, s := range t.scale {
		mixed[i] = s * v[i%width]
	}
	return mixed
}
