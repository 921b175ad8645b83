package graphs

import (
	"fmt"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"pkm/internal/vector"
)

// Activation is the layer h = φ(z), element by element.
type Activation struct{ Kind ActivationKind }

// ActivationKind names an activation function, with the definitions of
// torch.nn: gelu is z·Φ(z) with the exact normal distribution function.
type ActivationKind string

// The activation functions.
const (
	Tanh     ActivationKind = "tanh"
	ReLU     ActivationKind = "relu"
	Sigmoid  ActivationKind = "sigmoid"
	Softplus ActivationKind = "softplus"
	GELU     ActivationKind = "gelu"
	SiLU     ActivationKind = "silu"
	Identity ActivationKind = "identity"
)

// ActivationKinds returns all activation functions.
func ActivationKinds() []ActivationKind {
	return []ActivationKind{Tanh, ReLU, Sigmoid, Softplus, GELU, SiLU, Identity}
}

// Smooth reports whether the function has derivatives of every order: quadrature
// rules reach their order only then.
func (k ActivationKind) Smooth() bool { return k != ReLU }

// Elements that one goroutine computes at a time.
const elementTile = 4096

func (a Activation) resolve(in Shape) (Shape, []Parameter, error) {
	if !slices.Contains(ActivationKinds(), a.Kind) {
		return nil, nil, fmt.Errorf("no activation is named %q; there are %s", a.Kind, join(ActivationKinds()))
	}
	return in, nil, nil
}

func join(kinds []ActivationKind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// forward returns the function that sets h[i] = φ(z[i]).
func forward[T Float](k ActivationKind) func(h, z []T) {
	switch k {
	case Tanh:
		return vector.Tanh[T]
	case ReLU:
		return vector.ReLU[T]
	case Sigmoid:
		return vector.Sigmoid[T]
	case Softplus:
		return vector.Softplus[T]
	case GELU:
		return vector.GELU[T]
	case SiLU:
		return vector.SiLU[T]
	default:
		return func(h, z []T) { copy(h, z) }
	}
}

// slopes returns the function that sets s[i] = φ′(z[i]), given h[i] = φ(z[i]). At
// the kink of relu it is 0, as in PyTorch.
func slopes[T Float](k ActivationKind) func(s, z, h []T) {
	ofInput := func(slope func(s, z []T)) func(s, z, h []T) {
		return func(s, z, _ []T) { slope(s, z) }
	}
	switch k {
	case Tanh:
		return func(s, _, h []T) { vector.TanhSlope(s, h) }
	case ReLU:
		return ofInput(vector.ReLUSlope[T])
	case Sigmoid:
		return func(s, _, h []T) { vector.SigmoidSlope(s, h) }
	case Softplus:
		return ofInput(vector.Sigmoid[T])
	case GELU:
		return ofInput(vector.GELUSlope[T])
	case SiLU:
		return ofInput(vector.SiLUSlope[T])
	default:
		return func(s, _, _ []T) {
			for i := range s {
				s[i] = 1
			}
		}
	}
}

// applyActivation adds h = φ(z) to the graph.
func applyActivation[T Float](b *builder[T], layer placed, a Activation, z *G.Node) (*G.Node, error) {
	kind, φ := a.Kind, forward[T](a.Kind)
	o := &operation[T]{name: layer.name(string(kind)), wrt: []bool{!b.isLeaf(z)}}
	o.run = func(v [][]T) {
		b.engine.Tiles(len(o.values), elementTile, func(lo, hi int) {
			φ(o.values[lo:hi], v[0][lo:hi])
		})
	}
	o.pull = func(operands G.Nodes, output, grad *G.Node) (G.Nodes, error) {
		if !o.wrt[0] {
			return G.Nodes{nil}, nil
		}
		pulled, err := pullActivation(b, layer, kind, operands[0], output, grad)
		return G.Nodes{pulled}, err
	}
	return apply(o, tensor.Shape{b.rows, layer.out.Size()}, z)
}

// pullActivation adds δz[n,k] = δh[n,k]⊙φ′(z[n]) to the graph. The slopes are a
// node of their own, computed once for all stacked cotangents. Where δh is a product
// or repeats the rows of a matrix, it is formed here, while it is hot.
func pullActivation[T Float](b *builder[T], layer placed, kind ActivationKind, z, h, grad *G.Node) (*G.Node, error) {
	s := &operation[T]{name: layer.name(string(kind) + "/slope")}
	derivative := slopes[T](kind)
	s.run = func(v [][]T) {
		b.engine.Tiles(len(s.values), elementTile, func(lo, hi int) {
			derivative(s.values[lo:hi], v[0][lo:hi], v[1][lo:hi])
		})
	}
	slope, err := apply(s, h.Shape().Clone(), z, h)
	if err != nil {
		return nil, err
	}
	b.watch(layer.name("slope"), slope)
	width, stacks := layer.out.Size(), b.stacks(grad)
	o := &operation[T]{name: layer.name(string(kind) + "/input")}
	scale := func(δ func(r int) []T, slopes []T, lo, hi int) {
		for r := lo; r < hi; r++ {
			n := r / stacks
			vector.Mul(o.values[r*width:(r+1)*width], δ(r), slopes[n*width:(n+1)*width])
		}
	}
	shape := grad.Shape().Clone()
	if weight, repeated := b.repeated[grad]; repeated {
		o.run = func(v [][]T) {
			δ := func(r int) []T { return v[0][r%stacks*width:][:width] }
			b.engine.Tiles(shape[0], rowTile, func(lo, hi int) { scale(δ, v[1], lo, hi) })
		}
		node, err := apply(o, shape, weight, slope)
		if err == nil {
			b.scaled[node] = [2]*G.Node{weight, slope}
		}
		return node, err
	}
	if product, ok := b.pulled[grad]; ok {
		o.run = func(v [][]T) {
			δ := func(r int) []T { return o.values[r*width:][:width] }
			b.engine.Tiles(shape[0], rowTile, func(lo, hi int) {
				product.multiply(v, lo, hi, o.values)
				scale(δ, v[2], lo, hi)
			})
		}
		return apply(o, shape, product.operands[0], product.operands[1], slope)
	}
	o.run = func(v [][]T) {
		δ := func(r int) []T { return v[0][r*width:][:width] }
		b.engine.Tiles(shape[0], rowTile, func(lo, hi int) { scale(δ, v[1], lo, hi) })
	}
	return apply(o, shape, grad, slope)
}
