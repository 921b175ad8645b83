package experiments

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

// The squared norms of single gradients, of every kind of layer, are those of gradients that are formed.
// Rounding: 1e-12 in float64, 1e-5 in float32, in which convolutions' gradients are formed.
func TestSquaredNormsEqualExplicitOnes(t *testing.T) {
	for name, n := range oracleCases(t) {
		squaredNormsEqualExplicitOnes[float64](t, name, n, 1e-12)
		squaredNormsEqualExplicitOnes[float32](t, name, n, 1e-5)
	}
}

func squaredNormsEqualExplicitOnes[T graphs.Float](t *testing.T, name string, n *graphs.Network, tolerance float64) {
	t.Helper()
	const samples = 5
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(size int) []T {
		v := make([]T, size)
		for i := range v {
			v[i] = T(r.NormFloat64())
		}
		return v
	}
	g, err := graphs.NewGradient[T](n, gonum(t), samples, training.SquaredError[T]{})
	must(t, err)
	must(t, g.SetInputs(draw(samples*n.Input().Size())))
	must(t, g.SetTargets(draw(samples*n.Outputs())))
	must(t, g.Run(draw(n.Parameters())))
	factors := convert(g.Factors())
	got, p := pathkernel.SquaredNorms(gonum(t), factors), n.Parameters()
	var want []float64
	for row := range slices.Chunk(pathkernel.Explicit(factors, p), p) {
		want = append(want, inner(row, row))
	}
	near(t, name, got, want, tolerance)
}

// Every K_T(z_i, z_i) of a run and B² are the trapezoid's sums of explicit gradients along its path. Along the
// flow B² is the fall of the loss.
func TestLossPathEqualsExplicitGradients(t *testing.T) {
	for _, flow := range []bool{false, true} {
		p := newPaper(t, 3)
		hook := newLossPath[float64](&Bound{Kind: lossPathKernel}, gonum(t), p.samples)
		l := &training.Loop[float64]{Network: p.network, Engine: gonum(t), Loss: p.loss, Inputs: p.train, Targets: p.targets, Initial: p.w,
			LearningRate: 0.1, Schedule: training.ScheduleOptions{Kind: training.ExponentialName, Gamma: 0.8}, Steps: 8, Hooks: []training.Hook[float64]{hook, p}}
		if flow {
			l.Steps, l.Flow = 1000, &training.FlowOptions{Time: 0.5, RelativeTolerance: 1, AbsoluteTolerance: 1, FixedStep: 1.0 / 128}
		}
		_, err := l.Run(context.Background())
		must(t, err)
		diagonal, square := make([]float64, p.samples), 0.0
		var losses []float64
		for s, ω := range p.weights(true) {
			at := p.path[s]
			mean := make([]float64, len(p.w))
			loss := 0.0
			for i, all := range slices.Collect(slices.Chunk(p.gradients(p.train, at.w), 3)) {
				own := make([]float64, len(p.w))
				for c, g := range all {
					δ := at.derivatives[i*3+c] // f − y
					loss += δ * δ / 2 / float64(p.samples)
					for j := range own {
						own[j] += δ * g[j]
						mean[j] += δ * g[j] / float64(p.samples)
					}
				}
				diagonal[i] += ω * inner(own, own)
			}
			square += ω * inner(mean, mean)
			losses = append(losses, loss)
		}
		near(t, "diagonal", hook.Diagonal(), diagonal, differenced)
		near(t, "B²", []float64{hook.Norm() * hook.Norm()}, []float64{square}, differenced)
		if fall := losses[0] - losses[len(losses)-1]; flow && math.Abs(square-fall) > 1e-3*fall { // h²/12 times a third derivative
			t.Errorf("B² is %.6g along the flow, the loss falls by %.6g", square, fall)
		}
	}
}

// boundRun is a run with a bound, of descent or of the flow.
func boundRun(t *testing.T, overrides ...string) *Run {
	t.Helper()
	return mustExecute(t, "name: t\n", append([]string{"data.train=100", "data.query=300", "network.hidden=[16]", "training.steps=60",
		"machines=[{name: loss, family: flow, rule: trapezoid, target: loss}]", "path_kernel=none", "bound.kind=loss-path-kernel"}, overrides...)...)
}

