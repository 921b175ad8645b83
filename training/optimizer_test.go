package training

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pkm/graphs"
)

// optimizerOptions is every combination of options of the fixture.
func optimizerOptions(t testing.TB) map[string]Options {
	all := map[string]Options{}
	for _, o := range readFixture(t).Optimizers {
		all[o.Options.Kind+" "+o.Name] = o.Options
	}
	return all
}

func newOptimizer[T graphs.Float](t testing.TB, o Options, parameters int) Optimizer[T] {
	t.Helper()
	optimizer, err := NewOptimizer[T](o, parameters)
	if err != nil {
		t.Fatal(err)
	}
	return optimizer
}

// drift is an optimizer on its way along random gradients.
type drift[T graphs.Float] struct {
	Optimizer[T]
	w, delta []T
	gradient []float64
	random   *rand.Rand
}

func newDrift[T graphs.Float](t testing.TB, o Options, parameters int) *drift[T] {
	d := &drift[T]{newOptimizer[T](t, o, parameters), make([]T, parameters), make([]T, parameters), make([]float64, parameters), rand.New(rand.NewPCG(1, 2))}
	for i := range d.w {
		d.w[i] = T(d.random.NormFloat64())
	}
	return d
}

// step makes a step without adding Δ to w.
func (d *drift[T]) step(t testing.TB, s int) Update {
	t.Helper()
	for i := range d.gradient {
		d.gradient[i] = 0.2 * d.random.NormFloat64()
	}
	step, err := d.Update(0.1/float64(s+1), d.w, d.gradient, d.delta)
	if err != nil {
		t.Fatal(err)
	}
	return step
}

func (d *drift[T]) add() {
	for i, v := range d.delta {
		d.w[i] += v
	}
}

// Δ follows from the fields of Update and the mean gradients alone: each u is written
// out as a sum over past steps, without a recursion.
func TestUpdateSaysWhatDeltaIs(t *testing.T) {
	for name, o := range optimizerOptions(t) {
		// A sum of 20 terms and the same sum by recursion: some 40 roundings of 2⁻⁵³.
		t.Run(name, func(t *testing.T) { testUpdate[float64](t, o, 1e-12) })
		// u and Δ are rounded to 2⁻²⁴ in each of 20 steps.
		t.Run(name+" float32", func(t *testing.T) { testUpdate[float32](t, o, 21*0x1p-24) })
	}
}

func testUpdate[T graphs.Float](t *testing.T, o Options, tolerance float64) {
	const parameters = 17
	d := newDrift[T](t, o, parameters)
	var terms [][]float64 // A_r ⊙ ĝ_r
	var betas []float64
	for s := range 20 {
		step := d.step(t, s)
		term := make([]float64, parameters)
		betas = append(betas, step.Beta)
		terms = append(terms, term)
		for i := range parameters {
			g := step.Clip*d.gradient[i] + step.L2*float64(d.w[i])
			term[i] = step.A.At(i) * g
			var u, size float64
			for r := range terms {
				weight := 1.0
				for q := r + 1; q <= s; q++ {
					weight *= betas[q]
				}
				u += weight * terms[r][i]
				size += weight * math.Abs(terms[r][i])
			}
			want := -(step.E.At(i)*u + step.F.At(i)*g) - step.Decay*float64(d.w[i])
			size = step.E.At(i)*size + step.F.At(i)*math.Abs(g) + step.Decay*math.Abs(float64(d.w[i]))
			if got := float64(d.delta[i]); !(math.Abs(got-want) <= tolerance*size) {
				t.Fatalf("step %d: Δ[%d] = %g, from the update's fields %g", s, i, got, want)
			}
		}
		d.add()
	}
}

