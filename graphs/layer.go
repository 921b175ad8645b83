package graphs

import (
	"fmt"
	"slices"
)

// Shape is the shape of one sample's value, without the batch: (features) or
// (channels, height, width).
type Shape []int

// Size returns the number of elements of one sample's value.
func (s Shape) Size() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Layer is one module of a sequential network: Dense, Conv2D, MaxPool2D, AvgPool2D,
// Flatten or Activation.
type Layer interface {
	// resolve returns the shape of the layer's output and its parameters, named
	// without the layer's position and without offsets.
	resolve(in Shape) (out Shape, parameters []Parameter, err error)
}

// Network is a sequence of layers with resolved shapes and a parameter layout.
// It holds no weights: every evaluation is given them. Safe for concurrent use.
type Network struct {
	input  Shape
	layers []placed
	layout Layout
	output Shape
}

// placed is a layer at its position in the sequence.
type placed struct {
	Layer
	index      int
	in, out    Shape
	parameters []Parameter // with full names and offsets
}

func (p placed) name(what string) string { return fmt.Sprintf("%d.%s", p.index, what) }

// New resolves a sequence of layers for samples of the given shape. Parameters
// are named by the position of their layer, as torch.nn.Sequential does.
func New(input Shape, layers ...Layer) (*Network, error) {
	if len(input) == 0 || slices.Min(input) < 1 {
		return nil, fmt.Errorf("graphs: build a network for inputs of shape %v: every dimension must be at least 1", input)
	}
	n := &Network{input: slices.Clone(input)}
	shape, offset := n.input, 0
	for i, layer := range layers {
		if layer == nil {
			return nil, fmt.Errorf("graphs: layer %d is nil", i)
		}
		out, parameters, err := layer.resolve(shape)
		if err != nil {
			return nil, fmt.Errorf("graphs: layer %d (%T) on inputs of shape %v: %w", i, layer, shape, err)
		}
		p := placed{Layer: layer, index: i, in: shape, out: out}
		for _, q := range parameters {
			q.Name, q.Offset = p.name(q.Name), offset
			offset += q.Size()
			p.parameters = append(p.parameters, q)
		}
		n.layers = append(n.layers, p)
		n.layout = append(n.layout, p.parameters...)
		shape = out
	}
	if len(n.layout) == 0 {
		return nil, fmt.Errorf("graphs: a network of %d layers without a parameter has nothing to train; add a Dense layer", len(layers))
	}
	if len(shape) != 1 {
		return nil, fmt.Errorf("graphs: the last layer gives shape %v, a network's output is a vector", shape)
	}
	n.output = shape
	return n, nil
}

// Input returns the shape of one sample.
func (n *Network) Input() Shape { return slices.Clone(n.input) }

// Outputs returns C, the number of outputs.
func (n *Network) Outputs() int { return n.output[0] }

// Layout returns the named tensors of the flat weight vector.
func (n *Network) Layout() Layout { return slices.Clone(n.layout) }

// Parameters returns P, the number of weights.
func (n *Network) Parameters() int { return n.layout.Size() }

// Widths returns the number of values that one sample has in the network, the sum
// over the outputs of all layers.
func (n *Network) Widths() int {
	sum := 0
	for _, l := range n.layers {
		sum += l.out.Size()
	}
	return sum
}
