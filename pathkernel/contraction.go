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
	blas    blas.Implementation
	fixed   map[int][]T // layer: Gram of inputs that are data (M, N)
	grams   [][]T       // scratch: the Gram of each product (M, N)
	columns [][]T       // scratch: transposed cotangents of each product
	scratch [][]T       // scratch of each worker: the cotangent products of a tile
}

// NewContraction returns a contraction whose products go to b.
func NewContraction[T Float](b blas.Implementation) *Contraction[T] {
	return &Contraction[T]{blas: b, fixed: make(map[int][]T)}
}

// A tile is a block of query cotangents (k, m) by training cotangents (k′, i). All
// layers and nodes are added up in one before the next, while its sums are hot.
const (
	rowTile    = 64
	columnTile = 1024
	traceTile  = 128 // training samples in a tile of a trace, which takes all queries
)

// Outer adds the products of every query seed k with every training seed k′,
// K_j[m,k,k′,i] = Σ_layers (a·a′+bias)(δ_k·δ′_{k′}), to the integrals. nodes holds
// the query's factors at each node, train those of the training block. With
// training factors seeded with ℓ′ (one stack) it gives J(x_m)·g_i, with unit
// seeds the tangent kernel. 2·M·N·(d_in + K·K′·d_out) FLOPs for a node and layer.
func (c *Contraction[T]) Outer(nodes [][]Factor[T], train []Factor[T], integrals []Integral) {
	all := c.products(nodes, train, integrals)
	q, f := &nodes[0][0], &train[0]
	rows, columns := q.Stacks*q.Rows, f.Stacks*f.Rows
	across, down := (columns+columnTile-1)/columnTile, (rows+rowTile-1)/rowTile
	workers := c.workers(across*down, rowTile*columnTile)
	parallel.TilesWorker(workers, across*down, 1, func(worker, n, _ int) {
		lo, left := n/across*rowTile, n%across*columnTile
		hi, right := min(lo+rowTile, rows), min(left+columnTile, columns)
		for i := range all {
			p, width := &all[i], all[i].train.OutWidth
			if p.unit {
				for r := lo; r < hi; r++ {
					p.add(r%q.Rows*q.Stacks+r/q.Rows, f.Stacks, r%q.Rows, left, right, p.transposed[r/q.Rows*columns+left:])
				}
				continue
			}
			product := c.scratch[worker][:(hi-lo)*(right-left)]
			blas.Gemm(c.blas, gblas.NoTrans, gblas.Trans, hi-lo, right-left, width, 1, p.cotangent[lo*width:hi*width], width,
				p.train.Cotangent[left*width:right*width], width, 0, product, right-left)
			for r := lo; r < hi; r++ {
				p.add(r%q.Rows*q.Stacks+r/q.Rows, f.Stacks, r%q.Rows, left, right, product[(r-lo)*(right-left):])
			}
		}
	})
}

// Trace adds Σ_k K_j[m,k,k,i], the trace of the tangent kernel when both sides
// are seeded with the unit vectors, to the integrals. 2·M·N·(d_in + K·d_out)
// FLOPs for a node and layer, less where the cotangents have structure.
func (c *Contraction[T]) Trace(nodes [][]Factor[T], train []Factor[T], integrals []Integral) {
	all := c.products(nodes, train, integrals)
	for i := range all {
		all[i].mixed = all[i].mix()
	}
	queries, samples := nodes[0][0].Rows, train[0].Rows
	workers := c.workers((samples+traceTile-1)/traceTile, queries*traceTile)
	parallel.TilesWorker(workers, samples, traceTile, func(worker, left, right int) {
		for i := range all {
			p, width, n := &all[i], all[i].train.OutWidth, right-left
			query, other, stacks := p.cotangent, p.train.Cotangent, p.train.Stacks
			if mixed := p.mixed; mixed != nil {
				query, other, stacks = mixed, p.train.Scale, 1
			}
			product := c.scratch[worker][:queries*n]
			if p.unit && p.train.Unit { // Σ_k e_k·e_k
				for j := range product {
					product[j] = T(stacks)
				}
				stacks = 0
			}
			for k := range stacks {
				blas.Gemm(c.blas, gblas.NoTrans, gblas.Trans, queries, n, width, 1, query[k*queries*width:(k+1)*queries*width], width,
					other[(k*samples+left)*width:(k*samples+right)*width], width, min(T(k), 1), product, n)
			}
			for m := range queries {
				p.add(m, 1, m, left, right, product[m*n:])
			}
		}
	})
}

// workers returns how many goroutines the tiles occupy, with scratch for each.
func (c *Contraction[T]) workers(tiles, size int) int {
	workers := parallel.Workers(tiles, 1)
	for len(c.scratch) < workers {
		c.scratch = append(c.scratch, nil)
	}
	for w := range workers {
		if len(c.scratch[w]) < size {
			c.scratch[w] = make([]T, size)
		}
	}
	return workers
}