func TestOptimizerReadsOnly(t *testing.T) {
	for name, o := range optimizerOptions(t) {
		w, gradient := []float64{1, -2}, []float64{3, 0.5}
		if _, err := newOptimizer[float64](t, o, 2).Update(0.1, w, gradient, make([]float64, 2)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(w, []float64{1, -2}) || !slices.Equal(gradient, []float64{3, 0.5}) {
			t.Errorf("%s wrote to the weights %v or to the gradient %v", name, w, gradient)
		}
	}
}

// Solved by hand; each Δ is right to a few roundings.
func TestOptimizersByHand(t *testing.T) {
	root := math.Sqrt
	for _, test := range []struct {
		name   string
		o      Options
		w      float64
		g      []float64 // one a step, at the same w
		deltas []float64
	}{
		{"momentum starts undampened", Options{Kind: SGDName, Momentum: 0.5, Dampening: 0.25}, 7, []float64{2, 4, -1}, []float64{-0.2, -0.4, -0.125}}, // u = 2, 1+3, 2−0.75
		{"nesterov", Options{Kind: SGDName, Momentum: 0.5, Nesterov: true}, 7, []float64{2, 4}, []float64{-0.3, -0.65}},                               // g + u/2 with u = 2, 5
		{"clip comes before L2", Options{Kind: SGDName, ClipNorm: 1, WeightDecay: 0.5}, 4, []float64{4, 0.5}, []float64{-0.1 * (4/(4+1e-6) + 2), -0.25}},
		{"decoupled decay is not in u", Options{Kind: SGDName, Momentum: 0.5, WeightDecay: 0.5, Decoupled: true}, 4, []float64{2, 0}, []float64{-0.4, -0.3}},
		{"adam steps by η whatever the gradient", Options{Kind: AdamName, Beta1: 0.9, Beta2: 0.999}, 7, []float64{1e-3, 1e-3}, []float64{-0.1, -0.1}},
		{"adam", Options{Kind: AdamName, Beta1: 0.5, Beta2: 0.75, Epsilon: 1}, 7, []float64{2, 0}, []float64{-0.1 * 2 / 3, -0.1 * (0.5 / 0.75) / (root(0.75/0.4375) + 1)}},
		{"amsgrad keeps the largest", Options{Kind: AdamName, Beta1: 0, Beta2: 0.75, AMSGrad: true}, 7, []float64{2, 1}, []float64{-0.1, -0.1 / root(1/0.4375)}}, // v = 1, then 1 in both
		{"adamw", Options{Kind: AdamWName, Beta1: 0.9, Beta2: 0.999, WeightDecay: 0.5}, 4, []float64{2}, []float64{-0.1 - 0.2}},
		{"rmsprop", Options{Kind: RMSpropName, Alpha: 0.75, Epsilon: 1}, 7, []float64{4}, []float64{-0.1 * 4 / 3}},
		{"centered, a constant gradient", Options{Kind: RMSpropName, Alpha: 0.5, Epsilon: 1, Centered: true}, 7, []float64{4}, []float64{-0.1 * 4 / 3}}, // v−m² = 8−4
		{"rmsprop divides inside the momentum", Options{Kind: RMSpropName, Alpha: 0, Epsilon: 1, Momentum: 0.5}, 7, []float64{1, 3}, []float64{-0.05, -0.1}},
		{"adagrad", Options{Kind: AdagradName, Epsilon: 1, InitialAccumulator: 5, LearningRateDecay: 1}, 7, []float64{2, 4}, []float64{-0.1 * 2 / 4, -0.05 * 4 / 6}},
	} {
		optimizer, delta := newOptimizer[float64](t, test.o, 1), make([]float64, 1)
		for s, g := range test.g {
			if _, err := optimizer.Update(0.1, []float64{test.w}, []float64{g}, delta); err != nil {
				t.Fatal(err)
			}
			if want := test.deltas[s]; !(math.Abs(delta[0]-want) <= 1e-14*math.Abs(want)) {
				t.Errorf("%s: Δ_%d = %.17g, want %.17g", test.name, s, delta[0], want)
			}
		}
	}
}

func TestUpdateRefuses(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, test := range []struct {
		rate, gradient float64
		want           string
	}{
		{-1, 1, "found learning rate -1"}, {nan, 1, "found learning rate NaN"}, {inf, 1, "found learning rate +Inf"},
		{1, nan, "element 1 of the mean gradient is NaN"}, {1, -inf, "element 1 of the mean gradient is -Inf"},
	} {
		o := newOptimizer[float64](t, Options{Kind: SGDName, Momentum: 0.5, ClipNorm: 1}, 2)
		delta := []float64{3, 3}
		if _, err := o.Update(test.rate, make([]float64, 2), []float64{1, test.gradient}, delta); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v does not say %q", err, test.want)
		}
		if s := o.State(); s.Steps != 0 || s.Tensors[0].Values[0] != 0 || delta[0] != 3 {
			t.Errorf("a refused update left %v and Δ = %v", s, delta)
		}
	}
	defer func() {
		if r := fmt.Sprint(recover()); !strings.HasPrefix(r, "training: ") {
			t.Errorf("a gradient of the wrong length: %s", r)
		}
	}()
	newOptimizer[float64](t, Options{Kind: SGDName}, 2).Update(1, make([]float64, 2), make([]float64, 3), make([]float64, 2))
}

// Squares of huge and tiny gradients leave the range of float64, their norm does not.
func TestNorm(t *testing.T) {
	for _, scale := range []float64{0, 1e-200, 1, 1e200} {
		if got, want := norm([]float64{3 * scale, 0, -4 * scale}), 5*scale; !(math.Abs(got-want) <= 1e-15*want) {
			t.Errorf("‖(3, 0, −4)·%g‖ = %g", scale, got)
		}
	}
}

// The variance of a constant gradient is 0. After a larger first gradient m and v come
// down and stop a few units in the last place too high, where their rounding absorbs the
// next step: relative to g² that is more for m² than for v, and v−m² is negative.
func TestCenteredVarianceIsNotNegative(t *testing.T) {
	const gradients = 50
	o := newOptimizer[float32](t, Options{Kind: RMSpropName, Alpha: 0.9, Epsilon: 1e-3, Centered: true}, gradients)
	w, delta, gradient := make([]float32, gradients), make([]float32, gradients), make([]float64, gradients)
	for s := range 300 {
		for i := range gradient {
			gradient[i] = 0.1 + 0.01*float64(i)
			if s == 0 {
				gradient[i] *= 20 // (1−α)·20 = 2: m starts above g
			}
		}
		if _, err := o.Update(0.1, w, gradient, delta); err != nil || !graphs.Finite(delta) {
			t.Fatalf("step %d: Δ = %v, %v", s, delta, err)
		}
	}
}
