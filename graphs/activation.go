package graphs

import (
	"fmt"
	"math"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
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
const elementTile = 1024

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

// value returns φ(z).
func (k ActivationKind) value(z float64) float64 {
	switch k {
	case Tanh:
		return math.Tanh(z)
	case ReLU:
		return max(z, 0)
	case Sigmoid:
		return sigmoid(z)
	case Softplus:
		return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z)))
	case GELU:
		return z * normalCDF(z)
	case SiLU:
		return z * sigmoid(z)
	default:
		return z
	}
}

// slope returns φ′(z), given h = φ(z). At the kink of relu it is 0, as in PyTorch.
func (k ActivationKind) slope(z, h float64) float64 {
	switch k {
	case Tanh:
		return 1 - h*h
	case ReLU:
		if z > 0 {
			return 1
		}
		if math.IsNaN(z) {
			return z
		}
		return 0
	case Sigmoid:
		return h * (1 - h)
	case Softplus:
		return sigmoid(z)
	case GELU:
		return normalCDF(z) + z*math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)
	case SiLU:
		s := sigmoid(z)
		return s * (1 + z*(1-s))
	default:
		return 1
	}
}

// sigmoid is 1/(1+e^{−z}) without overflow for either sign.
func sigmoid(z float64) float64 {
	if z >= 0 {
		return 1 / (1 + math.Exp(-z))
	}
	e := math.Exp(z)
	return e / (1 + e)
}

// normalCDF is Φ(z), accurate in the left tail too.
func normalCDF(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// applyActivation adds h = φ(z) to the graph.
func applyActivation[T Float](b *builder[T], layer placed, a Activation, z *G.Node) (*G.Node, error) {
	kind := a.Kind
	o := &operation[T]{name: layer.name(string(kind)), wrt: []bool{b.leaves[z] == nil}}
	o.run = func(v [][]T) {
		b.engine.Tiles(len(o.values), elementTile, func(lo, hi int) {
			for i, z := range v[0][lo:hi] {
				o.values[lo+i] = T(kind.value(float64(z)))
			}
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
	s.run = func(v [][]T) {
		b.engine.Tiles(len(s.values), elementTile, func(lo, hi int) {
			for i, z := range v[0][lo:hi] {
				s.values[lo+i] = T(kind.slope(float64(z), float64(v[1][lo+i])))
			}
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
			to, from, φ := o.values[r*width:(r+1)*width], δ(r), slopes[n*width:(n+1)*width]
			from, φ = from[:len(to)], φ[:len(to)]
			for j := range to {
				to[j] = from[j] * φ[j]
			}
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