// product is a term with its training side and the Gram of their inputs.
type product[T Float] struct {
	term[T]
	train *Factor[T]
	gram  []T // a·a′ + bias (M, N)
	mixed []T // s⊙Σ_k V_k⊙V′_k (M, d_out), where both sides are shared⊙scale

	transposed []T // training cotangents (d_out, K′, N), where the query's are unit vectors
}

// products returns all products of a contraction.
func (c *Contraction[T]) products(nodes [][]Factor[T], train []Factor[T], integrals []Integral) []product[T] {
	var all []product[T]
	for layer := range train {
		for _, t := range terms(layer, nodes, integrals) {
			p := product[T]{term: t, train: &train[layer]}
			p.gram = c.inputGram(len(all), layer, nodes[0][layer].FixedInput, &p)
			if p.unit {
				p.transposed = c.transpose(len(all), p.train)
			}
			all = append(all, p)
		}
	}
	return all
}

// mix prepares the trace of cotangents that are shared⊙scale on both sides:
// Σ_k (V_k⊙s)·(V′_k⊙s′) = (s⊙Σ_k V_k⊙V′_k)·s′, one product instead of K.
func (p *product[T]) mix() []T {
	if p.shared == nil || p.train.Shared == nil {
		return nil
	}
	width := p.train.OutWidth
	v, mixed := make([]T, width), make([]T, len(p.scale))
	for i, q := range p.shared {
		v[i%width] += q * p.train.Shared[i]
	}
	for i, s := range p.scale {
		mixed[i] = s * v[i%width]
	}
	return mixed
}

// inputGram returns a·a′ + bias (M, N) of the n-th product; of inputs that are
// data, it is computed once.
func (c *Contraction[T]) inputGram(n, layer int, fixed bool, p *product[T]) []T {
	if gram, ok := c.fixed[layer]; fixed && ok {
		return gram
	}
	width, columns := p.train.InWidth, p.train.Rows
	rows := len(p.input) / width
	var gram []T
	if fixed {
		gram = make([]T, rows*columns)
		c.fixed[layer] = gram
	} else {
		gram = nth(&c.grams, n, rows*columns)
	}
	parallel.Tiles(columns, columnTile, func(left, right int) {
		for m := range rows {
			row := gram[m*columns+left : m*columns+right]
			for i := range row {
				row[i] = p.bias
			}
		}
		blas.Gemm(c.blas, gblas.NoTrans, gblas.Trans, rows, right-left, width, 1, p.input, width,
			p.train.Input[left*width:right*width], width, 1, gram[left:], columns)
	})
	return gram
}

// transpose returns the training cotangents as (d_out, K′·N).
func (c *Contraction[T]) transpose(n int, train *Factor[T]) []T {
	width, columns := train.OutWidth, train.Stacks*train.Rows
	out := nth(&c.columns, n, width*columns)
	for r := range columns {
		for j, v := range train.Cotangent[r*width : (r+1)*width] {
			out[j*columns+r] = v
		}
	}
	return out
}

// nth returns the n-th of a list of scratch slices, with the given length.
func nth[T Float](list *[][]T, n, length int) []T {
	for len(*list) <= n {
		*list = append(*list, nil)
	}
	if len((*list)[n]) < length {
		(*list)[n] = make([]T, length)
	}
	return (*list)[n][:length]
}

// add adds a row of a tile times the Gram's row of query m to the sums: row holds
// products with the training cotangents left to right (k′, i), and the sums have
// seeds·Width values for each of their rows.
func (p *product[T]) add(to, seeds, m, left, right int, row []T) {
	samples := p.train.Rows
	for at := left; at < right; {
		seed, i := at/samples, at%samples
		count := min(samples-i, right-at)
		a := p.gram[m*samples+i:][:count]
		for _, u := range p.uses {
			sum := u.Sum[(to*seeds+seed)*u.Width+u.Offset+i:][:count]
			if u.Columns == nil {
				accumulate(sum, row[at-left:], a, u.weight)
			} else {
				accumulateColumns(sum, row[at-left:], a, u.Columns[seed*samples+i:], u.weight)
			}
		}
		at += count
	}
}

// accumulate adds weight·p⊙a to sum, in float64.
func accumulate[T Float](sum []float64, p, a []T, weight float64) {
	p, a = p[:len(sum)], a[:len(sum)]
	for i := range sum {
		sum[i] += weight * float64(p[i]*a[i])
	}
}

// accumulateColumns adds weight·p⊙a⊙columns to sum, in float64.
func accumulateColumns[T Float](sum []float64, p, a []T, columns []float64, weight float64) {
	p, a, columns = p[:len(sum)], a[:len(sum)], columns[:len(sum)]
	for i := range sum {
		sum[i] += weight * columns[i] * float64(p[i]*a[i])
	}
}
