package graphs

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// explicit adds the gradients (N·K, width) of a layer whose gradients are formed
// to the graph: write fills the gradient g of sample n, all parameters in order,
// for the cotangent δ of the layer's output. When the builder trains it also
// returns the sums over the samples, a node for each parameter.
func (b *builder[T]) explicit(layer placed, output, grad *G.Node, write func(n int, δ, g []T)) (sums G.Nodes, err error) {
	width := 0
	for _, p := range layer.parameters {
		width += p.Size()
	}
	out, stacks, rows := layer.out.Size(), b.stacks(grad), grad.Shape()[0]
	o := &operation[T]{name: layer.name("gradients")}
	o.run = func(v [][]T) {
		b.engine.Tiles(rows, sampleTile, func(lo, hi int) {
			for r := lo; r < hi; r++ {
				write(r/stacks, v[0][r*out:(r+1)*out], o.values[r*width:(r+1)*width])
			}
		})
	}
	// The output is an operand so that the forward pass comes first.
	formed, err := apply(o, tensor.Shape{rows, width}, grad, output)
	if err != nil {
		return nil, err
	}
	b.formed[output] = formed
	if !b.train {
		return make(G.Nodes, len(layer.parameters)), nil
	}
	offset := 0
	for _, p := range layer.parameters {
		node, err := sumGradients(b, p, layer, formed, offset, width)
		if err != nil {
			return nil, err
		}
		sums = append(sums, node)
		offset += p.Size()
	}
	return sums, nil
}

// sumGradients adds Σ_n of the columns of formed gradients that belong to p, summed
// in float64.
func sumGradients[T Float](b *builder[T], p Parameter, layer placed, formed *G.Node, offset, width int) (*G.Node, error) {
	o := &operation[T]{name: p.Name + "/sum"}
	sum, total := b.gradientOf(p), make([]float64, p.Size())
	o.run = func(v [][]T) {
		clear(total)
		for r := 0; r < len(v[0]); r += width {
			for j, g := range v[0][r+offset : r+offset+len(total)] {
				total[j] += float64(g)
			}
		}
		for j, t := range total {
			o.values[j] = T(t)
		}
		copy(sum, o.values)
	}
	return apply(o, tensor.Shape(p.Shape).Clone(), formed)
}

// explicitSite makes a layer whose pullback calls explicit a site.
func (b *builder[T]) explicitSite(layer placed, input, output *G.Node, weights []*G.Node) {
	b.sites = append(b.sites, site[T]{layer: layer, input: input, output: output, weights: weights, factor: func(f *Factor[T], _ *G.Node) {
		formed := b.formed[output]
		f.InWidth, f.OutWidth, f.Input, f.FixedInput = 0, formed.Shape()[1], nil, false
		f.Cotangent = b.values(formed)
	}})
}
