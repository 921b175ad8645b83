package graphs

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"pkm/internal/vector"
)

// Residual is y = block(x) + shortcut(x) (He et al. 2015, eq. 1 and 2), with x
// itself where there is no shortcut. The parameters of its layers are named
// block.0.weight, shortcut.0.weight and so on, after its own position.
type Residual struct {
	Layers   []Layer // the block, at least one
	Shortcut []Layer // such as a convolution of 1×1 where the block changes the shape
}

func (r Residual) resolve(in Shape) (Shape, []Parameter, error) {
	if len(r.Layers) == 0 {
		return nil, nil, fmt.Errorf("a residual connection has at least 1 layer in its block")
	}
	return in, nil, nil // its shape is known when its layers are placed
}

// placeResidual places the layers of r and returns the shape of their sum.
func (n *Network) placeResidual(p *placed, r Residual) (out Shape, err error) {
	if p.block, out, err = n.place(p.name("block."), p.in, r.Layers); err != nil {
		return nil, err
	}
	var shortcut Shape
	if p.shortcut, shortcut, err = n.place(p.name("shortcut."), p.in, r.Shortcut); err != nil {
		return nil, err
	}
	if !slices.Equal(out, shortcut) {
		cause := fmt.Errorf("the block gives shape %v and the shortcut %v, which cannot be added; give the residual connection a shortcut that changes the shape too", out, shortcut)
		return nil, fmt.Errorf("graphs: layer %s: %w", p.path, cause)
	}
	return out, nil
}

// applyResidual adds block(x) + shortcut(x) to the graph.
func applyResidual[T Float](b *builder[T], layer placed, x *G.Node) (*G.Node, error) {
	left, err := b.sequence(layer.block, x)
	if err != nil {
		return nil, err
	}
	right, err := b.sequence(layer.shortcut, x)
	if err != nil {
		return nil, err
	}
	o := &operation[T]{name: layer.name("sum"), wrt: []bool{!b.isLeaf(left), !b.isLeaf(right)}}
	o.run = func(v [][]T) { addInto(b, o.values, v) }
	o.pull = func(_ G.Nodes, _, grad *G.Node) (G.Nodes, error) {
		pulled := make(G.Nodes, 2)
		for i, needed := range o.wrt {
			if needed {
				pulled[i] = grad
			}
		}
		return pulled, nil
	}
	return apply(o, tensor.Shape{b.rows, layer.out.Size()}, left, right)
}

// addInto writes v₀ + v₁.
func addInto[T Float](b *builder[T], to []T, v [][]T) {
	b.engine.Tiles(len(to), elementTile, func(lo, hi int) {
		copy(to[lo:hi], v[0][lo:hi])
		vector.Add(to[lo:hi], v[1][lo:hi])
	})
}
