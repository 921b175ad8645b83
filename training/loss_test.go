package training

import (
	"math"
	"slices"
	"testing"

	"pkm/graphs"
)

func evaluate(l graphs.Loss[float64], f, y []float64, classes int) ([]float64, []float64) {
	losses, derivatives := make([]float64, len(f)/classes), make([]float64, len(f))
	l.Evaluate(f, y, classes, losses, derivatives)
	return losses, derivatives
}

func TestLossesByHand(t *testing.T) {
	ln2 := math.Ln2
	for _, test := range []struct {
		name        string
		loss        graphs.Loss[float64]
		f, y        []float64
		classes     int
		losses      []float64
		derivatives []float64
	}{
		{"even logits", CrossEntropy[float64]{}, []float64{0, 0, 3, 3}, []float64{1, 0, 0, 1}, 2, []float64{ln2, ln2}, []float64{-0.5, 0.5, 0.5, -0.5}},
		{"huge logits, right", CrossEntropy[float64]{}, []float64{1e300, 0}, []float64{1, 0}, 2, []float64{0}, []float64{0, 0}},
		{"huge logits, wrong", CrossEntropy[float64]{}, []float64{1e4, 0}, []float64{0, 1}, 2, []float64{1e4}, []float64{1, -1}},
		{"huge negative logits", CrossEntropy[float64]{}, []float64{-1e4, -1e4}, []float64{0, 1}, 2, []float64{ln2}, []float64{0.5, -0.5}},
		{"squares", SquaredError[float64]{}, []float64{3, 1, 0, 0}, []float64{1, 1, 0, 2}, 2, []float64{2, 2}, []float64{2, 0, 0, -2}},
	} {
		losses, derivatives := evaluate(test.loss, test.f, test.y, test.classes)
		for i, want := range test.losses {
			if math.Abs(losses[i]-want) > 1e-15*max(1, math.Abs(want)) {
				t.Errorf("%s: ℓ = %v, want %v", test.name, losses, test.losses)
			}
		}
		for i, want := range test.derivatives {
			if math.Abs(derivatives[i]-want) > 1e-15 {
				t.Errorf("%s: ℓ′ = %v, want %v", test.name, derivatives, test.derivatives)
			}
		}
	}
}

// Central differences with h = 1e-6 are good to 1e-9.
func TestLossDerivatives(t *testing.T) {
	const h = 1e-6
	f, y := []float64{0.3, -1.2, 2, 0.1, 0.2, 0.3}, []float64{0, 1, 0, 1, 0, 0}
	for _, name := range Losses() {
		l, err := NewLoss[float64](name)
		if err != nil {
			t.Fatal(err)
		}
		_, derivatives := evaluate(l, f, y, 3)
		for i := range f {
			up, down := slices.Clone(f), slices.Clone(f)
			up[i] += h
			down[i] -= h
			a, _ := evaluate(l, up, y, 3)
			b, _ := evaluate(l, down, y, 3)
			if numeric := (a[i/3] - b[i/3]) / (2 * h); math.Abs(numeric-derivatives[i]) > 1e-8 {
				t.Errorf("%s: ∂ℓ/∂f[%d] = %g, numerically %g", name, i, derivatives[i], numeric)
			}
		}
	}
	if _, err := NewLoss[float64]("hinge"); err == nil {
		t.Error("an unknown loss was found")
	}
}

func TestLossesShowNaN(t *testing.T) {
	for _, name := range Losses() {
		l, _ := NewLoss[float64](name)
		for _, f := range [][]float64{{math.NaN(), 1}, {1, math.NaN()}, {math.Inf(1), 0}} {
			if losses, _ := evaluate(l, f, []float64{0, 1}, 2); !math.IsNaN(losses[0]) && !math.IsInf(losses[0], 0) {
				t.Errorf("%s of %v is %v", name, f, losses)
			}
		}
	}
}

func TestOneHotAndAccuracy(t *testing.T) {
	y, err := OneHot[float32]([]int{2, 0}, 3)
	if err != nil || !slices.Equal(y, []float32{0, 0, 1, 1, 0, 0}) {
		t.Errorf("one-hot of 2, 0: %v, %v", y, err)
	}
	for _, label := range []int{-1, 3} {
		if _, err := OneHot[float32]([]int{label}, 3); err == nil {
			t.Errorf("label %d of 3 classes was taken", label)
		}
	}
	if a := Accuracy([]float64{1, 2, 2, 1, 0, 0}, []int{1, 1, 0}); a != 2.0/3 {
		t.Errorf("accuracy %g, want 2/3", a)
	}
}
