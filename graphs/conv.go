package graphs

import (
	"fmt"

	gblas "gonum.org/v1/gonum/blas"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"pkm/internal/blas"
	"pkm/internal/vector"
)

// Conv2D is the two-dimensional cross-correlation of torch.nn.Conv2d with square
// kernels: weight (Filters, C, Kernel, Kernel), bias (Filters), samples (C, H, W).
type Conv2D struct {
	Filters int
	Kernel  int
	Stride  int // ≥ 1
	Padding int // zeros around the image, ≥ 0
	Bias    bool
}

func (c Conv2D) resolve(in Shape) (Shape, []Parameter, error) {
	if c.Filters < 1 || c.Kernel < 1 || c.Stride < 1 || c.Padding < 0 {
		return nil, nil, fmt.Errorf("a convolution has at least 1 filter, a kernel and a stride of at least 1 and a padding of at least 0, found %+v", c)
	}
	if len(in) != 3 {
		return nil, nil, fmt.Errorf("a convolution takes images of shape (channels, height, width)")
	}
	if c.Padding >= c.Kernel {
		return nil, nil, fmt.Errorf("a padding of %d lets kernels of %d×%d see nothing but zeros; it has to be smaller", c.Padding, c.Kernel, c.Kernel)
	}
	h, w := in[1]+2*c.Padding-c.Kernel, in[2]+2*c.Padding-c.Kernel
	if h < 0 || w < 0 {
		return nil, nil, fmt.Errorf("a kernel of %d×%d does not fit into %d×%d pixels with a padding of %d", c.Kernel, c.Kernel, in[1], in[2], c.Padding)
	}
	area := c.Kernel * c.Kernel
	parameters := []Parameter{{Name: "weight", Shape: []int{c.Filters, in[0], c.Kernel, c.Kernel}, Drawn: true, FanIn: in[0] * area, FanOut: c.Filters * area}}
	if c.Bias {
		parameters = append(parameters, Parameter{Name: "bias", Shape: []int{c.Filters}})
	}
	return Shape{c.Filters, h/c.Stride + 1, w/c.Stride + 1}, parameters, nil
}

// patches is the geometry of a convolution: an image x (C, H, W) unfolds to
// U (d, T), with a row for each of the d = C·Kernel² weights of a filter and a column
// for each of the T output positions, so that the convolution is z = W·U.
type patches struct {
	Conv2D
	in, out Shape
}

func (p patches) weights() int   { return p.in[0] * p.Kernel * p.Kernel }
func (p patches) positions() int { return p.out[1] * p.out[2] }

// columns returns, for each kernel column j, the columns lo to hi of the output in which
// it meets a pixel and not the padding: 0 ≤ q·stride + j − padding < width.
func (p patches) columns() (lo, hi []int) {
	for j := range p.Kernel {
		from := min(p.out[2], max(0, (p.Padding-j+p.Stride-1)/p.Stride))
		to := min(p.out[2], (p.in[2]+p.Padding-j+p.Stride-1)/p.Stride)
		lo, hi = append(lo, from), append(hi, max(from, to))
	}
	return lo, hi
}

// each calls do for every row of U (d, T) and row of the output image: U[at+q] for
// q from lo to hi stems from pixel[from+q·stride] of the image, the others of the outWidth
// are padding.
func (p patches) each(do func(at, from, lo, hi int)) {
	height, width := p.in[1], p.in[2]
	first, last := p.columns()
	at := 0
	for c := range p.in[0] {
		for i := range p.Kernel {
			for j := range p.Kernel {
				for r := range p.out[1] {
					y := r*p.Stride + i - p.Padding
					if y < 0 || y >= height {
						do(at, 0, 0, 0)
					} else {
						do(at, (c*height+y)*width+j-p.Padding, first[j], last[j])
					}
					at += p.out[2]
				}
			}
		}
	}
}