// Of digits the bound lies above the measured gap, with and without the deviation of one training set. The
// figures are those of the arrays.
func TestBoundOfDigits(t *testing.T) {
	long(t)
	for name, overrides := range map[string][]string{
		"descent": {"training.optimizer.learning_rate=0.2"},
		"flow":    {"training.optimizer={kind: flow, time: 12, fixed_step: 0.2}"},
		"float32": {"precision=float32"},
		"range":   {"bound.loss_range=10", "bound.confidence=0.9"},
		"whole":   {"training.batch_size=100"},
		"alone":   {"machines=[]"},
		"images":  {"network.kind=cnn", "network.convs=[{filters: 2, kernel: 3, pool: average}]", "data.query=50"},
	} {
		t.Run(name, func(t *testing.T) {
			r := boundRun(t, overrides...)
			g := r.Summary.Generalization
			if g == nil {
				t.Fatal("no figures")
			}
			t.Logf("%+v", *g)
			diagonal := readArray[float64](t, r.Path, "loss_path_kernel_diagonal")
			var trace float64
			for _, k := range diagonal {
				trace += k
			}
			want := 2 * float64(g.Norm) / 100 * math.Sqrt(trace)
			if (g.Deviation != nil) != (name == "range") {
				t.Errorf("deviation %v", g.Deviation)
			}
			if g.Deviation != nil {
				want += 30 * math.Sqrt(math.Log(20)/200)
			}
			if math.Abs(float64(g.Bound)-want) > 1e-12 {
				t.Errorf("bound %g, want %g", g.Bound, want)
			}
			if g.MeasuredGap != r.Summary.Network.QueryLoss-r.Summary.Network.TrainLoss || !(g.MeasuredGap > 0) || !(g.Bound >= g.MeasuredGap) {
				t.Errorf("a gap of %g, bounded by %g", g.MeasuredGap, g.Bound)
			}
			var table strings.Builder
			must(t, Compare(&table, []*Run{r}))
			if !strings.Contains(table.String(), "gap bound") || !strings.Contains(table.String(), number(g.Bound)) {
				t.Errorf("the table has no bound:\n%s", table.String())
			}
			if report, err := Verify(r.Path); err != nil || !report.OK() {
				t.Errorf("%v %+v", err, report.failed())
			}
		})
	}
}

// A run that was interrupted ends in the same bytes.
func TestResumeOfABound(t *testing.T) {
	for _, save := range []string{"0", "10"} {
		c, dir := interruptedRun(t, "bound.kind=loss-path-kernel", "training.batch_size=0", "training.checkpoints.save="+save, "training.schedule={kind: exponential, gamma: 0.9}")
		whole := filepath.Join(t.TempDir(), "whole")
		for path, resume := range map[string]bool{dir: true, whole: false} {
			must(t, Execute(context.Background(), c, Options{Dir: path, Engine: gonum(t), Resume: resume}))
		}
		a, err := LoadRun(dir)
		must(t, err)
		b, err := LoadRun(whole)
		must(t, err)
		if *a.Summary.Generalization != *b.Summary.Generalization {
			t.Errorf("%+v, want %+v", *a.Summary.Generalization, *b.Summary.Generalization)
		}
		if !slices.Equal(readArray[float64](t, dir, "loss_path_kernel_diagonal"), readArray[float64](t, whole, "loss_path_kernel_diagonal")) {
			t.Error("the diagonal differs from that of the run that was not interrupted")
		}
	}
}

// Training of which the theorem says nothing is refused.
func TestBoundRefusals(t *testing.T) {
	for path, override := range map[string]string{
		"training.optimizer.kind":         "training.optimizer.kind=adam",
		"training.optimizer.momentum":     "training.optimizer.momentum=0.9",
		"training.optimizer.weight_decay": "training.optimizer.weight_decay=0.1",
		"training.batch_size":             "training.batch_size=16",
		"training.clip_norm":              "training.clip_norm=1",
		"training.stop.loss":              "training.stop.loss=0.1",
		"training.stop.gradient_norm":     "training.stop.gradient_norm=0.1",
	} {
		_, err := Parse("t", []byte("name: t\n"), "yaml", []string{override, "bound.kind=loss-path-kernel"}, nil)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "while bound.kind is loss-path-kernel") {
			t.Errorf("%s: %v", override, err)
		}
	}
}
