package training

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"pkm/graphs"
)

// fixture is testdata/optimizers.json, written by scripts/fixtures/optimizers.py.
type fixture struct {
	Steps           int
	Inputs, Initial []float64
	Labels          []int
	Optimizers      []struct {
		Name    string
		Rate    float64
		Options Options
		Weights map[int][]float64 // after that many steps
	}
	Schedules []struct {
		Name         string
		Rate         float64
		Optimizer    Options
		Options      ScheduleOptions
		Rates, Final []float64
	}
}

func readFixture(t testing.TB) fixture {
	t.Helper()
	data, err := os.ReadFile("testdata/optimizers.json")
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// trainee is the network, the data and the initial weights of the fixture.
type trainee struct {
	gradient *graphs.Gradient[float64]
	initial  []float64
	rows     int
}

func newTrainee(t testing.TB, f fixture) *trainee {
	t.Helper()
	n, err := graphs.New(graphs.Shape{5}, graphs.Dense{Out: 4, Bias: true}, graphs.Activation{Kind: graphs.Tanh}, graphs.Dense{Out: 3, Bias: true})
	if err != nil {
		t.Fatal(err)
	}
	g, err := graphs.NewGradient(n, gonum(t), len(f.Labels), CrossEntropy[float64]{})
	if err != nil {
		t.Fatal(err)
	}
	y, err := OneHot[float64](f.Labels, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.SetInputs(f.Inputs); err != nil {
		t.Fatal(err)
	}
	if err := g.SetTargets(y); err != nil {
		t.Fatal(err)
	}
	return &trainee{g, f.Initial, len(f.Labels)}
}

// train calls visit with the weights after every step.
func (n *trainee) train(t testing.TB, o Options, schedule Schedule, steps int, visit func(step int, w []float64)) {
	t.Helper()
	optimizer, err := NewOptimizer[float64](o, len(n.initial))
	if err != nil {
		t.Fatal(err)
	}
	w := slices.Clone(n.initial)
	mean, delta := make([]float64, len(w)), make([]float64, len(w))
	for s := range steps {
		if err := n.gradient.Run(w); err != nil {
			t.Fatal(err)
		}
		for i, v := range n.gradient.Sum() {
			mean[i] = v / float64(n.rows)
		}
		if _, err := optimizer.Update(schedule.Rate(s), w, mean, delta); err != nil {
			t.Fatal(err)
		}
		for i, d := range delta {
			w[i] += d
		}
		visit(s+1, w)
	}
}

// furthest returns the largest relative difference of two vectors, element by
// element.
func furthest(t testing.TB, got, want []float64) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d elements, want %d", len(got), len(want))
	}
	var most float64
	for i, v := range want {
		most = max(most, math.Abs(got[i]-v)/math.Abs(v))
	}
	return most
}

// Each step rounds some ten times, 2⁻⁵³ relative to the weight before it, and 50 steps
// carry that on. A weight that passes through 0 has lost digits, and the quotients of
// Adam and RMSprop magnify a difference where a gradient passes through 0; the script
// refuses cases in which one unit in the last place grows beyond 1e-11. The least mistake
// in a formula, an ε in the wrong place, makes 1e-7.
const fixtureTolerance = 1e-10

func TestOptimizersFollowPyTorch(t *testing.T) {
	f := readFixture(t)
	n := newTrainee(t, f)
	seen := map[string]bool{}
	for _, test := range f.Optimizers {
		seen[test.Options.Kind] = true
		t.Run(test.Options.Kind+" "+test.Name, func(t *testing.T) {
			schedule, err := NewSchedule(ScheduleOptions{Kind: ConstantName}, test.Rate, f.Steps)
			if err != nil {
				t.Fatal(err)
			}
			var most float64
			compared := 0
			n.train(t, test.Options, schedule, f.Steps, func(step int, w []float64) {
				want, found := test.Weights[step]
				if !found {
					return
				}
				compared++
				d := furthest(t, w, want)
				if most = max(most, d); !(d <= fixtureTolerance) {
					t.Errorf("after %d steps the weights differ by %.3g", step, d)
				}
			})
			if compared != 4 {
				t.Errorf("compared %d times, want 4", compared)
			}
			t.Logf("largest relative difference %.2g", most)
		})
	}
	for _, kind := range Optimizers() {
		if !seen[kind] {
			t.Errorf("the fixture has no %s", kind)
		}
	}
}

func TestSchedulesFollowPyTorch(t *testing.T) {
	f := readFixture(t)
	n := newTrainee(t, f)
	seen := map[string]bool{}
	for _, test := range f.Schedules {
		seen[test.Options.Kind] = true
		t.Run(test.Name, func(t *testing.T) {
			schedule, err := NewSchedule(test.Options, test.Rate, f.Steps)
			if err != nil {
				t.Fatal(err)
			}
			// PyTorch multiplies rate upon rate, and its cosine divides by 1+cos: each
			// step rounds a few times, relative to the initial rate.
			var most float64
			for s, want := range test.Rates {
				most = max(most, math.Abs(schedule.Rate(s)-want)/test.Rate)
			}
			if len(test.Rates) != f.Steps || !(most <= 1e-13) {
				t.Errorf("%d rates differ by %.3g", len(test.Rates), most)
			}
			n.train(t, test.Optimizer, schedule, f.Steps, func(step int, w []float64) {
				if step != f.Steps {
					return
				}
				d := furthest(t, w, test.Final)
				if !(d <= fixtureTolerance) {
					t.Errorf("the final weights differ by %.3g", d)
				}
				t.Logf("largest relative difference: rates %.2g, weights %.2g", most, d)
			})
		})
	}
	for _, kind := range Schedules() {
		if !seen[kind] {
			t.Errorf("the fixture has no %s", kind)
		}
	}
}
