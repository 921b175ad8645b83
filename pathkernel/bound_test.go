package pathkernel

import (
	"math"
	"slices"
	"testing"
)

// Two samples and one weight, three snapshots with numbers that are exact: g = (2, 4), (1, −1), (0, 2) at
// times 0, ½ and 2, so that the trapezoid's weights are ¼, 1 and ¾.
//
//	K_T(z_1, z_1) = 4/4 + 1 + 0     = 2
//	K_T(z_2, z_2) = 16/4 + 1 + 4·¾  = 8
//	B²            = 9/4 + 0 + ¾     = 3     from ∇L = 3, 0, 1
func TestLossPathByHand(t *testing.T) {
	p := NewLossPath(2)
	p.Step(0.5, []float64{4, 16}, []float64{3})
	state := p.State()
	if p = NewLossPath(2); p.Restore(state) != nil { // and on from there
		t.Fatal("its own state is refused")
	}
	p.Step(1.5, []float64{1, 1}, []float64{0})
	p.Finish([]float64{0, 4}, []float64{1})
	if got := p.Diagonal(); !slices.Equal(got, []float64{2, 8}) {
		t.Errorf("K_T(z_i, z_i) = %v, want 2 and 8", got)
	}
	if got, want := p.Norm(), math.Sqrt(3); got != want {
		t.Errorf("B = %g, want √3", got)
	}
	if got, want := p.Complexity(), math.Sqrt(3)/2*math.Sqrt(10); math.Abs(got-want) > 1e-15 {
		t.Errorf("complexity %g, want %g", got, want)
	}
	if p.Restore(state[1:]) == nil {
		t.Error("the state of another number of samples is taken")
	}
}

// The flow of ½w² from w = 2 is w = 2e^{−τ}: K_T = B² = ∫w² dτ = 2(1 − e^{−2T}), the fall of the loss. The
// trapezoid rule misses h²/12·(w²)″, some 1e-6.
func TestLossPathOfOneWeight(t *testing.T) {
	const h, steps = 1.0 / 1024, 1024
	p := NewLossPath(1)
	for s := range steps + 1 {
		w := 2 * math.Exp(-h*float64(s))
		if s == steps {
			p.Finish([]float64{w * w}, []float64{w})
			break
		}
		p.Step(h, []float64{w * w}, []float64{w})
	}
	want := 2 * (1 - math.Exp(-2))
	for what, got := range map[string]float64{"K_T": p.Diagonal()[0], "B²": p.Norm() * p.Norm(), "complexity": p.Complexity()} {
		if math.Abs(got-want) > 2e-6 {
			t.Errorf("%s = %.9g, want %.9g", what, got, want)
		}
	}
}

// 3·2·√(ln 40/200) with δ = 0.05 and a hundred samples.
func TestDeviation(t *testing.T) {
	if got, want := Deviation(100, 0.95, 2), 6*math.Sqrt(math.Log(40)/200); math.Abs(got-want) > 1e-12 {
		t.Errorf("%g, want %g", got, want)
	}
}
