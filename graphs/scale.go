package graphs

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Scale is the layer y = Factor·x, with a fixed factor. Before a Dense or a Conv2D it makes
// the parameterisation of the neural tangent kernel, z = W·(a/√d_in) + b with weights of
// deviation 1 (Jacot et al., NeurIPS 2018; Lee et al., NeurIPS 2019): its Jacobian with respect to W carries
// the factor. Around a softplus it is softplus_β(z) = softplus(βz)/β.
type Scale struct{ Factor float64 }

func (s Scale) resolve(in Shape) (Shape, []Parameter, error) {
	if s.Factor == 0 || math.IsNaN(s.Factor) || math.IsInf(s.Factor, 0) {
		return nil, nil, fmt.Errorf("the factor of a scaling is a finite number other than 0, found %g", s.Factor)
	}
	return in, nil, nil
}

// applyScale adds y = c·x to the graph.
func applyScale[T Float](b *builder[T], layer placed, s Scale, x *G.Node) (*G.Node, error) {
	o := &operation[T]{name: layer.name("scale"), wrt: []bool{!b.isLeaf(x)}}
	o.run = func(v [][]T) { scaleInto(b, o.values, v[0], T(s.Factor)) }
	o.pull = func(_ G.Nodes, _, grad *G.Node) (G.Nodes, error) {
		if !o.wrt[0] {
			return G.Nodes{nil}, nil
		}
		p := &operation[T]{name: layer.name("scale/input")}
		p.run = func(v [][]T) { scaleInto(b, p.values, v[0], T(s.Factor)) }
		pulled, err := apply(p, grad.Shape().Clone(), grad)
		return G.Nodes{pulled}, err
	}
	y, err := apply(o, tensor.Shape{b.rows, layer.out.Size()}, x)
	if err == nil && (b.isLeaf(x) || b.fixed[x]) {
		b.fixed[y] = true
	}
	return y, err
}

// scaleInto writes c·x.
func scaleInto[T Float](b *builder[T], to, x []T, c T) {
	b.engine.Tiles(len(to), elementTile, func(lo, hi int) {
		for i, v := range x[lo:hi] {
			to[lo+i] = c * v
		}
	})
}
