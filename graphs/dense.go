package graphs

import (
	"fmt"

	gblas "gonum.org/v1/gonum/blas"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"pkm/internal/blas"
)

// Dense is the layer z = a·Wᵀ + b with W of shape (Out, d_in) and b of shape
// (Out), as torch.nn.Linear.
type Dense struct {
	Out  int
	Bias bool
}

// Rows of a product that one goroutine computes at a time. The cut is part of
// the result's rounding, so it depends on nothing but the shapes.
const rowTile = 128

func (d Dense) resolve(in Shape) (Shape, []Parameter, error) {
	if d.Out < 1 {
		return nil, nil, fmt.Errorf("a dense layer has at least 1 output, found %d", d.Out)
	}
	if len(in) != 1 {
		return nil, nil, fmt.Errorf("a dense layer takes vectors; flatten the input first")
	}
	parameters := []Parameter{{Name: "weight", Shape: []int{d.Out, in[0]}, Drawn: true, FanIn: in[0], FanOut: d.Out}}
	if d.Bias {
		parameters = append(parameters, Parameter{Name: "bias", Shape: []int{d.Out}})
	}
	return Shape{d.Out}, parameters, nil
}

// applyDense adds z = a·Wᵀ + b to the graph.
func applyDense[T Float](b *builder[T], layer placed, a *G.Node) (*G.Node, error) {
	in, out, rows := layer.in.Size(), layer.out.Size(), b.rows
	operands := append([]*G.Node{a}, b.parameters(layer)...)
	wrt := []bool{!b.isLeaf(a)} // the data need no cotangent
	for range layer.parameters {
		wrt = append(wrt, b.train)
	}
	o := &operation[T]{name: layer.name("dense"), wrt: wrt}
	o.run = func(v [][]T) {
		b.engine.Tiles(rows, rowTile, func(lo, hi int) {
			z, beta := o.values[lo*out:hi*out], T(0)
			if len(v) == 3 {
				beta = 1
				for r := 0; r < len(z); r += out {
					copy(z[r:r+out], v[2])
				}
			}
			blas.Gemm(b.engine, gblas.NoTrans, gblas.Trans, hi-lo, out, in, 1, v[0][lo*in:hi*in], in, v[1], in, beta, z, out)
		})
	}
	o.pull = func(operands G.Nodes, _, grad *G.Node) (G.Nodes, error) {
		pulled := make(G.Nodes, len(operands))
		var err error
		if wrt[0] {
			if pulled[0], err = pullDenseInput(b, layer, operands[1], grad); err != nil {
				return nil, err
			}
		}
		if b.train {
			if pulled[1], err = pullDenseWeight(b, layer, operands[0], grad); err != nil {
				return nil, err
			}
			if len(operands) == 3 {
				if pulled[2], err = pullDenseBias(b, layer, grad); err != nil {
					return nil, err
				}
			}
		}
		return pulled, nil
	}
	z, err := apply(o, tensor.Shape{rows, out}, operands...)
	if err != nil {
		return nil, err
	}
	b.sites = append(b.sites, site[T]{layer: layer, input: a, output: z, weights: operands[1:], factor: func(f *Factor[T], δ *G.Node) {
		f.Unit = b.unit && δ == b.seeds
		if len(layer.parameters) > 1 {
			f.Bias = layer.parameters[1].Offset
		}
		if rows, ok := b.scaled[δ]; ok {
			f.Shared, f.Scale = b.values(rows[0]), b.values(rows[1])
		}
	}})
	return z, nil
}

// pullDenseInput adds δa = δz·W, (N·K, d_in), to the graph. Unit seeds pull back
// to the rows of W, the same for every sample.
func pullDenseInput[T Float](b *builder[T], layer placed, weight, grad *G.Node) (*G.Node, error) {
	in, out, rows := layer.in.Size(), layer.out.Size(), grad.Shape()[0]
	o := &operation[T]{name: layer.name("dense/input")}
	if b.unit && grad == b.seeds {
		o.run = func(v [][]T) {
			b.engine.Tiles(b.rows, rowTile, func(lo, hi int) {
				for n := lo; n < hi; n++ {
					copy(o.values[n*out*in:(n+1)*out*in], v[0])
				}
			})
		}
		node, err := apply(o, tensor.Shape{rows, in}, weight)
		if err == nil {
			b.repeated[node] = weight
		}
		return node, err
	}
	multiply := func(v [][]T, lo, hi int, to []T) {
		blas.Gemm(b.engine, gblas.NoTrans, gblas.NoTrans, hi-lo, in, out, 1, v[0][lo*out:hi*out], out, v[1], in, 0, to[lo*in:hi*in], in)
	}
	o.run = func(v [][]T) {
		b.engine.Tiles(rows, rowTile, func(lo, hi int) { multiply(v, lo, hi, o.values) })
	}
	node, err := apply(o, tensor.Shape{rows, in}, grad, weight)
	if err == nil {
		b.pulled[node] = pulled[T]{operands: [2]*G.Node{grad, weight}, multiply: multiply}
	}
	return node, err
}

// pullDenseWeight adds Σ_n δz[n]⊗a[n], (d_out, d_in), to the graph.
func pullDenseWeight[T Float](b *builder[T], layer placed, a, grad *G.Node) (*G.Node, error) {
	in, out, rows := layer.in.Size(), layer.out.Size(), b.rows
	const tile = 32
	o := &operation[T]{name: layer.name("dense/weight")}
	sum := b.gradientOf(layer.parameters[0])
	o.run = func(v [][]T) {
		b.engine.Tiles(out, tile, func(lo, hi int) {
			blas.Gemm(b.engine, gblas.Trans, gblas.NoTrans, hi-lo, in, rows, 1, v[0][lo:], out, v[1], in, 0, o.values[lo*in:hi*in], in)
		})
		copy(sum, o.values)
	}
	return apply(o, tensor.Shape{out, in}, grad, a)
}

// pullDenseBias adds Σ_n δz[n], (d_out), to the graph, summed in float64.
func pullDenseBias[T Float](b *builder[T], layer placed, grad *G.Node) (*G.Node, error) {
	out := layer.out.Size()
	sum := b.gradientOf(layer.parameters[1])
	total := make([]float64, out)
	o := &operation[T]{name: layer.name("dense/bias")}
	o.run = func(v [][]T) {
		clear(total)
		for r := 0; r < len(v[0]); r += out {
			for j, δ := range v[0][r : r+out] {
				total[j] += float64(δ)
			}
		}
		for j, t := range total {
			o.values[j] = T(t)
		}
		copy(sum, o.values)
	}
	return apply(o, tensor.Shape{out}, grad)
}
