package graphs

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Function is what a user's own layer computes, for one sample in float64. Its
// methods may be called from several goroutines at once and keep no state.
type Function interface {
	// Forward writes y = h(x; w).
	Forward(w, x, y []float64)
	// Pullback writes δx = (∂h/∂x)ᵀδy and δw = (∂h/∂w)ᵀδy at (x; w). Either slice
	// is nil where it is not asked for; both hold zeros before the call.
	Pullback(w, x, δy, δx, δw []float64)
}

// Custom is a layer of the user's own: anything that Function computes for one
// sample alone. Values are converted to float64 and back where the network is
// float32. Its gradients are formed, so a layer of many weights is better made
// of Dense and Conv2D.
type Custom struct {
	Name string // for messages
	// Out is the shape of the output; nil: that of the input.
	Out Shape
	// Parameters name and shape the weights, in the order in which w holds them.
	// Those that are Drawn need FanIn and FanOut; the others begin at Start.
	Parameters []Parameter
	Function   Function
}

func (c Custom) resolve(in Shape) (Shape, []Parameter, error) {
	out := c.Out
	if out == nil {
		out = in
	}
	if c.Function == nil {
		return nil, nil, fmt.Errorf("the layer %q has no Function", c.Name)
	}
	if len(out) == 0 || slices.Min(out) < 1 {
		return nil, nil, fmt.Errorf("the layer %q gives shape %v: every dimension must be at least 1", c.Name, out)
	}
	names := make(map[string]bool)
	for _, p := range c.Parameters {
		switch {
		case p.Name == "":
			return nil, nil, fmt.Errorf("the layer %q has a parameter without a name", c.Name)
		case names[p.Name]:
			return nil, nil, fmt.Errorf("the layer %q has two parameters named %q", c.Name, p.Name)
		case len(p.Shape) == 0 || slices.Min(p.Shape) < 1:
			return nil, nil, fmt.Errorf("parameter %q of the layer %q has shape %v: every dimension must be at least 1", p.Name, c.Name, p.Shape)
		case p.Drawn && (p.FanIn < 1 || p.FanOut < 1):
			return nil, nil, fmt.Errorf("parameter %q of the layer %q is drawn and needs a fan-in and a fan-out of at least 1, found %d and %d", p.Name, c.Name, p.FanIn, p.FanOut)
		}
		names[p.Name] = true
	}
	return slices.Clone(out), slices.Clone(c.Parameters), nil
}

// applyCustom adds h(x; w) (N, out) to the graph.
func applyCustom[T Float](b *builder[T], layer placed, c Custom, x *G.Node) (*G.Node, error) {
	in, out, size := layer.in.Size(), layer.out.Size(), 0
	for _, p := range layer.parameters {
		size += p.Size()
	}
	var w []T
	if size > 0 && !b.dry {
		w = b.weights[layer.parameters[0].Offset:][:size]
	}
	operands, wrt := append([]*G.Node{x}, b.parameters(layer)...), []bool{!b.isLeaf(x)}
	for range layer.parameters {
		wrt = append(wrt, b.train)
	}
	o := &operation[T]{name: layer.name("custom"), wrt: wrt}
	o.run = func(v [][]T) {
		b.engine.Tiles(b.rows, sampleTile, func(lo, hi int) {
			w, x, y := wide(w), make([]float64, in), make([]float64, out)
			for n := lo; n < hi; n++ {
				convert(x, v[0][n*in:])
				clear(y)
				c.Function.Forward(w, x, y)
				convert(o.values[n*out:][:out], y)
			}
		})
	}
	o.pull = func(operands G.Nodes, output, grad *G.Node) (G.Nodes, error) {
		pulled := make(G.Nodes, 1, len(operands))
		values := func() []T { return b.values(operands[0]) }
		var err error
		if wrt[0] {
			p, stacks := &operation[T]{name: layer.name("custom/input")}, b.stacks(grad)
			p.run = func(v [][]T) {
				b.engine.Tiles(b.rows*stacks, sampleTile, func(lo, hi int) {
					w, x, δy, δx := wide(w), make([]float64, in), make([]float64, out), make([]float64, in)
					for r := lo; r < hi; r++ {
						convert(x, v[1][r/stacks*in:])
						convert(δy, v[0][r*out:])
						clear(δx)
						c.Function.Pullback(w, x, δy, δx, nil)
						convert(p.values[r*in:][:in], δx)
					}
				})
			}
			if pulled[0], err = apply(p, tensor.Shape{b.rows * stacks, in}, grad, operands[0]); err != nil {
				return nil, err
			}
		}
		if size == 0 {
			return pulled, nil
		}
		sums, err := b.explicit(layer, output, grad, func(n int, δ, g []T) {
			x, δw := make([]float64, in), make([]float64, size)
			convert(x, values()[n*in:])
			c.Function.Pullback(wide(w), x, wide(δ), nil, δw)
			convert(g, δw)
		})
		return append(pulled, sums...), err
	}
	y, err := apply(o, tensor.Shape{b.rows, out}, operands...)
	if err == nil && size > 0 {
		b.explicitSite(layer, x, y, operands[1:])
	}
	return y, err
}

// wide returns the values in float64.
func wide[T Float](values []T) []float64 {
	out := make([]float64, len(values))
	convert(out, values)
	return out
}

// convert copies values from one precision to the other, as many as to takes.
func convert[A, B Float](to []A, from []B) {
	for i := range to {
		to[i] = A(from[i])
	}
}
