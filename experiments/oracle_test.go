package experiments

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"pkm/graphs"
	"pkm/internal/compute"
	"pkm/pathkernel"
)

// oracleCases are networks of every kind of layer, of odd sizes.
func oracleCases(t *testing.T) map[string]*graphs.Network {
	dense := func(n int) graphs.Layer { return graphs.Dense{Out: n, Bias: true} }
	conv := func(filters, kernel, stride, padding int) graphs.Layer {
		return graphs.Conv2D{Filters: filters, Kernel: kernel, Stride: stride, Padding: padding, Bias: true}
	}
	tanh := graphs.Activation{Kind: graphs.Tanh}
	layers := map[string]struct {
		in     graphs.Shape
		layers []graphs.Layer
	}{
		"convolution, stride, padding":       {graphs.Shape{2, 7, 5}, []graphs.Layer{conv(3, 3, 2, 1), tanh, graphs.Flatten{}, dense(3)}},
		"few positions: pairs are cheaper":   {graphs.Shape{3, 3, 3}, []graphs.Layer{conv(7, 2, 1, 0), tanh, conv(9, 2, 1, 0), tanh, graphs.Flatten{}, dense(3)}},
		"max pooling":                        {graphs.Shape{1, 7, 7}, []graphs.Layer{conv(3, 2, 1, 0), tanh, graphs.MaxPool2D{Size: 2}, graphs.Flatten{}, dense(3)}},
		"average pooling":                    {graphs.Shape{1, 7, 7}, []graphs.Layer{conv(3, 2, 1, 0), tanh, graphs.AvgPool2D{Size: 3}, graphs.Flatten{}, dense(3)}},
		"global average pooling":             {graphs.Shape{1, 5, 7}, []graphs.Layer{conv(3, 2, 1, 0), tanh, graphs.GlobalAvgPool{}, dense(3)}},
		"layer normalisation":                {graphs.Shape{5}, []graphs.Layer{dense(7), graphs.LayerNorm{Epsilon: 1e-5, Affine: true}, tanh, dense(3)}},
		"residual":                           {graphs.Shape{5}, []graphs.Layer{dense(7), graphs.Residual{Layers: []graphs.Layer{tanh, dense(7)}}, tanh, dense(3)}},
		"one output":                         {graphs.Shape{5}, []graphs.Layer{dense(7), tanh, dense(3), tanh, dense(1)}},
		"hundred outputs":                    {graphs.Shape{5}, []graphs.Layer{dense(7), tanh, dense(100)}},
		"linear":                             {graphs.Shape{5}, []graphs.Layer{graphs.Dense{Out: 3}}},
		"residual convolutions and shortcut": {graphs.Shape{2, 5, 5}, []graphs.Layer{conv(3, 3, 1, 1), graphs.Residual{Layers: []graphs.Layer{tanh, conv(5, 3, 2, 1)}, Shortcut: []graphs.Layer{conv(5, 1, 2, 0)}}, tanh, graphs.GlobalAvgPool{}, dense(3)}},
	}
	out := make(map[string]*graphs.Network)
	for _, kind := range graphs.ActivationKinds() {
		layers[string(kind)] = struct {
			in     graphs.Shape
			layers []graphs.Layer
		}{graphs.Shape{5}, []graphs.Layer{dense(7), graphs.Activation{Kind: kind}, graphs.Dense{Out: 6}, graphs.Activation{Kind: kind}, dense(3)}}
	}
	for name, l := range layers {
		n, err := graphs.New(l.in, l.layers...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = n
	}
	return out
}

// factorsBy returns the Jacobian factors of x at w by a method.
func factorsBy[T graphs.Float](t *testing.T, method graphs.Method, engine compute.Engine, n *graphs.Network, w, x []T) []pathkernel.Factor[T] {
	t.Helper()
	j, err := graphs.NewJacobianFactors[T](method, n, engine, len(x)/n.Input().Size())
	if err != nil {
		t.Fatal(err)
	}
	if err := j.SetInputs(x); err != nil {
		t.Fatal(err)
	}
	if err := j.Run(w); err != nil {
		t.Fatal(err)
	}
	return convert(j.Factors())
}

// The kernels of the stacked method equal those of explicit Jacobians by Gorgonia's own
// operations. Rounding of some hundred sums: 1e-11 in float64, 1e-4 in float32.
func TestFastKernelsEqualPlainOnes(t *testing.T) {
	long(t)
	engines := []compute.Engine{gonum(t)}
	if openblas, err := compute.Open("openblas"); err == nil {
		t.Cleanup(openblas.Close)
		engines = append(engines, openblas)
	}
	for name, n := range oracleCases(t) {
		t.Run(name, func(t *testing.T) {
			for _, sizes := range [][2]int{{1, 1}, {3, 2}} {
				fastEqualsPlain[float64](t, engines, n, sizes[0], sizes[1], 1e-11)
				fastEqualsPlain[float32](t, engines, n, sizes[0], sizes[1], 1e-4)
			}
		})
	}
}

func fastEqualsPlain[T graphs.Float](t *testing.T, engines []compute.Engine, n *graphs.Network, queries, samples int, tolerance float64) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(size int) []T {
		v := make([]T, size)
		for i := range v {
			v[i] = T(random.NormFloat64())
		}
		return v
	}
	d := n.Input().Size()
	w, query, train := draw(n.Parameters()), draw(queries*d), draw(samples*d)
	plainQuery := factorsBy(t, graphs.Plain, engines[0], n, w, query)
	plainTrain := factorsBy(t, graphs.Plain, engines[0], n, w, train)
	var reused []float64
	for _, engine := range engines {
		fastQuery := factorsBy(t, graphs.Stacked, engine, n, w, query)
		fastTrain := factorsBy(t, graphs.Stacked, engine, n, w, train)
		for _, form := range []pathkernel.Form{pathkernel.FullForm, pathkernel.TraceForm, pathkernel.DiagonalForm} {
			for _, symmetric := range []bool{true, false} {
				left, right := fastTrain, plainTrain
				if symmetric {
					left, right = nil, nil
				}
				fast, err := pathkernel.TangentKernel(engine, form, fastQuery, left, nil)
				if err != nil {
					t.Fatal(err)
				}
				plain, err := pathkernel.TangentKernel(engine, form, plainQuery, right, reused)
				if err != nil {
					t.Fatal(err)
				}
				var miss, scale float64
				for i, want := range plain {
					miss, scale = max(miss, math.Abs(fast[i]-want)), max(scale, math.Abs(want))
				}
				reused = plain // whatever it holds must not matter
				if len(fast) != len(plain) || !(miss <= tolerance*scale) {
					t.Errorf("%s kernel of %d and %d samples, symmetric %v, %s, %T: relative difference %.2g", form, queries, samples, symmetric, engine.Name(), w, miss/scale)
				}
			}
		}
	}
}

