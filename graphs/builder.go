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
	dry    bool // the graph is compiled to know its memory, and allocates none

	weights  []T // (P): the memory of all weight leaves
	gradient []T // (P): the memory of all weight gradients, when train
	leaves   map[*G.Node][]T
	fixed    map[*G.Node]bool // scaled data, which do not change with the weights
	seeds    *G.Node
	sites    []site[T]
	watched  []watchedNode
	kept     []*G.Node // nodes whose values are read after a run
	data     int       // elements of the leaves that are not weights
	sums     map[*G.Node]*operation[T]
	formed   map[*G.Node]*G.Node // the gradients of an explicit site, by its output

	// Structure of cotangents that later products exploit (see Factor).
	repeated map[*G.Node]*G.Node    // the cotangent is the rows of this (C, d) node for every sample
	pulled   map[*G.Node]pulled[T]  // the cotangent is a product, which its reader may form itself
	scaled   map[*G.Node][2]*G.Node // the cotangent is the first's rows ⊙ the second's
}

// pulled is the product δ·W that a cotangent is: multiply writes its rows lo to hi.
type pulled[T Float] struct {
	operands [2]*G.Node
	multiply func(operands [][]T, lo, hi int, to []T)
}

// site is a layer with weights at its place in the graph.
type site[T Float] struct {
	layer   placed
	input   *G.Node // (N, in)
	output  *G.Node // (N, out): its cotangent is what the gradients are made of
	weights []*G.Node
	// factor completes the factor of the layer for the cotangent node δ, after
	// memory has been allocated.
	factor func(f *Factor[T], δ *G.Node)
}

// watchedNode names a node whose values have to stay finite.
type watchedNode struct {
	name string
	node *G.Node
}

// input adds an input node that reads data.
func (b *builder[T]) input(name string, values []T, shape ...int) *G.Node {
	b.data += tensor.Shape(shape).TotalSize()
	return b.leaf(name, values, shape...)
}

// leaf adds an input node that reads values.
func (b *builder[T]) leaf(name string, values []T, shape ...int) *G.Node {
	options := []G.NodeConsOpt{G.WithShape(shape...), G.WithName(name)}
	if !b.dry {
		options = append(options, G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))))
	}
	node := G.NewTensor(b.graph, dtypeOf[T](), len(shape), options...)
	b.leaves[node] = values
	return node
}

// isLeaf reports whether a node reads data or weights.
func (b *builder[T]) isLeaf(n *G.Node) bool {
	_, ok := b.leaves[n]
	return ok
}

// values returns the memory behind a node, once it has been allocated.
func (b *builder[T]) values(n *G.Node) []T {
	if v, ok := b.leaves[n]; ok {
		return v
	}
	if sum, ok := b.sums[n]; ok {
		return sum.values
	}
	return n.Op().(*operation[T]).values
}

// keep has the values behind a node stay valid until the next run.
func (b *builder[T]) keep(nodes ...*G.Node) { b.kept = append(b.kept, nodes...) }

// watch keeps a node and has its values checked by NonFinite under a name.
func (b *builder[T]) watch(name string, n *G.Node) {
	b.keep(n)
	b.watched = append(b.watched, watchedNode{name, n})
}

// stacks returns K for a cotangent of N·K rows.
func (b *builder[T]) stacks(grad *G.Node) int { return grad.Shape()[0] / b.rows }

// sequence adds layers to the graph and returns the output node.
func (b *builder[T]) sequence(layers []placed, x *G.Node) (*G.Node, error) {
	for _, layer := range layers {
		var err error
		switch l := layer.Layer.(type) {
		case Dense:
			x, err = applyDense(b, layer, x)
		case Conv2D:
			x, err = applyConv2D(b, layer, l, x)
		case MaxPool2D:
			x, err = applyMaxPool2D(b, layer, l.Size, x)
		case AvgPool2D:
			x, err = applyAvgPool2D(b, layer, l.Size, l.Size, x)
		case GlobalAvgPool:
			x, err = applyAvgPool2D(b, layer, layer.in[1], layer.in[2], x)
		case Flatten:
			continue // samples are rows already
		case Activation:
			x, err = applyActivation(b, layer, l, x)
		case LayerNorm:
			x, err = applyLayerNorm(b, layer, l, x)
		case Scale:
			x, err = applyScale(b, layer, l, x)
		case Residual:
			x, err = applyResidual(b, layer, x)
		case Custom:
			x, err = applyCustom(b, layer, l, x)
		default:
			err = fmt.Errorf("graphs: layer %s is of the unknown kind %T", layer.path, l)
		}
		if err != nil {
			return nil, err
		}
		b.watch(layer.name("output"), x)
	}
	return x, nil
}

// parameters adds the leaves of a layer's weights.
func (b *builder[T]) parameters(layer placed) (leaves []*G.Node) {
	for _, p := range layer.parameters {
		var values []T
		if !b.dry {
			values = View(b.weights, p)
		}
		leaves = append(leaves, b.leaf(p.Name, values, p.Shape...))
	}
	return leaves
}

// gradientOf returns the memory of a parameter's gradient, when there is any.
func (b *builder[T]) gradientOf(p Parameter) []T {
	if b.dry {
		return nil
	}
	return View(b.gradient, p)
}

// scratch returns how many goroutines n rows in tiles of samples occupy, with
// scratch of the given size for each.
func (b *builder[T]) scratch(list *[][]T, n, size int) int {
	workers := b.engine.Workers(n, sampleTile)
	for len(*list) < workers {
		*list = append(*list, aligned[T](size))
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
