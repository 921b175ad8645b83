package graphs

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/integrate/quad"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// plainJacobian returns J(x; w) (C, P) of one sample by Gorgonia's own
// operations and Grad: a fresh graph for every output, because a second Grad on
// one graph adds up the first's derivatives.
func plainJacobian(t *testing.T, n *Network, w, x []float64) []float64 {
	t.Helper()
	p := n.Parameters()
	j := make([]float64, 0, n.Outputs()*p)
	for c := range n.Outputs() {
		pick := make([]float64, n.Outputs())
		pick[c] = 1
		j = append(j, plainGradient(t, n, w, x, func(f *G.Node) *G.Node {
			return G.Must(G.Sum(G.Must(G.HadamardProd(f, vector(f.Graph(), "pick", pick)))))
		})...)
	}
	return j
}

// plainGradient returns the gradient (P) of a scalar function of the outputs.
func plainGradient(t *testing.T, n *Network, w, x []float64, scalar func(f *G.Node) *G.Node) []float64 {
	t.Helper()
	g := G.NewGraph()
	var h *G.Node
	if in := n.Input(); len(in) == 3 {
		shape := tensor.Shape{1, in[0], in[1], in[2]}
		h = G.NewTensor(g, tensor.Float64, 4, G.WithShape(shape...), G.WithName("x"),
			G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(append([]float64(nil), x...)))))
	} else {
		h = vector(g, "x", x)
	}
	var leaves G.Nodes
	var places []Parameter
	for _, layer := range n.layers {
		switch l := layer.Layer.(type) {
		case Flatten:
			h = G.Must(G.Reshape(h, tensor.Shape{layer.in.Size()}))
		case MaxPool2D:
			h = G.Must(G.MaxPool2D(h, tensor.Shape{l.Size, l.Size}, []int{0, 0}, []int{l.Size, l.Size}))
		case AvgPool2D:
			h = plainAverage(g, layer, l.Size, h)
		case Conv2D:
			for i, p := range layer.parameters {
				shape := tensor.Shape(p.Shape)
				if i == 1 {
					shape = tensor.Shape{1, p.Shape[0], 1, 1}
				}
				value := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(append([]float64(nil), View(w, p)...)))
				leaf := G.NewTensor(g, tensor.Float64, 4, G.WithShape(shape...), G.WithName(p.Name), G.WithValue(value))
				leaves, places = append(leaves, leaf), append(places, p)
				if i == 0 {
					h = G.Must(G.Conv2d(h, leaf, tensor.Shape{l.Kernel, l.Kernel}, []int{l.Padding, l.Padding}, []int{l.Stride, l.Stride}, []int{1, 1}))
				} else {
					h = G.Must(G.BroadcastAdd(h, leaf, nil, []byte{0, 2, 3}))
				}
			}
		case Dense:
			for i, p := range layer.parameters {
				value := tensor.New(tensor.WithShape(p.Shape...), tensor.WithBacking(append([]float64(nil), View(w, p)...)))
				leaf := G.NewTensor(g, tensor.Float64, len(p.Shape), G.WithShape(p.Shape...), G.WithName(p.Name), G.WithValue(value))
				leaves, places = append(leaves, leaf), append(places, p)
				if i == 0 {
					h = G.Must(G.Mul(leaf, h))
				} else {
					h = G.Must(G.Add(h, leaf))
				}
			}
		case Activation:
			h = plainActivation(g, l.Kind, h)
		}
	}
	grads, err := G.Grad(scalar(h), leaves...)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]G.Value, len(grads))
	for i, grad := range grads {
		G.Read(grad, &values[i])
	}
	machine := G.NewTapeMachine(g)
	defer machine.Close()
	if err := machine.RunAll(); err != nil {
		t.Fatal(err)
	}
	out := make([]float64, n.Parameters())
	for i, p := range places {
		copy(View(out, p), values[i].(*tensor.Dense).Float64s())
	}
	return out
}

// plainAverage is average pooling as a product with a constant matrix: Gorgonia's
// own pooling ops share state between a graph's nodes.
func plainAverage(g *G.ExprGraph, layer placed, size int, h *G.Node) *G.Node {
	in, out := layer.in, layer.out
	matrix := make([]float64, out.Size()*in.Size())
	for to := range out.Size() {
		c, r, q := to/(out[1]*out[2]), to/out[2]%out[1], to%out[2]
		for i := range size {
			for j := range size {
				matrix[to*in.Size()+(c*in[1]+r*size+i)*in[2]+q*size+j] = 1 / float64(size*size)
			}
		}
	}
	m := G.NewMatrix(g, tensor.Float64, G.WithShape(out.Size(), in.Size()), G.WithName(layer.name("average")),
		G.WithValue(tensor.New(tensor.WithShape(out.Size(), in.Size()), tensor.WithBacking(matrix))))
	flat := G.Must(G.Mul(m, G.Must(G.Reshape(h, tensor.Shape{in.Size()}))))
	return G.Must(G.Reshape(flat, tensor.Shape{1, out[0], out[1], out[2]}))
}

func vector(g *G.ExprGraph, name string, x []float64) *G.Node {
	return G.NewVector(g, tensor.Float64, G.WithShape(len(x)), G.WithName(name),
		G.WithValue(tensor.New(tensor.WithShape(len(x)), tensor.WithBacking(append([]float64(nil), x...)))))
}

func plainActivation(g *G.ExprGraph, kind ActivationKind, z *G.Node) *G.Node {
	switch kind {
	case Tanh:
		return G.Must(G.Tanh(z))
	case ReLU:
		return G.Must(G.Rectify(z))
	case Sigmoid:
		return G.Must(G.Sigmoid(z))
	case Softplus:
		one := G.NewConstant(1.0)
		return G.Must(G.Log(G.Must(G.Add(one, G.Must(G.Exp(z))))))
	case SiLU:
		return G.Must(G.HadamardProd(z, G.Must(G.Sigmoid(z))))
	case GELU:
		// Gorgonia has no error function. Φ(z) = 1/2 + z/√(2π)·∫₀¹ e^{−z²t²/2}dt, by a
		// Gauss–Legendre rule of 24 nodes: below 1e-13 for |z| ≤ 5.
		const nodes = 48
		at, weight := make([]float64, nodes), make([]float64, nodes)
		quad.Legendre{}.FixedLocations(at, weight, 0, 1)
		square := G.Must(G.Square(z))
		var sum *G.Node
		for i := range at {
			e := G.Must(G.Exp(G.Must(G.Mul(G.NewConstant(-at[i]*at[i]/2), square))))
			e = G.Must(G.Mul(G.NewConstant(weight[i]/math.Sqrt(2*math.Pi)), e))
			if sum == nil {
				sum = e
			} else {
				sum = G.Must(G.Add(sum, e))
			}
		}
		return G.Must(G.Add(G.Must(G.Mul(G.NewConstant(0.5), z)), G.Must(G.HadamardProd(square, sum))))
	default:
		return z
	}
}
