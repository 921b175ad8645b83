package pathkernel

import (
	"math"
	"slices"
	"testing"
)

// A rule of order o integrates polynomials of degree below o exactly, and not
// the next power: midpoint and trapezoid 1, Gauss with k nodes 2k−1, left 0.
func TestRulesIntegratePolynomials(t *testing.T) {
	for _, name := range []string{"left", "trapezoid", "midpoint-1", "midpoint-3", "gauss-1", "gauss-2", "gauss-3", "gauss-8"} {
		r, err := ParseRule(name)
		if err != nil {
			t.Fatal(err)
		}
		if r.Name != name {
			t.Errorf("%s names itself %s", name, r.Name)
		}
		if !slices.IsSorted(r.Nodes) || r.Nodes[0] < 0 || r.Nodes[len(r.Nodes)-1] > 1 || len(r.Nodes) != len(r.Weights) {
			t.Errorf("%s: nodes %v, weights %v", name, r.Nodes, r.Weights)
		}
		for degree := 0; degree <= r.Order; degree++ {
			var sum float64
			for k, x := range r.Nodes {
				sum += r.Weights[k] * math.Pow(x, float64(degree))
			}
			// Nodes are good to some ulps. The first power that a rule misses, it misses
			// by far more, up to gauss-8 (1e-10).
			if miss := math.Abs(sum - 1/float64(degree+1)); (miss < 1e-12) != (degree < r.Order) {
				t.Errorf("%s of order %d misses x^%d by %.2g", name, r.Order, degree, miss)
			}
		}
	}
}

func TestParseRuleRefuses(t *testing.T) {
	for _, name := range []string{"", "Left", "gauss", "gauss-", "gauss-0", "gauss--1", "gauss-65", "gauss-03", "gauss-2x", "midpoint-1.5", "simpson-2", "left-1"} {
		if r, err := ParseRule(name); err == nil {
			t.Errorf("%q gave the rule %s", name, r.Name)
		}
	}
}

func TestMeasureRefuses(t *testing.T) {
	if _, err := NewMeasure("flow", Gauss(2)); err == nil {
		t.Error("flow took gauss-2, which has nodes between snapshots")
	}
	if _, err := NewMeasure("inexact", Left()); err == nil {
		t.Error("an unknown family was taken")
	}
}

// Σ_s (η_s/2)(h_s+h_{s+1}) on h_s = s, with unequal steps.
func TestFlowMeasuresSumSnapshots(t *testing.T) {
	rates := []float64{0.5, 0.25, 1}
	for rule, want := range map[string]float64{
		"left":      0.5*0 + 0.25*1 + 1*2,
		"trapezoid": 0.5*0.5 + 0.25*1.5 + 1*2.5,
	} {
		r, err := ParseRule(rule)
		if err != nil {
			t.Fatal(err)
		}
		m, err := NewMeasure(FlowFamily, r)
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		for s, η := range rates {
			sum += m.Step(η)[0] * float64(s)
		}
		sum += m.Finish() * float64(len(rates))
		if math.Abs(sum-want) > 1e-15 {
			t.Errorf("flow/%s: %g, want %g", rule, sum, want)
		}
	}
}
