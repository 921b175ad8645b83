package graphs

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/integrate/quad"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// plainBuilder assembles the graph of one sample out of Gorgonia's own operations.
type plainBuilder struct {
	graph  *G.ExprGraph
	w      []float64
	leaves G.Nodes
	places []Parameter
}

// sequence adds layers to the graph. A value is a vector, or an image (1, C, H, W).
func (b *plainBuilder) sequence(layers []placed, h *G.Node) (*G.Node, error) {
	for _, layer := range layers {
		var err error
		switch l := layer.Layer.(type) {
		case Dense:
			h, err = b.dense(layer, h)
		case Conv2D:
			h, err = b.conv(layer, l, h)
		case MaxPool2D:
			h, err = G.MaxPool2D(h, tensor.Shape{l.Size, l.Size}, []int{0, 0}, []int{l.Size, l.Size})
		case AvgPool2D:
			h, err = b.average(layer, l.Size, l.Size, h)
		case GlobalAvgPool:
			h, err = b.average(layer, layer.in[1], layer.in[2], h)
		case Flatten:
			h, err = G.Reshape(h, tensor.Shape{layer.in.Size()})
		case Activation:
			h, err = b.activation(layer, l.Kind, h)
		case LayerNorm:
			h, err = b.normalise(layer, l, h)
		case Scale:
			h, err = b.scale(layer, l, h)
		case Residual:
			h, err = b.residual(layer, h)
		default:
			err = fmt.Errorf("there are no operations of Gorgonia for it")
		}
		if err != nil {
			return nil, fmt.Errorf("layer %s (%T): %w", layer.path, layer.Layer, err)
		}
	}
	return h, nil
}

// leaf adds a parameter in a shape of the same size as its own.
func (b *plainBuilder) leaf(p Parameter, shape ...int) *G.Node {
	value := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(append([]float64(nil), View(b.w, p)...)))
	leaf := G.NewTensor(b.graph, tensor.Float64, len(shape), G.WithShape(shape...), G.WithName(p.Name), G.WithValue(value))
	b.leaves, b.places = append(b.leaves, leaf), append(b.places, p)
	return leaf
}

func (b *plainBuilder) dense(layer placed, h *G.Node) (*G.Node, error) {
	p := layer.parameters
	h, err := G.Mul(b.leaf(p[0], p[0].Shape...), h)
	if err == nil && len(p) > 1 {
		h, err = G.Add(h, b.leaf(p[1], p[1].Shape...))
	}
	return h, err
}

func (b *plainBuilder) conv(layer placed, l Conv2D, h *G.Node) (*G.Node, error) {
	p := layer.parameters
	h, err := G.Conv2d(h, b.leaf(p[0], p[0].Shape...), tensor.Shape{l.Kernel, l.Kernel}, []int{l.Padding, l.Padding}, []int{l.Stride, l.Stride}, []int{1, 1})
	if err == nil && len(p) > 1 {
		h, err = G.BroadcastAdd(h, b.leaf(p[1], 1, p[1].Shape[0], 1, 1), nil, []byte{0, 2, 3})
	}
	return h, err
}

// average is average pooling as a product with a constant matrix: Gorgonia's
// own pooling operations share state between the nodes of a graph.
func (b *plainBuilder) average(layer placed, height, width int, h *G.Node) (*G.Node, error) {
	in, out := layer.in, layer.out
	w := newWindow(in, height, width)
	matrix := make([]float64, out.Size()*in.Size())
	for to := range out.Size() {
		c, r, q := to/(w.rows*w.columns), to/w.columns%w.rows, to%w.columns
		for i := range height {
			for j := range width {
				matrix[to*in.Size()+(c*in[1]+r*height+i)*in[2]+q*width+j] = 1 / float64(height*width)
			}
		}
	}
	flat, err := G.Reshape(h, tensor.Shape{in.Size()})
	if err != nil {
		return nil, err
	}
	if flat, err = G.Mul(b.matrix(layer.name("average"), out.Size(), in.Size(), matrix), flat); err != nil {
		return nil, err
	}
	return b.shaped(flat, out)
}

// normalise centres and scales with products with the matrix of 1/d.
func (b *plainBuilder) normalise(layer placed, l LayerNorm, h *G.Node) (*G.Node, error) {
	d := layer.in.Size()
	mean, epsilon := make([]float64, d*d), make([]float64, d)
	for i := range mean {
		mean[i] = 1 / float64(d)
	}
	for i := range epsilon {
		epsilon[i] = l.Epsilon
	}
	average := b.matrix(layer.name("mean"), d, d, mean)
	var err error
	do := func(f func(a, b *G.Node) (*G.Node, error), x, y *G.Node) *G.Node {
		if err != nil {
			return nil
		}
		var z *G.Node
		z, err = f(x, y)
		return z
	}
	unary := func(f func(a *G.Node) (*G.Node, error), x *G.Node) *G.Node {
		return do(func(a, _ *G.Node) (*G.Node, error) { return f(a) }, x, nil)
	}
	flat := do(func(a, _ *G.Node) (*G.Node, error) { return G.Reshape(a, tensor.Shape{d}) }, h, nil)
	centred := do(plainSub, flat, do(plainMul, average, flat))
	variance := do(plainMul, average, unary(G.Square, centred))
	scale := unary(G.Sqrt, do(plainAdd, variance, plainVector(b.graph, layer.name("epsilon"), epsilon)))
	y := do(func(a, b *G.Node) (*G.Node, error) { return G.HadamardDiv(a, b) }, centred, scale)
	if l.Affine && err == nil {
		y = do(func(a, b *G.Node) (*G.Node, error) { return G.HadamardProd(a, b) }, b.leaf(layer.parameters[0], d), y)
		y = do(plainAdd, y, b.leaf(layer.parameters[1], d))
	}
	if err != nil {
		return nil, err
	}
	return b.shaped(y, layer.out)
}

