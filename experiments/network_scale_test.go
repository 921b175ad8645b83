package experiments

import (
	"math"
	"reflect"
	"testing"

	"pkm/graphs"
)

// With n inputs to every layer, descent in the parameterisation of the tangent kernel is descent in the standard one at a
// learning rate divided by n: both runs have the same outputs and contributions. Fails if the factor 1/√n is missing from
// the outputs, or from the Jacobian.
func TestParameterizationsTrainAlike(t *testing.T) {
	const text = `
name: parameterization
data: {source: linear, features: 8, train: 12, query: 5}
network: {hidden: [8, 8], activation: softplus, softplus_beta: 10, bias: false, init: {scheme: normal}}
loss: {kind: squared-error}
training: {steps: 20, optimizer: {learning_rate: 0.01}}
machines: [{name: exact, family: exact, rule: gauss-3}, {name: flow, family: flow, rule: trapezoid}]
`
	standard := mustExecute(t, text)
	ntk := mustExecute(t, text, "network.parameterization=ntk", "network.init.scheme=standard-normal", "training.optimizer.learning_rate=0.08")
	for _, name := range []string{"outputs_initial", "outputs_final", "exact/contributions", "flow/contributions", "exact/residual"} {
		a, b := readArray[float64](t, standard.Path, name), readArray[float64](t, ntk.Path, name)
		for i := range a {
			// Rounding of outputs of order 1 over 20 steps.
			if math.Abs(a[i]-b[i]) > 1e-12 {
				t.Fatalf("%s[%d] is %.17g and %.17g", name, i, a[i], b[i])
			}
		}
	}
	if before, after := readArray[float64](t, ntk.Path, "outputs_initial"), readArray[float64](t, ntk.Path, "outputs_final"); math.Abs(before[0]-after[0]) < 1e-3 {
		t.Errorf("training moved an output from %g to %g only", before[0], after[0])
	}
	if report, err := Verify(ntk.Path); err != nil || !report.OK() {
		t.Errorf("verify: %v, %+v", err, report)
	}
}

// The short forms put scalings where they belong: before each layer with weights, and around a softplus of another β.
func TestScaledNetwork(t *testing.T) {
	conv, dense := graphs.Conv2D{Filters: 3, Kernel: 2, Stride: 1}, graphs.Dense{Out: 4}
	n, err := graphs.New(graphs.Shape{2, 3, 3}, conv, graphs.Flatten{}, dense)
	if err != nil {
		t.Fatal(err)
	}
	got := withScales([]graphs.Layer{conv, graphs.Flatten{}, dense}, n.Layout())
	want := []graphs.Layer{graphs.Scale{Factor: 1 / math.Sqrt(8)}, conv, graphs.Flatten{}, graphs.Scale{Factor: 1 / math.Sqrt(12)}, dense}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	softplus := graphs.Activation{Kind: graphs.Softplus}
	for β, want := range map[float64][]graphs.Layer{1: {softplus}, 4: {graphs.Scale{Factor: 4}, softplus, graphs.Scale{Factor: 0.25}}} {
		if got := (Network{Activation: "softplus", SoftplusBeta: β}).activation(); !reflect.DeepEqual(got, want) {
			t.Errorf("β = %g: got %v, want %v", β, got, want)
		}
	}
}
