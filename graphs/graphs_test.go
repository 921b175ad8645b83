package graphs

import (
	"math"
	"math/rand/v2"
	"slices"
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
			// Twice: nothing of a run may leak into the next.
			for _, weights := range [][]float64{random(4, len(w)), w} {
				if err := g.Run(weights); err != nil {
					t.Fatal(err)
				}
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
		for _, seed := range []uint64{7, 1} {
			if err := g.Run(random(seed, n.Parameters())); err != nil {
				t.Fatal(err)
			}
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

// A NaN is the largest of a window, wherever it stands, and of equal pixels the first counts:
// in windows of 2×2, which have code of their own, and of 3×3.
func TestMaxPoolKeepsNaNAndTheFirstOfEquals(t *testing.T) {
	for _, size := range []int{2, 3} {
		w := newWindow(Shape{1, size, size}, size, size)
		for at := range size * size {
			image, to, largest := make([]float64, size*size), make([]float64, 1), make([]int32, 1)
			image[at] = math.NaN()
			if maxPool(w, image, to, largest); !math.IsNaN(to[0]) {
				t.Errorf("%d×%d: a NaN at pixel %d vanishes behind %g", size, size, at, to[0])
			}
			clear(image)
			for i := at; i < len(image); i++ {
				image[i] = 1
			}
			if maxPool(w, image, to, largest); to[0] != 1 || int(largest[0]) != at {
				t.Errorf("%d×%d: the first of equals from pixel %d on is %d", size, size, at, largest[0])
			}
		}
	}
}
