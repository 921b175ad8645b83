package graphs

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"pkm/internal/compute"
)

func engine(t testing.TB) compute.Engine {
	t.Helper()
	e, err := compute.Open("gonum")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// mlp returns dense layers of the given widths with an activation between them.
func mlp(t testing.TB, kind ActivationKind, bias bool, widths ...int) *Network {
	t.Helper()
	var layers []Layer
	for i, w := range widths[1:] {
		if i > 0 {
			layers = append(layers, Activation{kind})
		}
		layers = append(layers, Dense{Out: w, Bias: bias})
	}
	n, err := New(Shape{widths[0]}, layers...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func random(seed uint64, n int) []float64 {
	r := rand.New(rand.NewPCG(seed, 0))
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

// expand returns the gradients of all samples and seeds, (N, K, P), from their
// factors. Only tests form them.
func expand(n *Network, factors []Factor[float64]) []float64 {
	p := n.Parameters()
	k, rows := factors[0].Stacks, factors[0].Rows
	j := make([]float64, k*rows*p)
	for _, f := range factors {
		t := f.Positions
		for r := range k * rows {
			δ := f.Cotangent[r*f.OutWidth*t : (r+1)*f.OutWidth*t]
			row := j[r*p : (r+1)*p]
			switch {
			case f.Input == nil:
				copy(row[f.Weight:], δ)
				continue
			case f.Unfold == nil:
				u := f.Input[(r/k)*f.InWidth : (r/k+1)*f.InWidth]
				addOuter(row, f, δ, u)
			default:
				size := len(f.Input) / rows
				u := make([]float64, f.InWidth*t)
				f.Unfold(f.Input[r/k*size:(r/k+1)*size], u)
				addOuter(row, f, δ, u)
			}
		}
	}
	return j
}

// addOuter adds Σ_t δ[·,t]⊗u[·,t], and Σ_t δ[·,t] for the bias.
func addOuter(row []float64, f Factor[float64], δ, u []float64) {
	t := f.Positions
	for o := range f.OutWidth {
		for s := range t {
			for i := range f.InWidth {
				row[f.Weight+o*f.InWidth+i] += δ[o*t+s] * u[i*t+s]
			}
			if f.Bias >= 0 {
				row[f.Bias+o] += δ[o*t+s]
			}
		}
	}
}

// relative returns max|a−b| / max|b|.
func relative(a, b []float64) float64 {
	var diff, scale float64
	for i := range a {
		diff, scale = max(diff, math.Abs(a[i]-b[i])), max(scale, math.Abs(b[i]))
	}
	if scale == 0 {
		return diff
	}
	return diff / scale
}

// polynomial is y = a⊙x² + b, or x² without weights.
type polynomial struct{}

func (polynomial) Forward(w, x, y []float64) {
	for i, v := range x {
		y[i] = v * v
		if len(w) > 0 {
			y[i] = w[i]*v*v + w[len(x)+i]
		}
	}
}

func (polynomial) Pullback(w, x, δy, δx, δw []float64) {
	for i, v := range x {
		a := 1.0
		if len(w) > 0 {
			a = w[i]
		}
		if δx != nil {
			δx[i] = 2 * a * v * δy[i]
		}
		if δw != nil && len(w) > 0 {
			δw[i], δw[len(x)+i] = v*v*δy[i], δy[i]
		}
	}
}

type networkCase struct {
	name string
	net  *Network
	rows int
}

func networkCases(t *testing.T) []networkCase {
	var cases []networkCase
	for _, kind := range ActivationKinds() {
		for _, bias := range []bool{true, false} {
			cases = append(cases, networkCase{fmt.Sprintf("%s/bias=%v", kind, bias), mlp(t, kind, bias, 5, 7, 6, 3), 4})
		}
	}
	activated, err := New(Shape{4}, Dense{Out: 5, Bias: true}, Activation{Tanh}, Dense{Out: 2, Bias: true}, Activation{Sigmoid})
	if err != nil {
		t.Fatal(err)
	}
	double, err := New(Shape{4}, Activation{Tanh}, Dense{Out: 5}, Dense{Out: 3, Bias: true}, Activation{SiLU}, Activation{Tanh}, Dense{Out: 2})
	if err != nil {
		t.Fatal(err)
	}
	images := func(in Shape, layers ...Layer) *Network {
		n, err := New(in, layers...)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	tanh, dense := Activation{Tanh}, Dense{Out: 3, Bias: true}
	cases = append(cases,
		networkCase{"convolution", images(Shape{2, 5, 6}, Conv2D{Filters: 3, Kernel: 3, Stride: 1, Bias: true}, tanh, Flatten{}, dense), 5},
		networkCase{"convolution, no bias, stride and padding", images(Shape{2, 5, 6}, Conv2D{Filters: 3, Kernel: 3, Stride: 2, Padding: 2}, tanh, Flatten{}, dense), 3},
		networkCase{"two convolutions, max pooling", images(Shape{1, 8, 9}, Conv2D{Filters: 2, Kernel: 3, Stride: 1, Padding: 1, Bias: true}, tanh, MaxPool2D{2},
			Conv2D{Filters: 3, Kernel: 2, Stride: 1, Bias: true}, Activation{ReLU}, Flatten{}, dense), 3},
		networkCase{"average pooling, stride 3", images(Shape{1, 9, 8}, Conv2D{Filters: 2, Kernel: 2, Stride: 1, Bias: true}, tanh, AvgPool2D{3},
			Conv2D{Filters: 3, Kernel: 1, Stride: 3, Bias: true}, Activation{GELU}, Flatten{}, dense), 2},
		networkCase{"kernel as large as the image", images(Shape{3, 4, 4}, Conv2D{Filters: 5, Kernel: 4, Stride: 1, Bias: true}, Flatten{}, tanh, dense), 1},
		networkCase{"convolution as the output", images(Shape{1, 4, 4}, Conv2D{Filters: 1, Kernel: 3, Stride: 1, Bias: true}, Flatten{}), 2},
		networkCase{"global average pooling", images(Shape{2, 5, 4}, Conv2D{Filters: 4, Kernel: 3, Stride: 1, Padding: 1, Bias: true}, tanh, GlobalAvgPool{}, dense), 3},
		networkCase{"layer normalisation of vectors", images(Shape{5}, LayerNorm{1e-5, true}, Dense{Out: 6, Bias: true}, LayerNorm{1e-3, true}, tanh, LayerNorm{1e-5, false}, dense), 3},
		networkCase{"layer normalisation of images", images(Shape{2, 4, 3}, Conv2D{Filters: 3, Kernel: 2, Stride: 1, Bias: true}, LayerNorm{1e-5, true}, tanh, Flatten{}, dense), 2},
		networkCase{"layer normalisation as the output", images(Shape{4}, Dense{Out: 3}, LayerNorm{1e-5, true}), 2},
		networkCase{"custom layers", images(Shape{4}, Custom{Name: "square", Function: polynomial{}}, Dense{Out: 5, Bias: true},
			Custom{Name: "polynomial", Parameters: []Parameter{{Name: "a", Shape: []int{5}, Start: 1}, {Name: "b", Shape: []int{5}}}, Function: polynomial{}}, dense), 3},
		networkCase{"residual on the data", images(Shape{4}, Residual{Layers: []Layer{tanh, Dense{Out: 4, Bias: true}}}, dense), 3},
		networkCase{"residual after dense, ending in an activation", images(Shape{4}, Dense{Out: 5, Bias: true}, Residual{Layers: []Layer{Dense{Out: 5}, tanh}}, Dense{Out: 6}, Residual{Layers: []Layer{tanh}}, dense), 3},
		networkCase{"residual as the output", images(Shape{4}, Dense{Out: 3, Bias: true}, Residual{Layers: []Layer{tanh, Dense{Out: 3, Bias: true}}}), 3},
		networkCase{"nested residuals", images(Shape{4}, Dense{Out: 5, Bias: true}, Residual{Layers: []Layer{tanh, Residual{Layers: []Layer{Dense{Out: 5}, Activation{SiLU}}}, Dense{Out: 5, Bias: true}}}, dense), 3},
		networkCase{"residual network", images(Shape{1, 6, 6}, Conv2D{Filters: 2, Kernel: 3, Stride: 1, Padding: 1, Bias: true}, tanh,
			Residual{Layers: []Layer{Conv2D{Filters: 2, Kernel: 3, Stride: 1, Padding: 1}, LayerNorm{1e-5, true}, tanh, Conv2D{Filters: 2, Kernel: 3, Stride: 1, Padding: 1, Bias: true}}}, Activation{ReLU},
			Residual{Layers: []Layer{Conv2D{Filters: 3, Kernel: 3, Stride: 2, Padding: 1, Bias: true}}, Shortcut: []Layer{Conv2D{Filters: 3, Kernel: 1, Stride: 2}}}, tanh, GlobalAvgPool{}, dense), 3},
		networkCase{"pooled data, several tiles", images(Shape{1, 6, 6}, MaxPool2D{2}, Conv2D{Filters: 2, Kernel: 2, Stride: 1, Bias: true}, AvgPool2D{2}, Flatten{}, dense), 2*sampleTile + 1},
	)
	return append(cases,
		networkCase{"one sample", mlp(t, Tanh, true, 5, 7, 3), 1},
		networkCase{"one output", mlp(t, Tanh, true, 5, 7, 1), 4},
		networkCase{"one position", images(Shape{3, 2, 2}, Conv2D{Filters: 4, Kernel: 2, Stride: 1, Bias: true}, tanh, Conv2D{Filters: 3, Kernel: 1, Stride: 1}, Flatten{}), 2},
		networkCase{"one of everything", mlp(t, Tanh, true, 1, 1, 1), 1},
		networkCase{"linear", mlp(t, Tanh, true, 5, 3), 4},
		networkCase{"hundred outputs", mlp(t, GELU, true, 3, 4, 100), 2},
		networkCase{"odd rows, several tiles", mlp(t, Tanh, true, 3, 2, 2), 2*rowTile + 3},
		networkCase{"activated output", activated, 3},
		networkCase{"activations in a row and on the data", double, 3},
	)
}

// plainRows returns J(x; w) (C, P) of one sample by the method Plain.
func plainRows(t *testing.T, n *Network, w, x []float64) []float64 {
	t.Helper()
	j, err := NewJacobianFactors[float64](Plain, n, engine(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.SetInputs(x); err != nil {
		t.Fatal(err)
	}
	if err := j.Run(w); err != nil {
		t.Fatal(err)
	}
	return j.Factors()[0].Cotangent
}

// The tolerance is rounding: both sides sum a few hundred products.
func TestJacobianFactorsEqualPlainGrad(t *testing.T) {
	for _, test := range networkCases(t) {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "custom layers" {
				t.Skip("Gorgonia has no operations for it; finite differences have")
			}
			n := test.net
			w, x := random(1, n.Parameters()), random(2, test.rows*n.Input().Size())
			j, err := NewJacobian[float64](n, engine(t), test.rows)
			if err != nil {
				t.Fatal(err)
			}
			if err := j.SetInputs(x); err != nil {
				t.Fatal(err)
			}
			// Twice: nothing of a run may leak into the next.
			for _, weights := range [][]float64{random(3, len(w)), w} {
				if err := j.Run(weights); err != nil {
					t.Fatal(err)
				}
			}
			fast, d, p := expand(n, j.Factors()), n.Input().Size(), n.Parameters()
			for r := range test.rows {
				if r > 3 && r < test.rows-2 {
					continue
				}
				plain := plainRows(t, n, w, x[r*d:(r+1)*d])
				for c := range n.Outputs() {
					at := (r*n.Outputs() + c) * p
					if e := relative(fast[at:at+p], plain[c*p:(c+1)*p]); e > 1e-10 {
						t.Fatalf("sample %d, output %d: relative difference %.2g", r, c, e)
					}
				}
			}
		})
	}
}

// Central differences with h = 1e-5: truncation O(h²) and rounding ε/h are below
// 1e-9; 1e-6 leaves room for curvature.
func TestJacobianFactorsEqualFiniteDifferences(t *testing.T) {
	const h = 1e-5
	for _, test := range networkCases(t) {
		t.Run(test.name, func(t *testing.T) {
			n, b := test.net, engine(t)
			w, x := random(1, n.Parameters()), random(2, test.rows*n.Input().Size())
			j, err := NewJacobian[float64](n, b, test.rows)
			if err != nil {
				t.Fatal(err)
			}
			f, err := NewForward[float64](n, b, test.rows)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range []*Evaluator[float64]{j.Evaluator, f.Evaluator} {
				if err := e.SetInputs(x); err != nil {
					t.Fatal(err)
				}
				if err := e.Run(w); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(j.Outputs(), f.Outputs()) {
				t.Fatal("the Jacobian's outputs are not the forward pass's")
			}
			fast, p, c := expand(n, j.Factors()), n.Parameters(), n.Outputs()
			numeric := make([]float64, len(fast))
			for i := range w {
				for _, side := range []float64{1, -1} {
					moved := slices.Clone(w)
					moved[i] += side * h
					if err := f.Run(moved); err != nil {
						t.Fatal(err)
					}
					for r := range test.rows {
						for k := range c {
							numeric[(r*c+k)*p+i] += side * f.Outputs()[r*c+k] / (2 * h)
						}
					}
				}
			}
			if e := relative(fast, numeric); e > 1e-6 {
				t.Fatalf("relative difference %.2g", e)
			}
		})
	}
}

// halfSquare is ½Σ(f−y)², here so that the test needs no other package.
type halfSquare struct{}

func (halfSquare) Evaluate(f, y []float64, classes int, losses []float64, derivatives []float64) {
	for i := range losses {
		losses[i] = 0
		for c := range classes {
			d := f[i*classes+c] - y[i*classes+c]
			losses[i] += d * d / 2
			derivatives[i*classes+c] = d
		}
	}
}

func TestGradientEqualsPlainGrad(t *testing.T) {
	for _, test := range networkCases(t) {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "custom layers" {
				t.Skip("Gorgonia has no operations for it; finite differences have")
			}
			n, rows := test.net, test.rows
			w, x, y := random(1, n.Parameters()), random(2, rows*n.Input().Size()), random(3, rows*n.Outputs())
			g, err := NewGradient[float64](n, engine(t), rows, halfSquare{})
			if err != nil {
				t.Fatal(err)
			}
			if err := g.SetInputs(x); err != nil {
				t.Fatal(err)
			}
			if err := g.SetTargets(y); err != nil {
				t.Fatal(err)
			}
			if err := g.Run(w); err != nil {
				t.Fatal(err)
			}
			d, c, p := n.Input().Size(), n.Outputs(), n.Parameters()
			perSample, sum := expand(n, g.Factors()), make([]float64, p)
			for r := range rows {
				_, plain, err := plainGradient(n, w, x[r*d:(r+1)*d], func(f *G.Node) (*G.Node, error) {
					diff := G.Must(G.Sub(f, plainVector(f.Graph(), "y", y[r*c:(r+1)*c])))
					return G.Mul(G.NewConstant(0.5), G.Must(G.Sum(G.Must(G.Square(diff)))))
				})
				if err != nil {
					t.Fatal(err)
				}
				if e := relative(perSample[r*p:(r+1)*p], plain); e > 1e-10 {
					t.Fatalf("g_%d from its factors: relative difference %.2g", r, e)
				}
				for i := range sum {
					sum[i] += plain[i]
				}
			}
			if e := relative(g.Sum(), sum); e > 1e-10 {
				t.Fatalf("Σg: relative difference %.2g", e)
			}
		})
	}
}

// In float32 the factors are the float64 ones up to 2^-24 for each of some
// hundred roundings.
func TestPrecisionsAgree(t *testing.T) {
	n := mlp(t, Tanh, true, 5, 7, 6, 3)
	w, x := random(1, n.Parameters()), random(2, 4*5)
	double, err := NewJacobian[float64](n, engine(t), 4)
	if err != nil {
		t.Fatal(err)
	}
	single, err := NewJacobian[float32](n, engine(t), 4)
	if err != nil {
		t.Fatal(err)
	}
	narrow := func(v []float64) []float32 {
		out := make([]float32, len(v))
		for i := range v {
			out[i] = float32(v[i])
		}
		return out
	}
	if err := double.SetInputs(x); err != nil {
		t.Fatal(err)
	}
	if err := single.SetInputs(narrow(x)); err != nil {
		t.Fatal(err)
	}
	if err := double.Run(w); err != nil {
		t.Fatal(err)
	}
	if err := single.Run(narrow(w)); err != nil {
		t.Fatal(err)
	}
	for l, f := range single.Factors() {
		wide := make([]float64, len(f.Cotangent))
		for i, v := range f.Cotangent {
			wide[i] = float64(v)
		}
		if e := relative(wide, double.Factors()[l].Cotangent); e > 1e-5 {
			t.Errorf("layer %s: relative difference %.2g", f.Layer, e)
		}
	}
}

func TestStructureOfUnitSeeds(t *testing.T) {
	n := mlp(t, Tanh, true, 5, 7, 6, 3)
	j, err := NewJacobian[float64](n, engine(t), 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.SetInputs(random(2, 20)); err != nil {
		t.Fatal(err)
	}
	if err := j.Run(random(1, n.Parameters())); err != nil {
		t.Fatal(err)
	}
	f := j.Factors()
	if !f[0].FixedInput || f[1].FixedInput || f[2].FixedInput || f[0].Unit || !f[2].Unit {
		t.Fatalf("fixed inputs %v %v %v, fixed cotangents %v %v %v", f[0].FixedInput, f[1].FixedInput, f[2].FixedInput,
			f[0].Unit, f[1].Unit, f[2].Unit)
	}
	if f[0].Shared != nil || f[1].Shared == nil || f[2].Shared != nil {
		t.Fatal("only the last hidden layer's cotangent is shared⊙scale")
	}
	for k := range 3 {
		for r := range 4 {
			for o := range 6 {
				if got, want := f[1].Shared[k*6+o]*f[1].Scale[r*6+o], f[1].Cotangent[(r*3+k)*6+o]; got != want {
					t.Fatalf("shared⊙scale at seed %d, sample %d, unit %d: %g, cotangent %g", k, r, o, got, want)
				}
			}
		}
	}
}

func TestNonFiniteNamesTheTensor(t *testing.T) {
	n := mlp(t, ReLU, true, 2, 3, 2)
	g, err := NewGradient[float64](n, engine(t), 1, halfSquare{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		x    []float64
		edit func(w []float64)
		want string
	}{
		{"all finite", []float64{1, 1}, func([]float64) {}, ""},
		{"weight hidden behind a zero input", []float64{0, 1}, func(w []float64) { w[0] = math.NaN() }, "0.weight"},
		{"bias", []float64{0, 1}, func(w []float64) { w[6] = math.Inf(1) }, "0.bias"},
		{"overflow in the forward pass", []float64{1e200, 1}, func(w []float64) { w[0] = 1e200 }, "0.output"},
		{"overflow in the backward pass", []float64{1, 1}, func(w []float64) {
			for i := range w {
				w[i] = 1e90
			}
			w[9], w[10], w[11] = 1e200, 1e200, 1e200
		}, "0.cotangent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := make([]float64, n.Parameters())
			for i := range w {
				w[i] = 0.5
			}
			test.edit(w)
			if err := g.SetInputs(test.x); err != nil {
				t.Fatal(err)
			}
			if err := g.Run(w); err != nil {
				t.Fatal(err)
			}
			if got, _ := g.NonFinite(); got != test.want {
				t.Fatalf("found %q, want %q", got, test.want)
			}
		})
	}
}

func TestInitialise(t *testing.T) {
	n := mlp(t, Tanh, true, 300, 200, 10)
	for _, test := range []struct {
		scheme Scheme
		want   float64 // standard deviation of the first layer: 300 inputs, 200 outputs
	}{
		{GlorotNormal, math.Sqrt(2.0 / 500)}, {GlorotUniform, math.Sqrt(2.0 / 500)},
		{HeNormal, math.Sqrt(2.0 / 300)}, {HeUniform, math.Sqrt(2.0 / 300)},
		{Normal, math.Sqrt(1.0 / 300)}, {Zeros, 0},
	} {
		w, err := Initialise[float64](n, test.scheme, 1.5, 1)
		if err != nil {
			t.Fatal(err)
		}
		var square float64
		for _, v := range View(w, n.Layout()[0]) {
			square += v * v
		}
		// 60,000 draws: the standard error of a standard deviation is 0.3 %.
		if got, want := math.Sqrt(square/60000), 1.5*test.want; math.Abs(got-want) > 0.015*want {
			t.Errorf("%s: standard deviation %.5f, want %.5f", test.scheme, got, want)
		}
		for _, b := range View(w, n.Layout()[1]) {
			if b != 0 {
				t.Fatalf("%s: a bias starts at %g", test.scheme, b)
			}
		}
	}
	a, _ := Initialise[float64](n, GlorotNormal, 1, 7)
	b, _ := Initialise[float64](n, GlorotNormal, 1, 7)
	c, _ := Initialise[float64](n, GlorotNormal, 1, 8)
	if !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Error("the seed, and only the seed, decides the weights")
	}
	if _, err := Initialise[float64](n, "xavier", 1, 1); err == nil || !strings.Contains(err.Error(), "glorot-normal") {
		t.Errorf("unknown scheme: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	b := engine(t)
	for _, test := range []struct {
		name, want string
		do         func() error
	}{
		{"no layers", "nothing to train", func() error { _, err := New(Shape{3}); return err }},
		{"no inputs", "shape []", func() error { _, err := New(Shape{}, Dense{Out: 1}); return err }},
		{"nil layer", "layer 1 is nil", func() error { _, err := New(Shape{3}, Dense{Out: 1}, nil); return err }},
		{"width 0", "found 0", func() error { _, err := New(Shape{3}, Dense{}); return err }},
		{"vector into convolution", "takes images", func() error { _, err := New(Shape{3}, Conv2D{Filters: 1, Kernel: 1, Stride: 1}); return err }},
		{"kernel too large", "does not fit", func() error { _, err := New(Shape{1, 3, 3}, Conv2D{Filters: 1, Kernel: 5, Stride: 1}); return err }},
		{"stride 0", "stride of at least 1", func() error { _, err := New(Shape{1, 3, 3}, Conv2D{Filters: 1, Kernel: 1}); return err }},
		{"padding beyond the kernel", "smaller", func() error {
			_, err := New(Shape{1, 3, 3}, Conv2D{Filters: 1, Kernel: 2, Stride: 1, Padding: 2})
			return err
		}},
		{"shortcut of another shape", "block gives shape [3] and the shortcut [2]", func() error {
			_, err := New(Shape{2}, Residual{Layers: []Layer{Dense{Out: 3}}})
			return err
		}},
		{"empty residual", "at least 1 layer", func() error { _, err := New(Shape{2}, Residual{}); return err }},
		{"fault within a residual", "layer 1.block.0", func() error {
			_, err := New(Shape{2}, Dense{Out: 2}, Residual{Layers: []Layer{Dense{}}})
			return err
		}},
		{"epsilon", "epsilon above 0", func() error { _, err := New(Shape{2}, LayerNorm{}); return err }},
		{"normalising one value", "single value", func() error { _, err := New(Shape{1}, LayerNorm{Epsilon: 1}); return err }},
		{"custom without function", "no Function", func() error { _, err := New(Shape{1}, Custom{Name: "f"}); return err }},
		{"custom with a parameter twice", "two parameters", func() error {
			_, err := New(Shape{1}, Custom{Name: "f", Function: polynomial{}, Parameters: []Parameter{{Name: "a", Shape: []int{1}}, {Name: "a", Shape: []int{1}}}})
			return err
		}},
		{"global pooling of vectors", "takes images", func() error { _, err := New(Shape{3}, GlobalAvgPool{}); return err }},
		{"plain method of a custom layer", "no operations", func() error {
			n, err := New(Shape{1}, Custom{Name: "f", Function: polynomial{}}, Dense{Out: 1})
			if err != nil {
				t.Fatal(err)
			}
			j, err := NewJacobianFactors[float64](Plain, n, b, 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := j.SetInputs([]float64{1}); err != nil {
				t.Fatal(err)
			}
			return j.Run([]float64{1})
		}},
		{"window too large", "do not fit", func() error { _, err := New(Shape{1, 3, 3}, MaxPool2D{4}); return err }},
		{"image for an output", "output is a vector", func() error { _, err := New(Shape{1, 3, 3}, Conv2D{Filters: 1, Kernel: 1, Stride: 1}); return err }},
		{"image into dense", "flatten", func() error { _, err := New(Shape{1, 8, 8}, Dense{Out: 1}); return err }},
		{"activation", "tanh, relu", func() error { _, err := New(Shape{3}, Dense{Out: 1}, Activation{"tan"}); return err }},
		{"no rows", "at least 1", func() error { _, err := NewForward[float64](mlp(t, Tanh, true, 2, 1), b, 0); return err }},
		{"inputs", "found 3", func() error {
			f, err := NewForward[float64](mlp(t, Tanh, true, 2, 1), b, 1)
			if err != nil {
				return err
			}
			return f.SetInputs(make([]float64, 3))
		}},
		{"weights", "found 2", func() error {
			f, err := NewForward[float64](mlp(t, Tanh, true, 2, 1), b, 1)
			if err != nil {
				return err
			}
			return f.Run(make([]float64, 2))
		}},
	} {
		if err := test.do(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v does not say %q", test.name, err, test.want)
		}
	}
}

func TestLayoutIsGapless(t *testing.T) {
	n := mlp(t, Tanh, true, 5, 7, 3)
	offset := 0
	var names []string
	for _, p := range n.Layout() {
		if p.Offset != offset {
			t.Fatalf("%s starts at %d, want %d", p.Name, p.Offset, offset)
		}
		offset += p.Size()
		names = append(names, p.Name)
	}
	if offset != n.Parameters() || offset != 5*7+7+7*3+3 {
		t.Fatalf("P = %d, the tensors hold %d", n.Parameters(), offset)
	}
	if want := []string{"0.weight", "0.bias", "2.weight", "2.bias"}; !slices.Equal(names, want) {
		t.Fatalf("names %v, want %v", names, want)
	}
	if _, err := n.Layout().Find("4.weight"); err == nil {
		t.Fatal("a parameter that is not there was found")
	}
}

// At its kink relu has the slope 0, as in PyTorch, and a NaN stays one.
func TestReLUAtItsKink(t *testing.T) {
	z, got := []float64{-1, 0, 1, math.NaN()}, make([]float64, 4)
	slopes[float64](ReLU)(got, z, nil)
	if !slices.Equal(got[:3], []float64{0, 0, 1}) || !math.IsNaN(got[3]) {
		t.Errorf("slopes %v at %v", got, z)
	}
}

// In training the sums of a custom layer's gradients are those of its factors.
func TestGradientOfCustomLayers(t *testing.T) {
	for _, test := range networkCases(t) {
		if test.name != "custom layers" {
			continue
		}
		n, rows := test.net, test.rows
		g, err := NewGradient[float64](n, engine(t), rows, halfSquare{})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.SetInputs(random(2, rows*n.Input().Size())); err != nil {
			t.Fatal(err)
		}
		if err := g.SetTargets(random(3, rows*n.Outputs())); err != nil {
			t.Fatal(err)
		}
		if err := g.Run(random(1, n.Parameters())); err != nil {
			t.Fatal(err)
		}
		p := n.Parameters()
		perSample, sum := expand(n, g.Factors()), make([]float64, p)
		for i, v := range perSample {
			sum[i%p] += v
		}
		if e := relative(g.Sum(), sum); e > 1e-14 {
			t.Fatalf("relative difference %.2g", e)
		}
	}
}

// What is not kept shares memory: a convolutional network's Jacobian holds the
// cotangents of its weights' layers and few of the others.
func TestTemporariesShareMemory(t *testing.T) {
	n, err := New(Shape{1, 12, 12}, Conv2D{Filters: 4, Kernel: 3, Stride: 1, Padding: 1}, Activation{Tanh}, AvgPool2D{2},
		Conv2D{Filters: 4, Kernel: 3, Stride: 1, Padding: 1}, Activation{Tanh}, AvgPool2D{2}, Flatten{}, Dense{Out: 10})
	if err != nil {
		t.Fatal(err)
	}
	j, err := NewJacobian[float64](n, engine(t), 3)
	if err != nil {
		t.Fatal(err)
	}
	// Cotangents of two convolutions, seeds; of the temporaries, at most two of the
	// widest at a time; forward values and slopes.
	kept := 3*10*(4*144+4*36+10) + 2*3*10*4*144 + 3*(2*n.Widths()+144) + 2*n.Parameters()
	if got := j.Bytes() / 8; got > kept {
		t.Errorf("%d elements, at most %d are needed", got, kept)
	}
}

type halfSquare32 struct{}

func (halfSquare32) Evaluate(_, _ []float32, _ int, _ []float64, _ []float32) {}

// The estimate is what the evaluator takes: exactly as counted, and within a quarter
// of what is allocated for it.
func TestJacobianBytes(t *testing.T) {
	conv, err := New(Shape{1, 28, 28}, Conv2D{Filters: 8, Kernel: 5, Stride: 1, Bias: true}, Activation{Tanh}, MaxPool2D{2},
		Residual{Layers: []Layer{Conv2D{Filters: 8, Kernel: 3, Stride: 1, Padding: 1}, LayerNorm{1e-5, true}, Activation{Tanh}}}, Flatten{}, Dense{Out: 10})
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]*Network{"dense": mlp(t, Tanh, true, 784, 256, 256, 10), "convolutional": conv} {
		const rows = 40
		want, err := JacobianBytes[float32](n, rows)
		if err != nil {
			t.Fatal(err)
		}
		x, w := make([]float32, rows*784), make([]float32, n.Parameters())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		j, err := NewJacobian[float32](n, engine(t), rows)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.SetInputs(x); err != nil {
			t.Fatal(err)
		}
		if err := j.Run(w); err != nil {
			t.Fatal(err)
		}
		j.Factors()
		runtime.ReadMemStats(&after)
		g, err := NewGradient(n, engine(t), rows, halfSquare32{})
		if err != nil {
			t.Fatal(err)
		}
		if want, err := GradientBytes[float32](n, rows); err != nil || g.Bytes() != want {
			t.Errorf("%s: the gradient takes %d bytes, %d were estimated: %v", name, g.Bytes(), want, err)
		}
		if got := j.Bytes(); got != want {
			t.Errorf("%s: %d bytes, %d were estimated", name, got, want)
		}
		if testing.Short() {
			continue // the race detector allocates too
		}
		if got := float64(after.TotalAlloc - before.TotalAlloc); math.Abs(got-float64(want)) > 0.25*got {
			t.Errorf("%s: %g bytes were allocated, %d were estimated", name, got, want)
		}
	}
}
