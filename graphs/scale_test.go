package graphs

import (
	"math"
	"strings"
	"testing"
)

// A network in the parameterisation of the neural tangent kernel is the standard one whose
// weights are divided by √d_in, and so are the Jacobian's columns. Fails if the factor is
// missing from either.
func TestTangentParameterisation(t *testing.T) {
	hidden, root := 6, math.Sqrt
	standard, err := New(Shape{4}, Dense{Out: hidden, Bias: true}, Activation{Tanh}, Dense{Out: 2})
	if err != nil {
		t.Fatal(err)
	}
	ntk, err := New(Shape{4}, Scale{1 / root(4)}, Dense{Out: hidden, Bias: true}, Activation{Tanh}, Scale{1 / root(float64(hidden))}, Dense{Out: 2})
	if err != nil {
		t.Fatal(err)
	}
	w, x := random(1, ntk.Parameters()), random(2, 3*4)
	divisors := make([]float64, len(w)) // 1 for biases
	for _, p := range ntk.Layout() {
		for i := range View(divisors, p) {
			divisors[p.Offset+i] = root(float64(max(1, p.FanIn)))
		}
	}
	divided := make([]float64, len(w))
	for i := range w {
		divided[i] = w[i] / divisors[i]
	}
	f, j := jacobianAt(t, ntk, w, x)
	g, k := jacobianAt(t, standard, divided, x)
	for i := range k {
		k[i] /= divisors[i%len(w)]
	}
	// Rounding of sums of ten terms.
	if off := max(relative(f, g), relative(j, k)); off > 1e-14 {
		t.Errorf("the parameterisations differ by %.3g", off)
	}
}

// jacobianAt returns the outputs and Jacobians of three samples.
func jacobianAt(t *testing.T, n *Network, w, x []float64) (f, j []float64) {
	t.Helper()
	e, err := NewJacobian[float64](n, engine(t), 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SetInputs(x); err != nil {
		t.Fatal(err)
	}
	if err := e.Run(w); err != nil {
		t.Fatal(err)
	}
	return append([]float64(nil), e.Outputs()...), expand(n, e.Factors())
}

// softplus_β has the value log(1+e^{βz})/β. Fails if β is lost on either side.
func TestSoftplusOfBeta(t *testing.T) {
	const β = 10
	n, err := New(Shape{1}, Scale{β}, Activation{Softplus}, Scale{1.0 / β}, Dense{Out: 1})
	if err != nil {
		t.Fatal(err)
	}
	x := []float64{-0.3, 0, 0.2}
	f, _ := jacobianAt(t, n, []float64{1}, x)
	for i, z := range x {
		if want := math.Log1p(math.Exp(β*z)) / β; math.Abs(f[i]-want) > 1e-15 {
			t.Errorf("softplus of %g is %.17g, want %.17g", z, f[i], want)
		}
	}
}

// Scaled data do not change with the weights, which halves the first layer's work; scaled
// activations do.
func TestScaledDataAreFixed(t *testing.T) {
	n, err := New(Shape{4}, Scale{2}, Scale{3}, Dense{Out: 5}, Scale{2}, Dense{Out: 2})
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewJacobian[float64](n, engine(t), 3)
	if err != nil {
		t.Fatal(err)
	}
	if f := e.Factors(); !f[0].FixedInput || f[1].FixedInput {
		t.Errorf("fixed inputs: %v, %v", f[0].FixedInput, f[1].FixedInput)
	}
}

func TestScaleRefuses(t *testing.T) {
	for _, factor := range []float64{0, math.NaN(), math.Inf(1)} {
		if _, err := New(Shape{3}, Scale{factor}, Dense{Out: 1}); err == nil || !strings.Contains(err.Error(), "other than 0") {
			t.Errorf("factor %g: %v", factor, err)
		}
	}
}
