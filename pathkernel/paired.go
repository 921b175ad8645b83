package pathkernel

import (
	"slices"

	gblas "gonum.org/v1/gonum/blas"

	"pkm/internal/blas"
	"pkm/internal/vector"
)

// strategy says how the products of a layer with shared weights are formed.
type strategy int

const (
	// formed: the gradients UᵀG of each side once per sample, then their products,
	// 2·d_out·d_in a pair of cotangents.
	formed strategy = iota
	// paired: Σ_{t,t′} (U_tᵀU′_t′ + bias)(G_t·G′_t′), 2·d_in·T² a pair of samples and
	// 2·(d_out+1)·T² a pair of cotangents: less where there are few positions and many weights.
	paired
)

// strategy returns the cheaper way for a layer in FLOPs, with seeds products of
// formed gradients for each cotangent of the query.
func (c *Contraction[T]) strategy(layer int, f *Factor[T], seeds int) strategy {
	var distinct [][]float64
	for _, w := range c.weights {
		if len(nonZero(w)) > 0 && !slices.ContainsFunc(distinct, func(other []float64) bool { return slices.Equal(other, w) }) {
			distinct = append(distinct, w)
		}
	}
	m, k, n, nodes := float64(c.queries), float64(c.stacks), float64(f.Rows), float64(len(perNode(layer, c.nodes, c.weights)))
	t, size, out, d, stacks := float64(f.Positions), float64(f.gradientWidth()), float64(f.OutWidth), float64(f.InWidth), float64(f.Stacks)
	pairwise := nodes * 2 * t * t * m * n * (d + (out+1)*k*stacks)
	together := 2*size*t*(nodes*m*k+n*stacks) + 2*size*float64(len(distinct))*m*k*n*float64(seeds)
	if pairwise < together {
		return paired
	}
	return formed
}

// pairing walks over all pairs of samples of a layer, for each node that counts.
type pairing[T Float] struct {
	c     *Contraction[T]
	train *Factor[T]
	tile  int // training samples at a time

	inputs     [][]T // scratch of each worker: U′ᵀ (tile, T, d)
	cotangents [][]T // G′ᵀ (tile, K′, T, d_out)
	image      [][]T // U (d, T)
	grams      [][]T // UᵀU′ (T, tile·T)
	products   [][]T // GᵀG′ (K·T, tile·K′·T)
}

func (c *Contraction[T]) newPairing(f *Factor[T]) *pairing[T] {
	p := &pairing[T]{c: c, train: f}
	p.tile = max(1, min(f.Rows, c.pairElements/(c.stacks*f.Positions*f.Stacks*f.Positions)))
	t := f.Positions
	for w := range c.engine.Workers((f.Rows+p.tile-1)/p.tile, 1) {
		nth(&p.inputs, w, p.tile*t*f.InWidth)
		nth(&p.cotangents, w, p.tile*f.Stacks*t*f.OutWidth)
		nth(&p.image, w, f.InWidth*t)
		nth(&p.grams, w, t*p.tile*t)
		nth(&p.products, w, c.stacks*t*p.tile*f.Stacks*t)
	}
	return p
}

// each calls do for every query m and block of training samples left to right with
// the Gram (T, n, T) of positions' inputs and the products (K, T, n, K′, T) of their cotangents.
func (p *pairing[T]) each(query *Factor[T], symmetric bool, do func(m, left, right int, gram, product []T)) {
	c, f, t := p.c, p.train, p.train.Positions
	d, out, k := f.InWidth, f.OutWidth, c.stacks
	flipped := aligned[T](len(query.Cotangent)) // (M, K, T, d_out)
	for r := range query.Rows * k {
		flip(query.Cotangent[r*out*t:(r+1)*out*t], out, t, flipped[r*out*t:])
	}
	c.engine.TilesWorker(len(p.inputs), f.Rows, p.tile, func(worker, left, right int) {
		n, columns := right-left, (right-left)*t
		inputs, cotangents, u := p.inputs[worker], p.cotangents[worker], p.image[worker]
		for i := range n {
			f.Unfold(f.image(left+i), u)
			flip(u, d, t, inputs[i*t*d:])
			for s := range f.Stacks {
				at := (i*f.Stacks + s) * t * out
				flip(f.Cotangent[left*f.Stacks*t*out+at:][:t*out], out, t, cotangents[at:])
			}
		}
		gram, product := p.grams[worker][:t*columns], p.products[worker][:k*t*f.Stacks*columns]
		for m := range query.Rows {
			if symmetric && m >= right {
				break
			}
			query.Unfold(query.image(m), u)
			for i := range gram {
				gram[i] = f.bias()
			}
			blas.Gemm(c.engine, gblas.Trans, gblas.Trans, t, columns, d, 1, u, t, inputs, d, 1, gram, columns)
			blas.Gemm(c.engine, gblas.NoTrans, gblas.Trans, k*t, f.Stacks*columns, out, 1, flipped[m*k*t*out:(m+1)*k*t*out], out,
				cotangents, out, 0, product, f.Stacks*columns)
			do(m, left, right, gram, product)
		}
	})
}

