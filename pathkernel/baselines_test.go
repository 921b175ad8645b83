package pathkernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// closeTo fails where values differ by more than a tolerance.
func closeTo(t *testing.T, what string, got []float64, tolerance float64, want ...float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tolerance) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}

// K = [[2, 1], [1, 2]], tr K/N = 2, λ = ½: (K + I)α = Y with Y = [1, 2] and [0, 1] in columns.
// The inverse of [[3, 1], [1, 3]] is [[3, −1], [−1, 3]]/8.
func TestRidgeByHand(t *testing.T) {
	kernel := []float64{2, 1, 1, 2}
	alpha, err := Ridge(kernel, []float64{1, 0, 2, 1}, 2, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "α", alpha, 1e-15, 1./8, -1./8, 5./8, 3./8)
	closeTo(t, "predictions", PredictKernel([]float64{2, 1, 0, 8}, alpha, 2), 1e-15, 7./8, 1./8, 5, 3)
	if _, err := Ridge([]float64{1, 2, 2, 1}, []float64{1, 1}, 2, 1e-3); err == nil {
		t.Error("an indefinite kernel was factorised")
	}
	if _, err := Ridge(kernel, []float64{1, 1}, 2, 0); err == nil {
		t.Error("a ridge of 0 was taken")
	}
}

// The dual of the support vector machines is solved: its conditions of optimality hold at every
// sample, margins above 1 without weight, below 1 with all of it, 1 in between. 1e-5 for a
// solution to 1e-6.
func TestSVMIsOptimal(t *testing.T) {
	const n, classes, penalty = 30, 3, 0.7
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float64, n*2)
	labels := make([]int, n)
	for i := range n {
		labels[i] = i % classes
		x[i*2], x[i*2+1] = r.NormFloat64()+float64(labels[i]), r.NormFloat64()-float64(labels[i])
	}
	kernel := gram(x, n)
	alpha, err := SVM(kernel, labels, classes, penalty)
	if err != nil {
		t.Fatal(err)
	}
	scores, scale := PredictSVM(kernel, alpha, kernel, n), meanDiagonal(kernel, n)
	free := 0
	for c := range classes {
		for i, l := range labels {
			y := -1.0
			if l == c {
				y = 1
			}
			a, margin := alpha[i*classes+c]*y*scale, y*scores[i*classes+c]
			switch {
			case a < -1e-12 || a > penalty+1e-12:
				t.Errorf("class %d, sample %d: α = %g", c, i, a)
			case a < 1e-12 && margin < 1-1e-5, a > penalty-1e-12 && margin > 1+1e-5:
				t.Errorf("class %d, sample %d: α = %g beside a margin of %g", c, i, a, margin)
			case a >= 1e-12 && a <= penalty-1e-12:
				if free++; math.Abs(margin-1) > 1e-5 {
					t.Errorf("class %d, sample %d: α = %g beside a margin of %g", c, i, a, margin)
				}
			}
		}
	}
	if free == 0 {
		t.Error("no sample lies on the margin: the test tests nothing")
	}
	// Two classes: x = ±1, K = [[1, −1], [−1, 1]]. With the bias Q = [[2, 0], [0, 2]], α = ½, f(x) = x/2 + x/2.
	two := []float64{1, -1, -1, 1}
	alpha, err = SVM(two, []int{1, 0}, 2, 10)
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "two classes", PredictSVM(two, alpha, two, 2), 1e-9, -1, 1, 1, -1)
}

func TestSpectraByHand(t *testing.T) {
	values, err := Spectrum([]float64{2, 1, 1, 2}, 2)
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "spectrum", values, 1e-15, 3, 1)
	closeTo(t, "ranks", []float64{EffectiveRank([]float64{5, 5, 0, -1e-20}), ParticipationRatio([]float64{5, 5, 0}), EffectiveRank([]float64{7, 0}),
		EffectiveRank([]float64{3, 1}), ParticipationRatio([]float64{3, 1})}, 1e-12, 2, 2, 1, 4/math.Pow(3, 0.75), 1.6)
	y := []float64{1, 0, 0, 1, 1, 0}
	closeTo(t, "alignment", []float64{Alignment(gram(y, 3), y, 3), CenteredAlignment(gram(y, 3), y, 3)}, 1e-15, 1, 1)
	shifted := gram(y, 3)
	for i := range shifted {
		shifted[i] += 100 // a constant, which centring takes away
	}
	if a, c := Alignment(shifted, y, 3), CenteredAlignment(shifted, y, 3); a > 0.9 || math.Abs(c-1) > 1e-12 {
		t.Errorf("alignment %g, centred %g", a, c)
	}
	closeTo(t, "distance", []float64{KernelDistance([]float64{1, 0, 0, 1}, []float64{7, 0, 0, 7}), KernelDistance([]float64{1, 0, 0, 0}, []float64{0, 0, 0, 1})}, 1e-15, 0, 1)
	if _, err := Spectrum([]float64{1, 2}, 2); err == nil {
		t.Error("a kernel of two values for two samples")
	}
}
