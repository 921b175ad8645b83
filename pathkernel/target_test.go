package pathkernel

import (
	"math"
	"testing"
)

// Combined factors are those of the combined outputs.
func TestCombineEqualsExplicitProduct(t *testing.T) {
	const rows, c, k = 3, 4, 2
	weights := make([]float64, rows*k*c)
	for i := range weights {
		weights[i] = math.Sin(float64(i))
	}
	for name, net := range map[string]network{
		"dense":            {widths: []int{3, 5, 4, c}, bias: true, unit: true, shared: true},
		"formed gradients": {widths: []int{3, 5, 4, c}, bias: true, explicit: true},
		"shared weights":   {widths: []int{3, 5, c}, bias: true, positions: 3},
	} {
		factors := net.factors(1, 2, rows, c)
		p := net.parameters()
		j, want := Explicit(factors, p), make([]float64, rows*k*p)
		for r := range rows * k {
			for o := range c {
				for q := range p {
					want[r*p+q] += weights[r*c+o] * j[(r/k*c+o)*p+q]
				}
			}
		}
		if d := maxDifference(Explicit(Combine(factors, weights), p), want); d > 1e-14 {
			t.Errorf("%s: relative difference %.2g", name, d)
		}
	}
}

// Log-probabilities of large logits stay finite, and their derivatives are those of central
// differences, which are good to 1e-9.
func TestLogProbability(t *testing.T) {
	for _, f := range [][]float64{{0.3, -1, 2}, {1000, 999, -1000}} {
		target := LogProbability{Classes: 3}
		values, derivatives, up, down, scratch := make([]float64, 3), make([]float64, 9), make([]float64, 3), make([]float64, 3), make([]float64, 9)
		target.Evaluate(0, f, values, derivatives)
		var total float64
		for _, v := range values {
			total += math.Exp(v)
		}
		if math.Abs(total-1) > 1e-12 {
			t.Errorf("%v: probabilities sum to %g", f, total)
		}
		const h = 1e-5
		for k := range f {
			moved := append([]float64(nil), f...)
			moved[k] = f[k] + h
			target.Evaluate(0, moved, up, scratch)
			moved[k] = f[k] - h
			target.Evaluate(0, moved, down, scratch)
			for c := range f {
				if d := (up[c] - down[c]) / (2 * h); math.Abs(d-derivatives[c*3+k]) > 1e-7 {
					t.Errorf("%v: derivative of %d by %d is %g, differences give %g", f, c, k, derivatives[c*3+k], d)
				}
			}
		}
	}
}
