package pathkernel

import (
	"math"
	"slices"
	"testing"
)

// Three queries, one output, two samples. Of sample 0 the kernels are 2, −1.999 and 0, which nearly cancel, the numerators
// 1, 0.5 and 3: ā = (1 − 0.5)/3.999, and the query of no kernel has no say. Of sample 1 they have one sign:
// K = 1, 2, 1, q = 1, 4, −1: ā = 4/4. An average by Σq/ΣK would give sample 0 the coefficient 4500.
func TestAveragedCoefficientsByHand(t *testing.T) {
	m := machine(t, FlowFamily, "left", TraceKernel, 3, 1, 2)
	copy(m.pathKernel, []float64{2, 1, -1.999, 2, 0, 1})
	copy(m.contributions, []float64{1, 1, 0.5, 4, 3, -1})
	const a = 0.5 / 3.999
	closeTo(t, "one output", m.PredictAveraged([]float64{10, 20, 30}), 1e-14, 10+2*a+1, 20-1.999*a+2, 30+1)
	// Two queries, two outputs, one sample, K[m,c,c′]: 1 and 3 on the diagonal, 1 and −1 off it, which cancels altogether.
	m = machine(t, FlowFamily, "left", FullKernel, 2, 2, 1)
	copy(m.pathKernel, []float64{1, 1, 1, 1 /* query 1 */, 3, -1, -1, 3})
	copy(m.numerators, []float64{2, 1, 0, 2 /* query 1 */, 2, -3, 4, 6})
	// ā = [[4/4, (1+3)/2], [(0−4)/2, 8/4]]
	closeTo(t, "two outputs", m.PredictAveraged(make([]float64, 4)), 1e-14, 1+2, -2+2, 3-2, 2+6)
}

// What an average over the queries promises, for kernels of both signs: with one query it is the machine's own coefficient;
// with more each coefficient lies between those of the queries, as they are recovered from predictions with the
// kernels of one sample and pair of outputs at a time.
func TestAveragedCoefficientsLieBetweenThoseOfQueries(t *testing.T) {
	const outputs, samples = 2, 3
	net := network{widths: []int{3, 4, outputs}, bias: true}
	signs := 0
	for _, queries := range []int{1, 4} {
		m := machine(t, FlowFamily, "left", FullKernel, queries, outputs, samples)
		p := path(t, m)
		gradient := net.factors(2, 31, samples, 1)
		for s := range 2 {
			jacobian := net.factors(2, 31, samples, outputs)
			for l := range jacobian {
				jacobian[l].Input = gradient[l].Input
			}
			p.Begin(0.1)
			derivatives := []float64{1, -2, 0.5, 1, -1, float64(s)}
			p.Add([][]Factor[float64]{net.factors(1, uint64(5+s), queries, outputs)}, Block[float64]{Gradient: gradient, Jacobian: jacobian, Derivatives: derivatives}, samples)
		}
		initial := make([]float64, queries*outputs)
		if queries == 1 {
			want := append([]float64(nil), initial...)
			for i, v := range m.numerators { // Q, too: the made-up gradients are not Jᵀℓ′
				want[i/(samples*outputs)] += v
			}
			closeTo(t, "one query", m.PredictAveraged(initial), 1e-12, want...)
			continue
		}
		kernel, coefficients := slices.Clone(m.pathKernel), m.Coefficients()
		const size = outputs * samples * outputs
		for j := range size {
			clear(m.pathKernel)
			var own []float64
			negative := false
			for q := range queries {
				m.pathKernel[q*size+j] = kernel[q*size+j]
				own = append(own, coefficients[q*size+j])
				negative = negative || kernel[q*size+j]*kernel[j] < 0
			}
			if negative {
				signs++
			}
			out := m.PredictAveraged(initial)
			for q := range queries {
				a := out[q*outputs+j/(samples*outputs)] / kernel[q*size+j]
				if slack := 1e-12 * math.Abs(a); a < slices.Min(own)-slack || a > slices.Max(own)+slack {
					t.Errorf("coefficient %d is %g, those of the queries %v", j, a, own)
				}
			}
		}
	}
	if signs == 0 {
		t.Error("no kernel changes its sign between queries: the test tests nothing")
	}
	if machine(t, FlowFamily, "left", TraceKernel, 1, 2, 1).PredictAveraged([]float64{0, 0}) != nil {
		t.Error("a machine without coefficients made a prediction")
	}
}
