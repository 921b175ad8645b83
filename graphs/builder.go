package graphs

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"pkm/internal/compute"
)

// builder assembles one graph for a fixed number of rows.
type builder[T Float] struct {
	graph  *G.ExprGraph
	engine compute.Engine
	rows   int  // N
	unit   bool // seeds are the C unit vectors of every sample, not ℓ′
	train  bool // weight gradients are built

	weights  []T // (P): the memory of all weight leaves
	gradient []T // (P): the memory of all weight gradients, when train
	leaves   map[*G.Node][]T
	seeds    *G.Node
	sites    []site[T]
	watched  []watched[T]

	// Structure of unit seeds that later products exploit (see Factor).
	repeated map[*G.Node][]T           // cotangent is this (C, d) matrix for every sample
	pulled   map[*G.Node]pulled[T]     // cotangent is a product, not formed yet
	scaled   map[*G.Node]scaledRows[T] // cotangent is shared[c]⊙scale[n]
}

// pulled is the product δ·W that a cotangent is: multiply writes its rows lo to hi.
type pulled[T Float] struct {
	operands [2]*G.Node
	multiply func(operands [][]T, lo, hi int, to []T)
}

// scaledRows holds the two halves of the cotangent shared[c]⊙scale[n].
type scaledRows[T Float] struct{ shared, scale []T }

// site is a layer with weights at its place in the graph.
type site[T Float] struct {
	layer   placed
	input   *G.Node // a: (N, d_in)
	output  *G.Node // pre-activation: (N, d_out)
	weights []*G.Node
	// gradients writes the gradients of the layer's weights (K, N, P_layer) for
	// cotangents δ (K, N, d_out); nil for a layer whose gradient is δ⊗a.
	gradients func(input, δ []T, rows int, to []T)
}

// watched names memory that has to stay finite.
type watched[T Float] struct {
	name   string
	values []T
}

// leaf adds an input node that reads values.
func (b *builder[T]) leaf(name string, values []T, shape ...int) *G.Node {
	node := G.NewTensor(b.graph, dtypeOf[T](), len(shape), G.WithShape(shape...), G.WithName(name),
		G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))))
	b.leaves[node] = values
	return node
}

// values returns the memory behind a node of this builder.
func (b *builder[T]) values(n *G.Node) []T {
	if v, ok := b.leaves[n]; ok {
		return v
	}
	return n.Op().(*operation[T]).values
}

// watch has the values behind a node checked by NonFinite under a name.
func (b *builder[T]) watch(name string, n *G.Node) {
	b.watched = append(b.watched, watched[T]{name, b.values(n)})
}

// stacks returns K for a cotangent of K·N rows.
func (b *builder[T]) stacks(grad *G.Node) int { return grad.Shape()[0] / b.rows }

// forward adds all layers of n to the graph and returns the output node.
func (b *builder[T]) forward(n *Network, x *G.Node) (*G.Node, error) {
	for _, layer := range n.layers {
		var err error
		switch l := layer.Layer.(type) {
		case Dense:
			x, err = applyDense(b, layer, x)
		case Conv2D:
			x, err = applyConv2D(b, layer, l, x)
		case MaxPool2D:
			x, err = applyMaxPool2D(b, layer, l.Size, x)
		case AvgPool2D:
			x, err = applyAvgPool2D(b, layer, l.Size, x)
		case Flatten:
			continue // samples are rows already
		case Activation:
			x, err = applyActivation(b, layer, l, x)
		default:
			err = fmt.Errorf("graphs: layer %d is of the unknown kind %T", layer.index, l)
		}
		if err != nil {
			return nil, err
		}
		b.watch(layer.name("output"), x)
	}
	return x, nil
}

// scratch returns how many goroutines n rows in tiles of samples occupy, with
// scratch of the given size for each.
func (b *builder[T]) scratch(list *[][]T, n, size int) int {
	workers := b.engine.Workers(n, sampleTile)
	for len(*list) < workers {
		*list = append(*list, make([]T, size))
	}
	return workers
}

// distinct reports two nodes of equal hash: Gorgonia would take them for one.
func (b *builder[T]) distinct() error {
	seen := make(map[uint32]*G.Node)
	for _, n := range b.graph.AllNodes() {
		if other, ok := seen[n.Hashcode()]; ok {
			return fmt.Errorf("graphs: nodes %v and %v have the same hash %x and would be merged", other, n, n.Hashcode())
		}
		seen[n.Hashcode()] = n
	}
	return nil
}
