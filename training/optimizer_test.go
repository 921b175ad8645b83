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

func TestRestoredOptimizerContinuesToTheBit(t *testing.T) {
	for name, o := range optimizerOptions(t) {
		t.Run(name, func(t *testing.T) {
			testRestore[float64](t, o)
			testRestore[float32](t, o)
		})
	}
}

func testRestore[T graphs.Float](t *testing.T, o Options) {
	d := newDrift[T](t, o, 9)
	for s := range 7 {
		d.step(t, s)
		d.add()
	}
	kept := State[T]{Steps: d.State().Steps}
	for _, tensor := range d.State().Tensors {
		kept.Tensors = append(kept.Tensors, NamedTensor[T]{tensor.Name, slices.Clone(tensor.Values)})
	}
	other := newOptimizer[T](t, o, 9)
	if err := other.Restore(kept); err != nil || kept.Steps != 7 {
		t.Fatalf("%d steps, %v", kept.Steps, err)
	}
	delta := make([]T, 9)
	for s := range 7 {
		d.step(t, s)
		if _, err := other.Update(0.1/float64(s+1), d.w, d.gradient, delta); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(delta, d.delta) {
			t.Fatalf("step %d after restoring: Δ = %v, want %v", s, delta, d.delta)
		}
		d.add()
	}
}

func TestRestoreRefuses(t *testing.T) {
	state := func(steps int, tensors ...NamedTensor[float64]) State[float64] { return State[float64]{steps, tensors} }
	tensor := func(name string, size int) NamedTensor[float64] {
		return NamedTensor[float64]{name, slices.Repeat([]float64{5}, size)}
	}
	for _, test := range []struct {
		state State[float64]
		want  string
	}{
		{state(1), `found the tensors [], its own are ["exp_avg" (3), "exp_avg_sq" (3)]`},
		{state(1, tensor("exp_avg", 3), tensor("exp_avg_sq", 2)), `"exp_avg_sq" (2)`},
		{state(1, tensor("exp_avg_sq", 3), tensor("exp_avg", 3)), `found the tensors ["exp_avg_sq" (3)`},
		{state(1, tensor("exp_avg", 3), tensor("exp_avg_sq", 3), tensor("max_exp_avg_sq", 3)), `"max_exp_avg_sq" (3)`},
		{state(-1, tensor("exp_avg", 3), tensor("exp_avg_sq", 3)), "found -1 steps"},
	} {
		o := newOptimizer[float64](t, DefaultOptions(AdamName), 3)
		if err := o.Restore(test.state); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v does not say %q", err, test.want)
		}
		if s := o.State(); s.Steps != 0 || s.Tensors[0].Values[0] != 0 {
			t.Errorf("a refused state was partly restored: %v", s)
		}
	}
}

// The state is live: writing to it is restoring.
func TestStateIsLive(t *testing.T) {
	o := newOptimizer[float64](t, Options{Kind: SGDName, Momentum: 0.5}, 1)
	o.State().Tensors[0].Values[0] = 8
	delta := make([]float64, 1)
	if _, err := o.Update(1, []float64{0}, []float64{1}, delta); err != nil || delta[0] != -5 || o.State().Tensors[0].Values[0] != 5 {
		t.Errorf("Δ = %v, state %v, %v", delta, o.State(), err)
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

func TestOptionsRefuse(t *testing.T) {
	for _, test := range []struct {
		kind string
		edit func(*Options)
		want string
	}{
		{"lion", func(*Options) {}, `no optimizer is named "lion"; there are sgd, adam, adamw, rmsprop, adagrad`},
		{SGDName, func(o *Options) { o.Momentum = 1 }, "found momentum 1, it has to be in [0, 1)"},
		{SGDName, func(o *Options) { o.Momentum = math.NaN() }, "found momentum NaN"},
		{SGDName, func(o *Options) { o.Momentum, o.Dampening = 0.5, 1.5 }, "found dampening 1.5, it has to be in [0, 1]"},
		{SGDName, func(o *Options) { o.Dampening = 0.5 }, "without momentum"},
		{SGDName, func(o *Options) { o.Nesterov = true }, "needs a momentum above 0"},
		{SGDName, func(o *Options) { o.Nesterov, o.Momentum, o.Dampening = true, 0.5, 0.5 }, "dampening 0.5; it needs"},
		{SGDName, func(o *Options) { o.Beta1 = 0.9 }, "found beta1, which it does not have; its options are momentum, dampening, nesterov, weight_decay, decoupled, clip_norm"},
		{SGDName, func(o *Options) { o.WeightDecay = -1 }, "found weight_decay -1"},
		{SGDName, func(o *Options) { o.ClipNorm = math.Inf(1) }, "found clip_norm +Inf"},
		{AdamName, func(o *Options) { o.Beta1 = 1 }, "found beta1 1"},
		{AdamWName, func(o *Options) { o.Beta2 = -0.1 }, "found beta2 -0.1"},
		{AdamName, func(o *Options) { o.Epsilon = -1 }, "found epsilon -1"},
		{AdamName, func(o *Options) { o.Nesterov = true }, "found nesterov, which it does not have"},
		{RMSpropName, func(o *Options) { o.Alpha = 1 }, "found alpha 1"},
		{RMSpropName, func(o *Options) { o.AMSGrad = true }, "found amsgrad, which"},
		{AdagradName, func(o *Options) { o.InitialAccumulator = -1 }, "found initial_accumulator -1"},
		{AdagradName, func(o *Options) { o.LearningRateDecay = -1 }, "found learning_rate_decay -1"},
		{AdagradName, func(o *Options) { o.Centered = true }, "found centered, which"},
	} {
		o := DefaultOptions(test.kind)
		test.edit(&o)
		if _, err := NewOptimizer[float64](o, 1); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v does not say %q", err, test.want)
		}
	}
	for _, kind := range Optimizers() {
		if _, err := NewOptimizer[float64](DefaultOptions(kind), 1); err != nil {
			t.Errorf("the defaults of %s: %v", kind, err)
		}
		if _, err := NewOptimizer[float64](DefaultOptions(kind), 0); err == nil {
			t.Errorf("%s of no weights was taken", kind)
		}
	}
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