// The same call gives the same bits, wherever Go places the memory of small slices: some
// BLAS sum in another order at another alignment. A convolution with three positions has a
// formed gradient that is small enough to lie anywhere.
func TestKernelsRepeat(t *testing.T) {
	engine, random := gonum(t), rand.New(rand.NewPCG(1, 2))
	n, err := graphs.New(graphs.Shape{1, 7, 1}, graphs.Conv2D{Filters: 1, Kernel: 1, Stride: 3, Bias: true}, graphs.LayerNorm{Epsilon: 0.1, Affine: true}, graphs.Flatten{})
	if err != nil {
		t.Fatal(err)
	}
	draw := func(size int) []float32 {
		v := make([]float32, size)
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return v
	}
	w := draw(n.Parameters())
	var between [][]float32 // moves what is allocated next
	for rows := range 10 {
		factors := factorsBy(t, graphs.Stacked, engine, n, w, draw((rows+1)*7))
		for _, form := range []pathkernel.Form{pathkernel.FullForm, pathkernel.TraceForm, pathkernel.DiagonalForm} {
			var first []float64
			for range 100 {
				kernel, err := pathkernel.TangentKernel(engine, form, factors, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				if first == nil {
					first = kernel
				}
				if !slices.Equal(kernel, first) {
					t.Fatalf("%s kernel of %d samples: another run gives other bits", form, rows+1)
				}
				between = append(between[:0], draw(1+random.IntN(7)))
			}
		}
	}
	runtime.KeepAlive(between)
}
