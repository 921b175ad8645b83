package pathkernel

import (
	gblas "gonum.org/v1/gonum/blas"

	"pkm/internal/blas"
	"pkm/internal/compute"
)

// Contraction multiplies the factors of M query samples with those of N training
// samples: for a dense layer, with a, δ of the query and a′, δ′ of the training side,
//
//	⟨∇W, ∇W′⟩ + ⟨∇b, ∇b′⟩ = (a·a′ + 1)(δ·δ′)
//
// which costs O(d_in + d_out) a pair instead of O(d_in·d_out), and sums the
// layers. Factors are multiplied first and summed over steps afterwards.
//
// Prepare forms the Grams of inputs for the query's nodes and a training block,
// Outer and Trace multiply them with cotangent products. One Contraction serves
// one pair of sample blocks: it keeps the Grams of inputs that are data. Not safe
// for concurrent use; it uses all cores itself, on tiles whose cut depends on
// nothing but shapes, so that the bits of a result do not depend on the number of
// cores.
type Contraction[T Float] struct {
	engine  compute.Engine
	queries int // M
	stacks  int // K
	terms   []term[T]

	fixed   map[int][]T // layer: Gram of inputs that are data (M, N)
	grams   [][]T       // scratch: the Gram of each term (M, N)
	columns [][]T       // scratch: transposed cotangents of each layer
	rows    [][]T       // scratch: query cotangents of each term, by sample
	means   [][]T       // scratch: averages over nodes, of which averages are in use
	scratch [][]T       // scratch of each worker: the cotangent products of a tile

	averages int
}

// NewContraction returns a contraction whose products go to the engine.
func NewContraction[T Float](engine compute.Engine) *Contraction[T] {
	return &Contraction[T]{engine: engine, fixed: make(map[int][]T)}
}

// A tile is a block of query cotangents (m, k) by training cotangents (k′, i). All
// layers and nodes are added up in one before the next, while its sums are hot.
const (
	rowTile    = 64
	columnTile = 256
	traceTile  = 256 // training samples in a tile of a Gram or a trace, which takes all queries

	averageTile = 4096 // elements
)

// Prepare starts a contraction of the query's factors at each node with those of
// a training block, of which only the inputs are read, for integrals with the
// given weights on the nodes. 2·M·N·d_in FLOPs for a node and layer.
func (c *Contraction[T]) Prepare(nodes [][]Factor[T], train []Factor[T], weights [][]float64) {
	c.queries, c.stacks, c.terms, c.averages = nodes[0][0].Rows, nodes[0][0].Stacks, c.terms[:0], 0
	for layer := range train {
		c.terms = append(c.terms, c.termsOf(layer, nodes, weights)...)
	}
	var missing []*term[T]
	for i := range c.terms {
		t := &c.terms[i]
		size := c.queries * train[0].Rows
		if !t.fixed {
			t.gram = nth(&c.grams, i, size)
			missing = append(missing, t)
			continue
		}
		if c.fixed[t.layer] == nil {
			c.fixed[t.layer] = make([]T, size)
			t.gram = c.fixed[t.layer]
			missing = append(missing, t)
		}
		t.gram = c.fixed[t.layer]
	}
	c.inputGrams(missing, train)
}

// inputGrams computes a·a′ + bias (M, N), all in one pass over tiles.
func (c *Contraction[T]) inputGrams(terms []*term[T], train []Factor[T]) {
	samples := train[0].Rows
	across := (samples + traceTile - 1) / traceTile
	c.engine.Tiles(len(terms)*across, 1, func(n, _ int) {
		t, left := terms[n/across], n%across*traceTile
		right := min(left+traceTile, samples)
		f := &train[t.layer]
		for m := range c.queries {
			row := t.gram[m*samples+left : m*samples+right]
			for i := range row {
				row[i] = t.bias
			}
		}
		blas.Gemm(c.engine, gblas.NoTrans, gblas.Trans, c.queries, right-left, f.InWidth, 1, t.input, f.InWidth,
			f.Input[left*f.InWidth:right*f.InWidth], f.InWidth, 1, t.gram[left:], samples)
	})
}

// Outer adds the products of every query seed k with every training seed k′,
// K_j[m,k,k′,i] = Σ_layers (a·a′+bias)(δ_k·δ′_{k′}), to the sums of each integral
// that was prepared. With training factors seeded with ℓ′ (one stack) that is
// J(x_m)·g_i, with unit seeds the tangent kernel. 2·K·K′·M·N·d_out FLOPs for a
// node and layer.
func (c *Contraction[T]) Outer(train []Factor[T], sums [][]Sum) {
	samples, seeds := train[0].Rows, train[0].Stacks
	rows, columns := c.stacks*c.queries, seeds*samples
	across, down := (columns+columnTile-1)/columnTile, (rows+rowTile-1)/rowTile
	transposed, cotangents := c.transpose(train), c.bySample()
	workers := c.workers(across*down, rowTile*columnTile)
	c.engine.TilesWorker(workers, across*down, 1, func(worker, n, _ int) {
		lo, left := n/across*rowTile, n%across*columnTile
		hi, right := min(lo+rowTile, rows), min(left+columnTile, columns)
		for i := range c.terms {
			t := &c.terms[i]
			width, product := train[t.layer].OutWidth, c.scratch[worker]
			if !t.unit {
				blas.Gemm(c.engine, gblas.NoTrans, gblas.Trans, hi-lo, right-left, width, 1, cotangents[i][lo*width:hi*width], width,
					train[t.layer].Cotangent[left*width:right*width], width, 0, product, right-left)
			}
			for r := lo; r < hi; r++ {
				row := product[(r-lo)*(right-left):]
				if t.unit { // e_k·δ′ is a column of the training cotangents
					row = transposed[t.layer][r%c.stacks*columns+left:]
				}
				t.add(sums, r*seeds, r/c.stacks, samples, left, right, row)
			}
		}
	})
}

