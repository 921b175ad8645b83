package pathkernel

import (
	gblas "gonum.org/v1/gonum/blas"

	"pkm/internal/blas"
)

// sampleTile is how many samples one goroutine forms the gradients of at a time.
const sampleTile = 4

// formedTerms returns the terms of a layer with shared weights as those of formed
// gradients G·Uᵀ (M, K, d_out·d_in and biases). Gradients are what is summed, so
// they are averaged over the nodes: one product for each distinct vector of weights.
func (c *Contraction[T]) formedTerms(layer int) []term[T] {
	if terms, ok := c.formed[layer]; ok {
		return terms
	}
	explicit := make([][]Factor[T], len(c.nodes))
	for j, node := range c.nodes {
		f := &node[layer]
		explicit[j] = make([]Factor[T], layer+1)
		size := f.gradientWidth()
		explicit[j][layer] = Factor[T]{Rows: f.Rows, Stacks: f.Stacks, Positions: 1, OutWidth: size, Bias: -1}
		if !c.counts(j) {
			continue
		}
		g := nth(&c.means, c.averages, f.Rows*f.Stacks*size)
		c.averages++
		c.form(f, 0, f.Rows, g)
		explicit[j][layer].Cotangent = g
	}
	terms := c.termsOf(layer, explicit, c.weights)
	c.formed[layer] = terms
	return terms
}

// counts reports whether any integral counts node j.
func (c *Contraction[T]) counts(j int) bool {
	for _, w := range c.weights {
		if w[j] != 0 {
			return true
		}
	}
	return false
}

// eachChunk forms the gradients (count, K′, size) of a layer's training samples, as
// many at a time as fit, and hands them to f.
func (c *Contraction[T]) eachChunk(f *Factor[T], do func(first, count int, gradients []T)) {
	size := f.Stacks * f.gradientWidth()
	most := max(1, c.formedElements/size)
	for first := 0; first < f.Rows; first += most {
		count := min(most, f.Rows-first)
		if len(c.chunk) < count*size {
			c.chunk = aligned[T](count * size)
		}
		c.form(f, first, count, c.chunk)
		do(first, count, c.chunk[:count*size])
	}
}

// form writes the gradients Σ_t δ[n,k,·,t]⊗U_n[·,t] and Σ_t δ[n,k,·,t] of count samples
// from first on. 2·count·K·d_out·d_in·T FLOPs.
func (c *Contraction[T]) form(f *Factor[T], first, count int, to []T) {
	d, positions, out := f.InWidth, f.Positions, f.OutWidth
	size, cotangent := f.gradientWidth(), out*positions
	workers := c.engine.Workers(count, sampleTile)
	for w := range workers {
		nth(&c.workers, w, d*positions)
	}
	c.engine.TilesWorker(workers, count, sampleTile, func(worker, lo, hi int) {
		u := c.workers[worker][:d*positions]
		for n := lo; n < hi; n++ {
			f.Unfold(f.image(first+n), u)
			for k := range f.Stacks {
				δ, g := f.Cotangent[((first+n)*f.Stacks+k)*cotangent:][:cotangent], to[(n*f.Stacks+k)*size:][:size]
				blas.Gemm(c.engine, gblas.NoTrans, gblas.Trans, out, d, positions, 1, δ, positions, u, positions, 0, g, d)
				for j := range g[out*d:] {
					var sum T
					for _, v := range δ[j*positions : (j+1)*positions] {
						sum += v
					}
					g[out*d+j] = sum
				}
			}
		}
	})
}
