package pathkernel

import (
	"slices"
	"unsafe"

	gblas "gonum.org/v1/gonum/blas"

	"pkm/internal/blas"
	"pkm/internal/compute"
	"pkm/internal/vector"
)

// Contraction multiplies the factors of M query samples with those of N training
// samples: for a dense layer, with a, δ of the query and a′, δ′ of the training side,
//
//	⟨∇W, ∇W′⟩ + ⟨∇b, ∇b′⟩ = (a·a′ + 1)(δ·δ′)
//
// which costs O(d_in + d_out) a pair instead of O(d_in·d_out), and sums the
// layers; for a layer with shared weights see strategy. Factors are multiplied first
// and summed over steps afterwards.
//
// Prepare forms the Grams of inputs for the query's nodes and a training block,
// Outer, Trace and Diagonal multiply them with cotangent products. One Contraction
// serves one pair of sample blocks, whose Grams of inputs that are data it keeps; a Path
// uses one for all its blocks. Not
// safe for concurrent use; it uses all cores itself, on tiles whose cut depends on
// nothing but shapes, so that the bits of a result do not depend on the number of
// cores.
type Contraction[T Float] struct {
	engine  compute.Engine
	queries int // M
	stacks  int // K
	nodes   [][]Factor[T]
	weights [][]float64
	terms   []term[T]         // of the dense and the explicit layers
	formed  map[int][]term[T] // of layers with shared weights, where formed

	fixed   map[int][]T // layer: Gram of inputs that are data (M, N)
	grams   [][]T       // scratch: the Gram of each term (M, N)
	columns [][]T       // scratch: transposed cotangents of each layer
	means   [][]T       // scratch: averages over nodes, of which averages are in use
	scratch [][]T       // scratch of each worker: the cotangent products of a tile
	spread  [][]T       // scratch of each worker: a row of a Gram, repeated for seeds
	chunk   []T         // scratch: formed gradients of training samples
	workers [][]T       // scratch of each worker that forms gradients

	ones []T // (largeTile): the Gram's row of a term without one

	averages int
	rowTile  int // query rows of a tile

	// Bounds of scratch in elements: of formed training gradients, and of the products
	// of a tile of pairs.
	formedElements, pairElements int
}

// NewContraction returns a contraction whose products go to the engine.
func NewContraction[T Float](engine compute.Engine) *Contraction[T] {
	var zero T
	ones := make([]T, largeTile)
	for i := range ones {
		ones[i] = 1
	}
	return &Contraction[T]{engine: engine, ones: ones, rowTile: rowBytes / int(unsafe.Sizeof(zero)), fixed: make(map[int][]T), formedElements: 1 << 21, pairElements: 1 << 19}
}

// A tile is a block of query cotangents (m, k) by training cotangents (i, k′). All
// layers and nodes are added up in one before the next, while its sums are hot.
const (
	rowBytes   = 1024 // query rows of a tile: 256 in float32, 128 in float64
	columnTile = 256
	largeTile  = 512 // of large symmetric kernels: operands are packed less often
	stripTile  = 128 // rows of a tile on the diagonal of a symmetric kernel
	traceTile  = 256 // training samples in a tile of a Gram or a trace, which takes all queries

	averageTile = 4096 // elements
)

// Prepare starts a contraction of the query's factors at each node with those of
// a training block, of which only the inputs are read, for integrals with the
// given weights on the nodes. The factors of the nodes have to stay as they are until
// the next Prepare. 2·M·N·d_in FLOPs for a node and dense layer.
func (c *Contraction[T]) Prepare(nodes [][]Factor[T], train []Factor[T], weights [][]float64) {
	c.query(nodes, weights)
	c.against(train, c.fixed)
}

// query prepares the query's side: what does not depend on a block.
func (c *Contraction[T]) query(nodes [][]Factor[T], weights [][]float64) {
	c.queries, c.stacks, c.terms, c.averages = nodes[0][0].Rows, nodes[0][0].Stacks, c.terms[:0], 0
	c.nodes, c.weights, c.formed = nodes, weights, make(map[int][]term[T])
	for layer := range nodes[0] {
		if nodes[0][layer].kind() != sharedWeights {
			c.terms = append(c.terms, c.termsOf(layer, nodes, weights)...)
		}
	}
}

