package graphs

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"pkm/internal/compute"
)

// dryBytes compiles the graph of a Jacobian, or of a gradient, without memory, and
// returns what it would take.
func dryBytes[T Float](n *Network, rows int, train bool) (int, error) {
	b := newBuilder[T](n, compute.Engine{}, rows)
	b.dry, b.unit, b.train = true, !train, train
	e, f, err := b.begin(n, nil, nil)
	if err != nil {
		return 0, err
	}
	c := n.Outputs()
	var seeds *G.Node
	if train {
		o := &operation[T]{name: "loss/derivative"}
		seeds, err = apply(o, tensor.Shape{rows, c}, f, b.input("y", nil, rows, c))
		if err != nil {
			return 0, err
		}
		b.watch("loss derivative", seeds)
	} else {
		seeds = b.input("seeds", nil, rows*c, c)
	}
	if _, err := e.backpropagate(b, f, seeds); err != nil {
		return 0, err
	}
	b.keep(f)
	if err := e.compile(b); err != nil {
		return 0, err
	}
	return e.Bytes(), nil
}

// Products is the shape of a layer's matrix products, for one sample.
type Products struct {
	Layer     string // position of the layer
	In, Out   int    // d_in, d_out at one position
	Positions int    // T
	Weights   int    // d_in·d_out: 2·Weights·Positions FLOPs for a sample
}

// Products returns the matrix products of the layers that have any, in order.
func (n *Network) Products() []Products { return products(n.layers) }

func products(layers []placed) (all []Products) {
	for _, l := range layers {
		switch layer := l.Layer.(type) {
		case Dense:
			all = append(all, Products{l.path, l.in.Size(), l.out.Size(), 1, l.in.Size() * l.out.Size()})
		case Conv2D:
			d := l.in[0] * layer.Kernel * layer.Kernel
			all = append(all, Products{l.path, d, layer.Filters, l.out[1] * l.out[2], d * layer.Filters})
		case Residual:
			all = append(append(all, products(l.block)...), products(l.shortcut)...)
		}
	}
	return all
}
