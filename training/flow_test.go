package training

import (
	"context"
	"math"
	"strings"
	"testing"

	"pkm/graphs"
)

// The order conditions up to order 5 of quadrature, and those that the row sums c_i satisfy
// (Hairer, Nørsett and Wanner, §II.1): Σb_i c_i^q = 1/(q+1), and for the embedded solution
// up to order 4.
func TestDormandPrinceOrderConditions(t *testing.T) {
	p := dormandPrince()
	c := make([]float64, len(p.b))
	for i, row := range p.a {
		for _, a := range row {
			c[i] += a
		}
	}
	for i, want := range []float64{0, 0.2, 0.3, 0.8, 8.0 / 9, 1, 1} {
		if math.Abs(c[i]-want) > 1e-14 {
			t.Errorf("c_%d = %g, want %g", i+1, c[i], want)
		}
	}
	for q := range 5 {
		var sum, embedded, nested float64
		for i := range c {
			sum += p.b[i] * math.Pow(c[i], float64(q))
			embedded += (p.b[i] - p.e[i]) * math.Pow(c[i], float64(q))
			for j, a := range p.a[i] {
				nested += p.b[i] * a * math.Pow(c[j], float64(q))
			}
		}
		if math.Abs(sum-1/float64(q+1)) > 1e-14 {
			t.Errorf("Σ b c^%d = %g", q, sum)
		}
		if q < 4 && math.Abs(embedded-1/float64(q+1)) > 1e-14 {
			t.Errorf("Σ b̂ c^%d = %g", q, embedded)
		}
		if q < 4 && math.Abs(nested-1/float64((q+1)*(q+2))) > 1e-14 {
			t.Errorf("Σ b a c^%d = %g", q, nested)
		}
	}
}

// flowEnd follows the flow of the small problem.
func flowEnd(t *testing.T, o FlowOptions) (Result[float64], *keeper[float64]) {
	t.Helper()
	l, kept := small[float64](t), newKeeper[float64]()
	l.BatchSize, l.Steps, l.Flow, l.Hooks = 0, 100000, &o, []Hook[float64]{kept}
	result, err := l.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return result, kept
}

func distance(a, b []float64) float64 {
	var d float64
	for i := range a {
		d = max(d, math.Abs(a[i]-b[i]))
	}
	return d
}

// slope fits log y = slope·log x + constant.
func slope(x, y []float64) float64 {
	var mx, my, xy, xx float64
	n := float64(len(x))
	for i := range x {
		mx += math.Log(x[i]) / n
		my += math.Log(y[i]) / n
	}
	for i := range x {
		xy += (math.Log(x[i]) - mx) * (math.Log(y[i]) - my)
		xx += (math.Log(x[i]) - mx) * (math.Log(x[i]) - mx)
	}
	return xy / xx
}

// One linear unit on ½(wx−y)²: w(τ) = y/x + (w_0 − y/x)e^{−x²τ}.
func TestFlowOfALinearUnit(t *testing.T) {
	l := &Loop[float64]{Network: network(t, graphs.Dense{Out: 1}), Engine: gonum(t), Loss: SquaredError[float64]{}, Inputs: []float64{1.5}, Targets: []float64{3},
		Initial: []float64{-1}, Steps: 1000, Flow: &FlowOptions{Time: 0.7, RelativeTolerance: 1e-10, AbsoluteTolerance: 1e-12}}
	result, err := l.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 - 3*math.Exp(-2.25*0.7); math.Abs(result.Weights[0]-want) > 1e-9 {
		t.Errorf("w = %.12g, want %.12g", result.Weights[0], want)
	}
}

// With steps of fixed length the error of the end point falls with the fifth power.
func TestFlowOrder(t *testing.T) {
	reference, _ := flowEnd(t, FlowOptions{Time: 1, RelativeTolerance: 1e-13, AbsoluteTolerance: 1e-15})
	var lengths, errors []float64
	for _, n := range []float64{8, 12, 16, 24} { // errors from 5e-11 to 2e-13, above rounding
		h := 1 / n
		end, _ := flowEnd(t, FlowOptions{Time: 1, RelativeTolerance: 1, AbsoluteTolerance: 1, FixedStep: h})
		if float64(end.Steps) != n {
			t.Fatalf("%d steps of %g", end.Steps, h)
		}
		lengths, errors = append(lengths, h), append(errors, distance(end.Weights, reference.Weights))
	}
	if s := slope(lengths, errors); math.Abs(s-5) > 0.25+0.1 {
		t.Errorf("order %.2f, errors %.2g", s, errors)
	}
}

// The error follows the tolerance: control by the error of a step gives a slope of 5/5 on
// average, since a step's error is what the next tolerance asks for.
func TestFlowTolerance(t *testing.T) {
	reference, _ := flowEnd(t, FlowOptions{Time: 8, RelativeTolerance: 1e-13, AbsoluteTolerance: 1e-15})
	var tolerances, errors []float64
	for _, tolerance := range []float64{1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9} {
		end, _ := flowEnd(t, FlowOptions{Time: 8, RelativeTolerance: tolerance, AbsoluteTolerance: tolerance / 100})
		tolerances, errors = append(tolerances, tolerance), append(errors, distance(end.Weights, reference.Weights))
	}
	if s := slope(tolerances, errors); s < 0.7 || s > 1.3 {
		t.Errorf("slope %.2f, errors %.2g", s, errors)
	}
}

// Descent with learning rate η leaves the flow by O(η) at a fixed time.
func TestDescentApproachesTheFlow(t *testing.T) {
	const time = 8
	reference, _ := flowEnd(t, FlowOptions{Time: time, RelativeTolerance: 1e-12, AbsoluteTolerance: 1e-14})
	var rates, errors []float64
	for _, η := range []float64{0.2, 0.1, 0.05, 0.025} {
		l := small[float64](t)
		l.BatchSize, l.Steps, l.LearningRate, l.Optimizer, l.Schedule = 0, int(math.Round(time/η)), η, Options{}, ScheduleOptions{}
		end, err := l.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		rates, errors = append(rates, η), append(errors, distance(end.Weights, reference.Weights))
	}
	if s := slope(rates, errors); math.Abs(s-1) > 0.25 {
		t.Errorf("order %.2f, differences %.2g", s, errors)
	}
}

func TestFlowRefusals(t *testing.T) {
	for want, edit := range map[string]func(l *Loop[float64]){
		"to time 0":                           func(l *Loop[float64]) { l.Flow.Time = 0 },
		"tolerances 0":                        func(l *Loop[float64]) { l.Flow.RelativeTolerance = 0 },
		"cannot be negative":                  func(l *Loop[float64]) { l.Flow.MaxStep = -1 },
		"that of all samples":                 func(l *Loop[float64]) { l.BatchSize = 2 },
		"of 8 after 3 steps":                  func(l *Loop[float64]) { l.Steps = 3 },
		"lower training.optimizer.fixed_step": func(l *Loop[float64]) { l.Inputs[0] = 1e308; l.Initial[0] = 1e10 },
	} {
		l := small[float64](t)
		l.BatchSize, l.Flow = 0, &FlowOptions{Time: 8, RelativeTolerance: 1e-8, AbsoluteTolerance: 1e-10}
		edit(l)
		if _, err := l.Run(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}