// against prepares the Grams of the inputs with a training block. Those of inputs that are
// data are kept in fixed, by layer.
func (c *Contraction[T]) against(train []Factor[T], fixed map[int][]T) {
	var missing []*term[T]
	for i := range c.terms {
		t := &c.terms[i]
		size := c.queries * train[0].Rows
		switch {
		case t.input == nil:
		case !t.fixed:
			t.gram = nth(&c.grams, i, size)
			missing = append(missing, t)
		default:
			if fixed[t.layer] == nil {
				fixed[t.layer] = aligned[T](size)
				t.gram = fixed[t.layer]
				missing = append(missing, t)
			}
			t.gram = fixed[t.layer]
		}
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
// K_j[m,k,i,k′] = Σ_layers (a·a′+bias)(δ_k·δ′_{k′}), to the sums of each integral
// that was prepared. With training factors seeded with ℓ′ (one stack) that is
// J(x_m)·g_i, with unit seeds the tangent kernel. 2·K·K′·M·N·d_out FLOPs for a
// node and dense layer.
func (c *Contraction[T]) Outer(train []Factor[T], sums [][]Sum) { c.outer(train, sums, tiles{}) }

// outer is Outer with the options symmetric and fresh.
func (c *Contraction[T]) outer(train []Factor[T], sums [][]Sum, s tiles) {
	others := make([][]T, len(c.terms))
	for i := range c.terms {
		t := &c.terms[i]
		others[i] = train[t.layer].Cotangent
		t.bothUnit = t.unit && train[t.layer].Unit
	}
	c.transpose(train)
	s.samples, s.count, s.seeds = train[0].Rows, train[0].Rows, train[0].Stacks
	if len(c.terms) == 0 && s.fresh {
		clear(sums[0][0].Values)
	}
	s.mirrored = s.symmetric && !slices.ContainsFunc(train, func(f Factor[T]) bool { return f.kind() == sharedWeights })
	c.outerTiles(c.terms, others, s, sums)
	for layer := range train {
		if f := &train[layer]; f.kind() == sharedWeights {
			if c.strategy(layer, f, f.Stacks) == paired {
				c.pairedOuter(layer, f, sums, s.symmetric)
				continue
			}
			c.eachChunk(f, func(first, count int, gradients []T) {
				terms := c.formedTerms(layer)
				chunk := tiles{samples: s.samples, first: first, count: count, seeds: s.seeds, symmetric: s.symmetric}
				c.outerTiles(terms, repeat(gradients, len(terms)), chunk, sums)
			})
		}
	}
}

// tiles says which training cotangents are multiplied: those of count of N samples,
// from first on, with so many seeds each.
type tiles struct {
	samples, first, count, seeds int
	// symmetric: both sides are the same, and what lies below the diagonal is left out, but
	// for a margin. mirrored: it is copied from above while it is hot, complete after this pass.
	symmetric, mirrored bool
	// fresh: what the only sum holds is not added to; no Columns.
	fresh bool
}

// outerTiles adds the products of the terms with other cotangents (count, K′, width),
// one slice for each term.
func (c *Contraction[T]) outerTiles(terms []term[T], others [][]T, s tiles, sums [][]Sum) {
	if len(terms) == 0 {
		return
	}
	rows, columns := c.stacks*c.queries, s.count*s.seeds
	blocks := cut(rows, columns, c.rowTile, columnTile)
	switch {
	case s.symmetric && s.count == s.samples:
		blocks = cutSymmetric(rows)
	case s.symmetric: // columns of a chunk: rows beyond its last sample lie below the diagonal
		blocks = cut((s.first+s.count)*s.seeds, columns, c.rowTile, columnTile)
	}
	size := 0
	for _, b := range blocks {
		size = max(size, (b.hi-b.lo)*(b.right-b.left))
	}
	workers := c.reserve(len(blocks), size)
	c.engine.TilesWorker(workers, len(blocks), 1, func(worker, n, _ int) {
		lo, hi, left, right := blocks[n].lo, blocks[n].hi, blocks[n].left, blocks[n].right
		for i := range terms {
			t, product := &terms[i], c.scratch[worker]
			if !t.unit {
				blas.Gemm(c.engine, gblas.NoTrans, gblas.Trans, hi-lo, right-left, t.width, 1, t.cotangent[lo*t.width:hi*t.width], t.width,
					others[i][left*t.width:right*t.width], t.width, 0, product, right-left)
			}
			gram := c.ones[:right-left]
			for r := lo; r < hi; r++ {
				if t.bothUnit {
					if s.fresh && i == 0 {
						clear(sums[0][0].row(sums[0][0].Values, r, left, s.seeds, right-left))
					}
					t.addEqual(sums, r, c.stacks, left, right, s)
					continue
				}
				row := product[(r-lo)*(right-left):][:right-left]
				if t.unit { // e_k·δ′ is a column of the training cotangents
					row = c.columns[t.layer][r%c.stacks*columns+left:][:right-left]
				}
				if m := r / c.stacks; t.gram != nil && (r == lo || r%c.stacks == 0) {
					gram = repeated(t.gram[m*s.samples:], left, right, s.seeds, c.spread[worker])
				}
				if s.fresh && i == 0 {
					vector.MulTo(sums[0][0].row(sums[0][0].Values, r, s.first*s.seeds+left, s.seeds, len(row)), t.uses[0].weight*sums[0][0].Scale, row, gram)
					continue
				}
				t.add(sums, r, s.first*s.seeds+left, s.seeds, row, gram)
			}
		}
		if s.mirrored {
			mirror(sums[0][0].Values, columns, lo, hi, max(left, hi), right)
			if left == lo { // a strip on the diagonal
				mirrorTriangle(sums[0][0].Values, columns, lo, hi)
			}
		}
	})
}

// repeated returns gram[j/seeds] for the columns j from left to right.
func repeated[T Float](gram []T, left, right, seeds int, to []T) []T {
	if seeds == 1 {
		return gram[left:right]
	}
	to = to[:right-left]
	i, k := left/seeds, left%seeds
	for j := range to {
		to[j] = gram[i]
		if k++; k == seeds {
			i, k = i+1, 0
		}
	}
	return to
}

// transpose fills the training cotangents (d_out, N·K′) of the layers whose query
// cotangents are unit vectors.
func (c *Contraction[T]) transpose(train []Factor[T]) {
	done := make(map[int]bool)
	for i := range c.terms {
		t := &c.terms[i]
		if !t.unit || t.bothUnit || done[t.layer] {
			continue
		}
		done[t.layer] = true
		f := &train[t.layer]
		columns := f.Stacks * f.Rows
		to := nth(&c.columns, t.layer, f.OutWidth*columns)
		for r := range columns {
			for j, v := range f.Cotangent[r*f.OutWidth : (r+1)*f.OutWidth] {
				to[j*columns+r] = v
			}
		}
	}
}

// reserve returns how many goroutines the tiles occupy, with scratch for each.
func (c *Contraction[T]) reserve(tiles, size int) int {
	workers := c.engine.Workers(tiles, 1)
	for w := range workers {
		nth(&c.scratch, w, size)
		nth(&c.spread, w, largeTile)
	}
	return workers
}

// repeat returns a list of n times the same slice.
func repeat[T Float](v []T, n int) [][]T {
	list := make([][]T, n)
	for i := range list {
		list[i] = v
	}
	return list
}

// nth returns the n-th of a list of scratch slices, with the given length.
func nth[T Float](list *[][]T, n, length int) []T {
	for len(*list) <= n {
		*list = append(*list, nil)
	}
	if len((*list)[n]) < length {
		(*list)[n] = aligned[T](length)
	}
	return (*list)[n][:length]
}

// aligned returns a new slice whose memory begins at a multiple of 16 bytes, which Go gives
// to all but the smallest: some BLAS sum in another order elsewhere.
func aligned[T Float](n int) []T { return make([]T, n, max(n, 8)) }