// unfold writes U (d, T) of an image.
func unfold[T Float](p patches, x, u []T) {
	outWidth, positions := p.out[2], p.positions()
	if p.Stride == 1 && p.Padding == 0 { // rows of U are rows of the image, shifted
		width, at := p.in[2], 0
		for c := range p.in[0] {
			for i := range p.Kernel {
				for j := range p.Kernel {
					vector.CopyRows(u[at:], outWidth, x[(c*p.in[1]+i)*width+j:], width, outWidth, p.out[1])
					at += positions
				}
			}
		}
		return
	}
	p.each(func(at, from, lo, hi int) {
		to := u[at : at+outWidth]
		clear(to[:lo])
		clear(to[hi:])
		for q := lo; q < hi; q++ {
			to[q] = x[from+q*p.Stride]
		}
	})
}

// fold adds the columns of U (d, T) to the image they were taken from: the
// transpose of unfold.
func fold[T Float](p patches, u, x []T) {
	outWidth, positions := p.out[2], p.positions()
	if p.Stride == 1 && p.Padding == 0 {
		width, at := p.in[2], 0
		for c := range p.in[0] {
			for i := range p.Kernel {
				for j := range p.Kernel {
					vector.AddRows(x[(c*p.in[1]+i)*width+j:], width, u[at:], outWidth, outWidth, p.out[1])
					at += positions
				}
			}
		}
		return
	}
	p.each(func(at, from, lo, hi int) {
		for q := lo; q < hi; q++ {
			x[from+q*p.Stride] += u[at+q]
		}
	})
}

// sampleTile is how many samples one goroutine convolves at a time.
const sampleTile = 4

// applyConv2D adds z (N, Filters·T) to the graph.
func applyConv2D[T Float](b *builder[T], layer placed, c Conv2D, x *G.Node) (*G.Node, error) {
	p := patches{c, layer.in, layer.out}
	in, out, d, positions := layer.in.Size(), layer.out.Size(), p.weights(), p.positions()
	operands, wrt := append([]*G.Node{x}, b.parameters(layer)...), []bool{!b.isLeaf(x)}
	for range layer.parameters {
		wrt = append(wrt, b.train)
	}
	o := &operation[T]{name: layer.name("conv2d"), wrt: wrt}
	var scratch [][]T
	o.run = func(v [][]T) {
		workers := b.scratch(&scratch, b.rows, d*positions)
		b.engine.TilesWorker(workers, b.rows, sampleTile, func(worker, lo, hi int) {
			u := scratch[worker]
			for n := lo; n < hi; n++ {
				unfold(p, v[0][n*in:(n+1)*in], u)
				z, beta := o.values[n*out:(n+1)*out], T(0)
				if len(v) == 3 {
					beta = 1
					for f, bias := range v[2] {
						row := z[f*positions : (f+1)*positions]
						for i := range row {
							row[i] = bias
						}
					}
				}
				blas.Gemm(b.engine, gblas.NoTrans, gblas.NoTrans, c.Filters, positions, d, 1, v[1], d, u, positions, beta, z, positions)
			}
		})
	}
	o.pull = func(operands G.Nodes, _, grad *G.Node) (G.Nodes, error) {
		pulled := make(G.Nodes, len(operands))
		var err error
		if wrt[0] {
			if pulled[0], err = pullConvInput(b, layer, p, operands[1], grad); err != nil {
				return nil, err
			}
		}
		if b.train {
			if pulled[1], err = pullConvWeight(b, layer, p, operands[0], grad); err != nil {
				return nil, err
			}
			if len(operands) == 3 {
				if pulled[2], err = pullConvBias(b, layer, p, grad); err != nil {
					return nil, err
				}
			}
		}
		return pulled, nil
	}
	z, err := apply(o, tensor.Shape{b.rows, out}, operands...)
	if err != nil {
		return nil, err
	}
	b.sites = append(b.sites, site[T]{layer: layer, input: x, output: z, weights: operands[1:], factor: func(f *Factor[T], _ *G.Node) {
		f.Positions, f.InWidth, f.OutWidth = positions, d, p.Filters
		f.Unfold = func(image, u []T) { unfold(p, image, u) }
		if len(layer.parameters) > 1 {
			f.Bias = layer.parameters[1].Offset
		}
	}})
	return z, nil
}