// flip writes the transpose (columns, rows) of v (rows, columns).
func flip[T Float](v []T, rows, columns int, to []T) {
	for i := range rows {
		for j, x := range v[i*columns : (i+1)*columns] {
			to[j*rows+i] = x
		}
	}
}

// sum returns Σ_{t,t′} gram[t,i,t′]·product[k,t,i,k′,t′] in float64.
func (p *pairing[T]) sum(gram, product []T, n, k, i, seed int) float64 {
	t, stacks := p.train.Positions, p.train.Stacks
	var sum float64
	for s := range t {
		sum += vector.Dot64(gram[(s*n+i)*t:][:t], product[(((k*t+s)*n+i)*stacks+seed)*t:][:t])
	}
	return sum
}

// pairedOuter is Outer of one layer with shared weights.
func (c *Contraction[T]) pairedOuter(layer int, f *Factor[T], sums [][]Sum, symmetric bool) {
	c.eachPair(layer, f, symmetric, func(p *pairing[T], uses []use, m, left, right int, gram, product []T) {
		for k := range c.stacks {
			for i := first(m, left, symmetric); i < right; i++ {
				for seed := range f.Stacks {
					v := p.sum(gram, product, right-left, k, i-left, seed)
					addOne(sums, uses, layer, m*c.stacks+k, i, seed, f.Stacks, v)
				}
			}
		}
	})
}

// pairedTrace is Trace of one layer with shared weights.
func (c *Contraction[T]) pairedTrace(layer int, f *Factor[T], sums [][]Sum, symmetric bool) {
	c.eachPair(layer, f, symmetric, func(p *pairing[T], uses []use, m, left, right int, gram, product []T) {
		for i := first(m, left, symmetric); i < right; i++ {
			var v float64
			for k := range c.stacks {
				v += p.sum(gram, product, right-left, k, i-left, k)
			}
			addOne(sums, uses, layer, m, i, 0, 1, v)
		}
	})
}

// pairedDiagonal is Diagonal of one layer with shared weights.
func (c *Contraction[T]) pairedDiagonal(layer int, f *Factor[T], sums [][]Sum, symmetric bool) {
	c.eachPair(layer, f, symmetric, func(p *pairing[T], uses []use, m, left, right int, gram, product []T) {
		for k := range c.stacks {
			for i := first(m, left, symmetric); i < right; i++ {
				addOne(sums, uses, layer, m*c.stacks+k, i, 0, 1, p.sum(gram, product, right-left, k, i-left, k))
			}
		}
	})
}

// first returns the first sample from left on that counts beside query m: where the two
// sides are the same, only those from m on.
func first(m, left int, symmetric bool) int {
	if symmetric {
		return max(m, left)
	}
	return left
}

// eachPair walks over all pairs for each node that an integral counts, where the two
// sides are the same over half of them.
func (c *Contraction[T]) eachPair(layer int, f *Factor[T], symmetric bool, do func(p *pairing[T], uses []use, m, left, right int, gram, product []T)) {
	p := c.newPairing(f)
	for j := range c.nodes {
		var uses []use
		for i, w := range c.weights {
			if w[j] != 0 {
				uses = append(uses, use{i, w[j]})
			}
		}
		if len(uses) == 0 {
			continue
		}
		p.each(&c.nodes[j][layer], symmetric, func(m, left, right int, gram, product []T) { do(p, uses, m, left, right, gram, product) })
	}
}

// addOne adds a product to row r, sample i and seed of the sums.
func addOne(sums [][]Sum, uses []use, layer, r, i, seed, seeds int, v float64) {
	for _, u := range uses {
		for s := range sums[u.integral] {
			sum := &sums[u.integral][s]
			weight := u.weight * sum.Scale
			if sum.Columns != nil {
				weight *= sum.Columns[i*seeds+seed]
			}
			sum.of(layer)[(r*sum.Width+sum.Offset+i)*seeds+seed] += weight * v
		}
	}
}