// Trace adds Σ_k K_j[m,k,k,i], the trace of the tangent kernel when both sides
// are seeded with the unit vectors, to the sums of each integral that was
// prepared. 2·K·M·N·d_out FLOPs for a node and layer, less where the cotangents
// have structure.
func (c *Contraction[T]) Trace(train []Factor[T], sums [][]Sum) {
	samples := train[0].Rows
	for i := range c.terms {
		c.terms[i].mix(&train[c.terms[i].layer])
	}
	workers := c.workers((samples+traceTile-1)/traceTile, c.queries*traceTile)
	c.engine.TilesWorker(workers, samples, traceTile, func(worker, left, right int) {
		n := right - left
		product := c.scratch[worker][:c.queries*n]
		for i := range c.terms {
			t := &c.terms[i]
			f := &train[t.layer]
			width, query, other, stacks := f.OutWidth, t.cotangent, f.Cotangent, f.Stacks
			if t.mixed != nil {
				query, other, stacks = t.mixed, f.Scale, 1
			}
			if t.unit && f.Unit { // Σ_k e_k·e_k
				for j := range product {
					product[j] = T(f.Stacks)
				}
				stacks = 0
			}
			for k := range stacks {
				blas.Gemm(c.engine, gblas.NoTrans, gblas.Trans, c.queries, n, width, 1, query[k*c.queries*width:(k+1)*c.queries*width], width,
					other[(k*samples+left)*width:(k*samples+right)*width], width, min(T(k), 1), product, n)
			}
			for m := range c.queries {
				t.add(sums, m, m, samples, left, right, product[m*n:])
			}
		}
	})
}

// mix prepares the trace of cotangents that are shared⊙scale on both sides:
// Σ_k (V_k⊙s)·(V′_k⊙s′) = (s⊙Σ_k V_k⊙V′_k)·s′, one product instead of K.
func (t *term[T]) mix(train *Factor[T]) {
	if t.mixed = nil; t.shared == nil || train.Shared == nil {
		return
	}
	width := train.OutWidth
	v := make([]T, width)
	for i, q := range t.shared {
		v[i%width] += q * train.Shared[i]
	}
	t.mixed = make([]T, len(t.scale))
	for i := 0; i < len(t.scale); i += width {
		for j, vj := range v {
			t.mixed[i+j] = t.scale[i+j] * vj
		}
	}
}

// bySample returns the query cotangents of each term as (M, K, d_out), so that
// the rows of a tile belong to few samples and share their rows of the Gram; nil
// for unit vectors.
func (c *Contraction[T]) bySample() [][]T {
	out := make([][]T, len(c.terms))
	for i := range c.terms {
		if t := &c.terms[i]; !t.unit {
			out[i] = nth(&c.rows, i, len(t.cotangent))
		}
	}
	rows := c.stacks * c.queries
	c.engine.Tiles(len(c.terms)*rows, 4*rowTile, func(lo, hi int) {
		for n := lo; n < hi; n++ {
			to, r := out[n/rows], n%rows
			if to == nil {
				continue
			}
			width, from := len(to)/rows, r%c.stacks*c.queries+r/c.stacks
			copy(to[r*width:(r+1)*width], c.terms[n/rows].cotangent[from*width:])
		}
	})
	return out
}

// transpose returns the training cotangents (d_out, K′·N) of the layers whose
// query cotangents are unit vectors.
func (c *Contraction[T]) transpose(train []Factor[T]) [][]T {
	out := make([][]T, len(train))
	for _, t := range c.terms {
		if !t.unit || out[t.layer] != nil {
			continue
		}
		f := &train[t.layer]
		columns := f.Stacks * f.Rows
		out[t.layer] = nth(&c.columns, t.layer, f.OutWidth*columns)
		for r := range columns {
			for j, v := range f.Cotangent[r*f.OutWidth : (r+1)*f.OutWidth] {
				out[t.layer][j*columns+r] = v
			}
		}
	}
	return out
}

// workers returns how many goroutines the tiles occupy, with scratch for each.
func (c *Contraction[T]) workers(tiles, size int) int {
	workers := c.engine.Workers(tiles, 1)
	for w := range workers {
		nth(&c.scratch, w, size)
	}
	return workers
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

// add adds a row of a tile times the Gram's row of query m to the sums of all
// integrals that the term counts in. The row holds the products with the training
// cotangents left to right (k′, i); its first one belongs to row first of the sums.
func (t *term[T]) add(sums [][]Sum, first, m, samples, left, right int, row []T) {
	for at := left; at < right; {
		seed, i := at/samples, at%samples
		count := min(samples-i, right-at)
		p, a := row[at-left:], t.gram[m*samples+i:]
		for _, u := range t.uses {
			for s := range sums[u.integral] {
				sum := &sums[u.integral][s]
				to, weight := sum.Values[(first+seed)*sum.Width+sum.Offset+i:][:count], u.weight*sum.Scale
				if sum.Columns == nil {
					accumulate(to, p, a, weight)
				} else {
					accumulateColumns(to, p, a, sum.Columns[seed*samples+i:], weight)
				}
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