// pullConvInput adds δx (N·K, C·H·W), the fold of Wᵀ·δz, to the graph.
func pullConvInput[T Float](b *builder[T], layer placed, p patches, weight, grad *G.Node) (*G.Node, error) {
	in, out, d, positions, rows := layer.in.Size(), layer.out.Size(), p.weights(), p.positions(), grad.Shape()[0]
	o := &operation[T]{name: layer.name("conv2d/input")}
	var scratch [][]T
	o.run = func(v [][]T) {
		workers := b.scratch(&scratch, rows, d*positions)
		b.engine.TilesWorker(workers, rows, sampleTile, func(worker, lo, hi int) {
			u := scratch[worker]
			for r := lo; r < hi; r++ {
				blas.Gemm(b.engine, gblas.Trans, gblas.NoTrans, d, positions, p.Filters, 1, v[1], d, v[0][r*out:(r+1)*out], positions, 0, u, positions)
				x := o.values[r*in : (r+1)*in]
				clear(x)
				fold(p, u, x)
			}
		})
	}
	return apply(o, tensor.Shape{rows, in}, grad, weight)
}

// pullConvWeight adds Σ_n δz[n]·U[n]ᵀ, (Filters, C, Kernel, Kernel), to the graph:
// a sum for each tile of samples, then over tiles in order.
func pullConvWeight[T Float](b *builder[T], layer placed, p patches, x, grad *G.Node) (*G.Node, error) {
	in, out, d, positions := layer.in.Size(), layer.out.Size(), p.weights(), p.positions()
	size := p.Filters * d
	tiles := (b.rows + sampleTile - 1) / sampleTile
	o := &operation[T]{name: layer.name("conv2d/weight")}
	sum := b.gradientOf(layer.parameters[0])
	var scratch [][]T
	var partial []T
	o.extra = tiles * size
	o.prepare = func() { partial = aligned[T](tiles * size) }
	o.run = func(v [][]T) {
		workers := b.scratch(&scratch, b.rows, d*positions)
		b.engine.TilesWorker(workers, b.rows, sampleTile, func(worker, lo, hi int) {
			u, to := scratch[worker], partial[lo/sampleTile*size:][:size]
			for n := lo; n < hi; n++ {
				unfold(p, v[1][n*in:(n+1)*in], u)
				blas.Gemm(b.engine, gblas.NoTrans, gblas.Trans, p.Filters, d, positions, 1, v[0][n*out:(n+1)*out], positions, u, positions, min(T(n-lo), 1), to, d)
			}
		})
		b.engine.Tiles(size, elementTile, func(lo, hi int) {
			clear(o.values[lo:hi])
			for t := range tiles {
				vector.Add(o.values[lo:hi], partial[t*size+lo:t*size+hi])
			}
		})
		copy(sum, o.values)
	}
	return apply(o, tensor.Shape(layer.parameters[0].Shape).Clone(), grad, x)
}

// pullConvBias adds Σ_n Σ_t δz[n,·,t], (Filters), to the graph: the positions are summed
// in the network's precision, by four, the samples in float64.
func pullConvBias[T Float](b *builder[T], layer placed, p patches, grad *G.Node) (*G.Node, error) {
	positions := p.positions()
	o := &operation[T]{name: layer.name("conv2d/bias")}
	sum := b.gradientOf(layer.parameters[1])
	o.run = func(v [][]T) {
		b.engine.Tiles(p.Filters, 1, func(f, _ int) {
			var total float64
			for at := f * positions; at < len(v[0]); at += p.Filters * positions {
				total += float64(sumOf(v[0][at : at+positions]))
			}
			o.values[f] = T(total)
		})
		copy(sum, o.values)
	}
	return apply(o, tensor.Shape{p.Filters}, grad)
}

// sumOf returns Σ v as four interleaved sums, added in order.
func sumOf[T Float](v []T) T {
	var s0, s1, s2, s3 T
	for ; len(v) >= 4; v = v[4:] {
		s0 += v[0]
		s1 += v[1]
		s2 += v[2]
		s3 += v[3]
	}
	for _, x := range v {
		s0 += x
	}
	return s0 + s1 + s2 + s3
}
