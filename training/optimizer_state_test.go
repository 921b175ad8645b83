package training

import (
	"slices"
	"strings"
	"testing"

	"pkm/graphs"
)

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
		{state(1, tensor("exp_avg_sq", 3), tensor("exp_avg_sq", 3)), `found the tensors ["exp_avg_sq" (3)`},
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
