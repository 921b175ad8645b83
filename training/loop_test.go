package training

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pkm/graphs"
	"pkm/internal/compute"
)

func network(t testing.TB, layers ...graphs.Layer) *graphs.Network {
	t.Helper()
	n, err := graphs.New(graphs.Shape{1}, layers...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func gonum(t testing.TB) compute.Engine {
	t.Helper()
	e, err := compute.Open("gonum")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// recorder keeps what the hook sees.
type recorder struct {
	log     []string
	weights [][]float64
	deltas  [][]float64
	last    *Step[float64]
	fail    int // the step that returns an error, if > 0
}

func (r *recorder) Step(_ context.Context, s *Step[float64]) error {
	r.log = append(r.log, fmt.Sprintf("step %d", s.Index))
	r.weights = append(r.weights, slices.Clone(s.Weights))
	r.deltas = append(r.deltas, slices.Clone(s.Delta))
	if r.fail > 0 && s.Index == r.fail {
		return errors.New("disk full")
	}
	return nil
}

func (r *recorder) Finish(_ context.Context, s *Step[float64]) error {
	r.log = append(r.log, fmt.Sprintf("finish %d", s.Index))
	r.weights = append(r.weights, slices.Clone(s.Weights))
	r.last = s
	return nil
}

// line is f = wx on (1, 1) and (2, 3), squared error: the objective's slope is
// ½((w−1)·1 + (2w−3)·2) = 2.5w − 3.5.
func line(t testing.TB) *Loop[float64] {
	return &Loop[float64]{
		Network: network(t, graphs.Dense{Out: 1}), Engine: gonum(t), Loss: SquaredError[float64]{},
		Inputs: []float64{1, 2}, Targets: []float64{1, 3}, Initial: []float64{0}, LearningRate: 0.1, Steps: 3,
	}
}

func TestLoopByHand(t *testing.T) {
	l, r := line(t), &recorder{}
	l.Hooks = []Hook[float64]{r}
	result, err := l.Run(context.Background())
	w, steps := result.Weights, result.Steps
	if err != nil || steps != 3 {
		t.Fatalf("%d steps, %v", steps, err)
	}
	want := 0.0
	for s := range 4 {
		if math.Abs(r.weights[s][0]-want) > 1e-15 {
			t.Fatalf("w_%d = %v, want %g", s, r.weights[s], want)
		}
		if s < 3 && r.weights[s][0]+r.deltas[s][0] != r.weights[s+1][0] {
			t.Fatalf("w_%d + Δ_%d is not w_%d", s, s, s+1)
		}
		want -= 0.1 * (2.5*want - 3.5)
	}
	if w[0] != r.weights[3][0] || l.Initial[0] != 0 {
		t.Fatalf("returned %v, initial %v", w, l.Initial)
	}
	if got := strings.Join(r.log, ", "); got != "step 0, step 1, step 2, finish 3" {
		t.Fatalf("the hook saw %s", got)
	}
	if s := r.last; s.Delta != nil || s.Size != 2 || s.Rate() != 0.05 || s.Factors()[0].Stacks != 1 || s.Batch != nil {
		t.Fatalf("finish saw %+v", s)
	}
	if f := 2*w[0] - 3; math.Abs(r.last.LossDerivatives[1]-f) > 1e-15 || math.Abs(r.last.Factors()[0].Cotangent[1]-f) > 1e-15 {
		t.Fatalf("ℓ′ = %v, cotangents %v; want %g for the second", r.last.LossDerivatives, r.last.Factors()[0].Cotangent, f)
	}
}

func TestLoopDiverges(t *testing.T) {
	for _, test := range []struct {
		name   string
		rate   float64
		limit  float64
		tensor string
		stage  func(*Loop[float64])
	}{
		{"overflow of the loss", 1e6, 0, "loss", nil},
		{"loss limit", 1e6, 1e4, "", nil},
		{"infinite update", 1e300, 0, "0.weight (update)", func(l *Loop[float64]) { l.Inputs[0], l.Targets[0] = 1e10, 0; l.Initial[0] = 1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, r := line(t), &recorder{}
			l.LearningRate, l.LossLimit, l.Steps, l.Hooks = test.rate, test.limit, 200, []Hook[float64]{r}
			if test.stage != nil {
				test.stage(l)
			}
			result, err := l.Run(context.Background())
			w, steps := result.Weights, result.Steps
			var d *Diverged
			if !errors.As(err, &d) || d.Tensor != test.tensor {
				t.Fatalf("error %v, want a divergence of %q", err, test.tensor)
			}
			if d.Step != steps || len(r.weights) != steps {
				t.Fatalf("diverged at step %d, completed %d, hooks saw %d", d.Step, steps, len(r.weights))
			}
			if steps > 0 && w[0] != r.weights[steps-1][0] || math.IsInf(w[0], 0) || math.IsNaN(w[0]) {
				t.Fatalf("kept weights %v", w)
			}
		})
	}
}

func TestLoopStops(t *testing.T) {
	l, r := line(t), &recorder{fail: 1}
	l.Hooks = []Hook[float64]{r}
	result, err := l.Run(context.Background())
	if steps := result.Steps; steps != 1 || err == nil || !strings.Contains(err.Error(), "hook of step 1: disk full") {
		t.Errorf("%d steps, %v", result.Steps, err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("SIGINT")
	cancel(cause)
	if result, err := line(t).Run(ctx); !errors.Is(err, cause) || result.Steps != 0 || len(result.Weights) != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestLoopRefusals(t *testing.T) {
	for want, edit := range map[string]func(*Loop[float64]){
		"no training samples":      func(l *Loop[float64]) { l.Targets = nil },
		"3 inputs and 2 targets":   func(l *Loop[float64]) { l.Inputs = make([]float64, 3) },
		"found 2 initial weights":  func(l *Loop[float64]) { l.Initial = make([]float64, 2) },
		"found 0 steps":            func(l *Loop[float64]) { l.Steps = 0 },
		"found learning rate -1":   func(l *Loop[float64]) { l.LearningRate = -1 },
		"found learning rate NaN":  func(l *Loop[float64]) { l.LearningRate = math.NaN() },
		"found learning rate +Inf": func(l *Loop[float64]) { l.LearningRate = math.Inf(1) },
	} {
		l := line(t)
		edit(l)
		if _, err := l.Run(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

// A network that never leaves the finite numbers must still be stopped.
func TestBoundedActivationsRunAwayFinitely(t *testing.T) {
	n := network(t, graphs.Dense{Out: 4, Bias: true}, graphs.Activation{Kind: graphs.Tanh}, graphs.Dense{Out: 2, Bias: true})
	w, err := graphs.Initialise[float64](n, graphs.GlorotNormal, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	l := &Loop[float64]{Network: n, Engine: gonum(t), Loss: CrossEntropy[float64]{}, Inputs: []float64{1, 2, -1}, Targets: []float64{1, 0, 0, 1, 0, 1},
		Initial: w, LearningRate: 1e6, Steps: 50, LossLimit: 1e4}
	var d *Diverged
	if _, err := l.Run(context.Background()); !errors.As(err, &d) || d.Tensor != "" || d.Magnitude < 1e3 || !strings.Contains(err.Error(), "no tensor is non-finite yet") {
		t.Fatalf("error %v", err)
	}
}