// scale is a product with a diagonal matrix: Gorgonia writes an elementwise product over a
// reshaped operand that the derivative of a tanh before it still needs.
func (b *plainBuilder) scale(layer placed, l Scale, h *G.Node) (*G.Node, error) {
	d := layer.in.Size()
	diagonal := make([]float64, d*d)
	for i := range d {
		diagonal[i*d+i] = l.Factor
	}
	flat, err := G.Reshape(h, tensor.Shape{d})
	if err != nil {
		return nil, err
	}
	if flat, err = G.Mul(b.matrix(layer.name("factor"), d, d, diagonal), flat); err != nil {
		return nil, err
	}
	return b.shaped(flat, layer.out)
}

func plainAdd(a, b *G.Node) (*G.Node, error) { return G.Add(a, b) }
func plainSub(a, b *G.Node) (*G.Node, error) { return G.Sub(a, b) }
func plainMul(a, b *G.Node) (*G.Node, error) { return G.Mul(a, b) }

func (b *plainBuilder) residual(layer placed, h *G.Node) (*G.Node, error) {
	left, err := b.sequence(layer.block, h)
	if err != nil {
		return nil, err
	}
	right, err := b.sequence(layer.shortcut, h)
	if err != nil {
		return nil, err
	}
	return G.Add(left, right)
}

// shaped gives a vector the shape of a sample.
func (b *plainBuilder) shaped(flat *G.Node, shape Shape) (*G.Node, error) {
	if len(shape) == 1 {
		return flat, nil
	}
	return G.Reshape(flat, append(tensor.Shape{1}, shape...))
}

// image adds a sample to the graph.
func (b *plainBuilder) image(name string, shape Shape, x []float64) *G.Node {
	if len(shape) == 1 {
		return plainVector(b.graph, name, x)
	}
	full := append(tensor.Shape{1}, shape...)
	return G.NewTensor(b.graph, tensor.Float64, len(full), G.WithShape(full...), G.WithName(name),
		G.WithValue(tensor.New(tensor.WithShape(full...), tensor.WithBacking(append([]float64(nil), x...)))))
}

func (b *plainBuilder) matrix(name string, rows, columns int, values []float64) *G.Node {
	return G.NewMatrix(b.graph, tensor.Float64, G.WithShape(rows, columns), G.WithName(name),
		G.WithValue(tensor.New(tensor.WithShape(rows, columns), tensor.WithBacking(values))))
}

func plainVector(g *G.ExprGraph, name string, x []float64) *G.Node {
	return G.NewVector(g, tensor.Float64, G.WithShape(len(x)), G.WithName(name),
		G.WithValue(tensor.New(tensor.WithShape(len(x)), tensor.WithBacking(append([]float64(nil), x...)))))
}

func (b *plainBuilder) activation(layer placed, kind ActivationKind, z *G.Node) (*G.Node, error) {
	switch kind {
	case Tanh:
		return G.Tanh(z)
	case ReLU:
		return G.Rectify(z)
	case Sigmoid:
		return G.Sigmoid(z)
	case Softplus:
		e, err := G.Exp(z)
		if err != nil {
			return nil, err
		}
		if e, err = G.Add(G.NewConstant(1.0), e); err != nil {
			return nil, err
		}
		return G.Log(e)
	case SiLU:
		s, err := G.Sigmoid(z)
		if err != nil {
			return nil, err
		}
		return G.HadamardProd(z, s)
	case GELU:
		return plainGELU(z)
	default:
		return z, nil
	}
}

// plainGELU is z·Φ(z). Gorgonia has no error function:
// Φ(z) = 1/2 + z/√(2π)·∫₀¹ e^{−z²t²/2}dt by a Gauss–Legendre rule of 48 nodes, with an
// error below 1e-13 for |z| ≤ 5.
func plainGELU(z *G.Node) (*G.Node, error) {
	const nodes = 48
	at, weight := make([]float64, nodes), make([]float64, nodes)
	quad.Legendre{}.FixedLocations(at, weight, 0, 1)
	square, err := G.Square(z)
	if err != nil {
		return nil, err
	}
	var sum *G.Node
	for i := range at {
		e, err := G.Mul(G.NewConstant(-at[i]*at[i]/2), square)
		if err != nil {
			return nil, err
		}
		if e, err = G.Exp(e); err != nil {
			return nil, err
		}
		if e, err = G.Mul(G.NewConstant(weight[i]/math.Sqrt(2*math.Pi)), e); err != nil {
			return nil, err
		}
		if sum == nil {
			sum = e
		} else if sum, err = G.Add(sum, e); err != nil {
			return nil, err
		}
	}
	half, err := G.Mul(G.NewConstant(0.5), z)
	if err != nil {
		return nil, err
	}
	tail, err := G.HadamardProd(square, sum)
	if err != nil {
		return nil, err
	}
	return G.Add(half, tail)
}
