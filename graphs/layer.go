package graphs

import (
	"fmt"
	"slices"
	"strconv"
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

// Layer is one module of a sequential network: Dense, Conv2D, MaxPool2D,
// AvgPool2D, GlobalAvgPool, Flatten, Activation, LayerNorm, Scale, Residual, or a
// Custom one of the user's own.
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

// placed is a layer at its position in the network.
type placed struct {
	Layer
	path            string // of the layer: its index, after that of the blocks it is in
	in, out         Shape
	parameters      []Parameter // with full names and offsets
	block, shortcut []placed    // of a Residual
}

func (p placed) name(what string) string { return p.path + "." + what }

// New resolves a sequence of layers for samples of the given shape. Parameters
// are named by the position of their layer, as torch.nn.Sequential does.
func New(input Shape, layers ...Layer) (*Network, error) {
	if len(input) == 0 || slices.Min(input) < 1 {
		return nil, fmt.Errorf("graphs: build a network for inputs of shape %v: every dimension must be at least 1", input)
	}
	n := &Network{input: slices.Clone(input)}
	var err error
	if n.layers, n.output, err = n.place("", n.input, layers); err != nil {
		return nil, err
	}
	if len(n.layout) == 0 {
		return nil, fmt.Errorf("graphs: a network of %d layers without a parameter has nothing to train; add a Dense layer", len(layers))
	}
	if len(n.output) != 1 {
		return nil, fmt.Errorf("graphs: the last layer gives shape %v, a network's output is a vector", n.output)
	}
	return n, nil
}

// place resolves a sequence of layers and adds their parameters to the layout.
func (n *Network) place(prefix string, in Shape, layers []Layer) (all []placed, out Shape, err error) {
	for i, layer := range layers {
		p := placed{Layer: layer, path: prefix + strconv.Itoa(i), in: in}
		switch layer.(type) {
		case Dense, Conv2D, MaxPool2D, AvgPool2D, GlobalAvgPool, Flatten, Activation, LayerNorm, Scale, Residual, Custom:
		case nil:
			return nil, nil, fmt.Errorf("graphs: layer %s is nil", p.path)
		default:
			return nil, nil, fmt.Errorf("graphs: layer %s is a %T; layers are passed by value, and one of your own is a Custom", p.path, layer)
		}
		out, parameters, err := layer.resolve(in)
		if err != nil {
			return nil, nil, fmt.Errorf("graphs: layer %s (%T) on inputs of shape %v: %w", p.path, layer, in, err)
		}
		for _, q := range parameters {
			q.Name, q.Offset = p.name(q.Name), n.layout.Size()
			p.parameters = append(p.parameters, q)
			n.layout = append(n.layout, q)
		}
		if r, ok := layer.(Residual); ok {
			if out, err = n.placeResidual(&p, r); err != nil {
				return nil, nil, err
			}
		}
		p.out = out
		all, in = append(all, p), out
	}
	return all, in, nil
}

// Input returns the shape of one sample.
func (n *Network) Input() Shape { return slices.Clone(n.input) }

// Outputs returns C, the number of outputs.
func (n *Network) Outputs() int { return n.output[0] }

// Layout returns the named tensors of the flat weight vector.
func (n *Network) Layout() Layout { return slices.Clone(n.layout) }

// Parameters returns P, the number of weights.
func (n *Network) Parameters() int { return n.layout.Size() }
