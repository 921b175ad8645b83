package experiments

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A network that is linear in its weights is its own linearisation, whatever moves them. 1e-9 of the outputs'
// change: rounding, which the steps of Adam amplify.
func TestLinearizedIsALinearNetwork(t *testing.T) {
	for name, overrides := range map[string][]string{
		"sgd":             nil,
		"mini-batches":    {"training.batch_size=16", "training.schedule.kind=cosine"},
		"momentum":        {"training.optimizer.momentum=0.9", "training.optimizer.weight_decay=0.01"},
		"adam":            {"training.optimizer.kind=adam", "training.optimizer.learning_rate=0.01"},
		"squared error":   {"loss.kind=squared-error", "training.optimizer.learning_rate=0.001"},
		"clipping":        {"training.clip_norm=0.05"}, // of a gradient of about 3
		"early stop":      {"training.stop.loss=2", "training.optimizer.learning_rate=0.3"},
		"queries in turn": {"data.query=700", "memory=2MiB", "data.train=20"},
	} {
		t.Run(name, func(t *testing.T) {
			base := []string{"data.train=40", "data.query=5", "network.hidden=[]", "training.steps=10", "path_kernel=none",
				"machines=[]", "baselines=[{kind: linearized}]"}
			r := mustExecute(t, "name: t\n", append(base, overrides...)...)
			c, err := Load(filepath.Join(r.Path, "config.yaml"), nil, nil)
			must(t, err)
			plan, err := c.Plan()
			must(t, err)
			if turns := plan.Blocks > 1; turns != (name == "queries in turn") {
				t.Errorf("%d turns", plan.Blocks)
			}
			if stopped := r.Summary.Steps < 10; stopped != (name == "early stop") || r.Summary.Steps < 2 {
				t.Errorf("%d steps", r.Summary.Steps)
			}
			if e := r.Summary.Baselines[0].Figures; !(e.RelativeError <= 1e-9) || e.ArgmaxAgreement != 1 {
				t.Errorf("the linearised network is off by %g of the change of a linear one", e.RelativeError)
			}
		})
	}
}

// What a network has that its linearisation lacks is of second order in the way the weights went: at a fixed number
// of steps, four times less for half the learning rate.
func TestLinearizedIsOfSecondOrder(t *testing.T) {
	off := func(rate string) float64 {
		r := mustExecute(t, "name: t\n", "data.train=30", "data.query=5", "network.hidden=[8]", "training.steps=5", "path_kernel=none", "machines=[]",
			"baselines=[{kind: linearized}]", "training.optimizer.learning_rate="+rate)
		return float64(r.Summary.Baselines[0].Figures.MaxAbsError)
	}
	if ratio := off("1e-4") / off("5e-5"); math.Abs(ratio-4) > 0.1 {
		t.Errorf("halving the rate divides what is missed by %.3f, want 4", ratio)
	}
}

// The kernels that baselines and analysis use are those of explicit Jacobians, and the path kernel their trapezoid's
// sum; ridge regression with them, solved here without a factorisation, gives the predictions. 1e-9: rounding, times the
// condition of a system with a ridge of 1e-3.
func TestKernelBaselinesEqualExplicitOnes(t *testing.T) {
	r := mustExecute(t, "name: t\n", "data.train=12", "data.query=4", "data.classes=[3,8]", "loss.kind=logistic", "network.hidden=[5]", "training.steps=4", "training.optimizer.learning_rate=0.05",
		"training.schedule.kind=exponential", "training.schedule.gamma=0.7", "path_kernel=full", "training.checkpoints.every=1",
		"machines=[{name: flow, family: flow, rule: trapezoid}]", "analysis={every: 2, samples: 6}",
		"baselines=[{kind: tangent-kernel, ridge: 1e-3}, {kind: path-kernel-ridge, ridge: 1e-3}, {kind: averaged-coefficients}, {kind: path-kernel-svm}]")
	report, err := Verify(r.Path)
	must(t, err)
	if !report.OK() {
		t.Fatalf("%+v", report.failed())
	}
	b := newTwin(t, r)
	target := func(i, _ int) float64 { return 2*b.y[i] - 1 }
	last := len(b.train) - 1
	near(t, "tangent kernel", readArray[float64](t, r.Path, "predictions_tangent-kernel"), b.ridge(b.train[last], b.query[last], target, 1e-3, make([]float64, b.m)), 1e-9)
	near(t, "path kernel", readArray[float64](t, r.Path, "predictions_path-kernel-ridge"), b.ridge(b.pathTrain, b.pathQuery, target, 1e-3, make([]float64, b.m)), 1e-9)
	near(t, "path kernel of the machine", readArray[float64](t, r.Path, "flow/path_kernel"), b.pathQuery, 1e-12)
	text, err := os.ReadFile(filepath.Join(r.Path, analysisName))
	must(t, err)
	if lines := strings.Split(strings.TrimSpace(string(text)), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[2], `{"step":4,`) {
		t.Errorf("the analysis of steps 0, 2 and 4 is\n%s", text)
	}
	var table strings.Builder
	must(t, Compare(&table, []*Run{r}))
	for _, kind := range []string{"(tangent-kernel)", "(path-kernel-ridge)", "(averaged-coefficients)", "(path-kernel-svm)"} {
		if !strings.Contains(table.String(), kind) {
			t.Errorf("no row for %s in\n%s", kind, table.String())
		}
	}
}

// slowRidge solves (K + λ·tr K/N)α = y by Gauss's elimination and returns the predictions.
func slowRidge(train, query, y []float64, n int, ridge float64) []float64 {
	a, b, trace := append([]float64(nil), train...), append([]float64(nil), y...), 0.0
	for i := range n {
		trace += train[i*n+i]
	}
	for i := range n {
		a[i*n+i] += ridge * trace / float64(n)
	}
	for i := range n {
		for j := i + 1; j < n; j++ {
			f := a[j*n+i] / a[i*n+i]
			for k := i; k < n; k++ {
				a[j*n+k] -= f * a[i*n+k]
			}
			b[j] -= f * b[i]
		}
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			b[i] -= a[i*n+k] * b[k]
		}
		b[i] /= a[i*n+i]
	}
	return products(query, b, len(query)/n, 1)
}

// products returns a·bᵀ (m, n) of rows.
func products(a, b []float64, m, n int) []float64 {
	width := len(a) / m
	out := make([]float64, m*n)
	for i := range m {
		for j := range n {
			out[i*n+j] = inner(a[i*width:(i+1)*width], b[j*width:(j+1)*width])
		}
	}
	return out
}

// Predictions that were altered do not give the figures of the summary.
func TestVerifyBaselines(t *testing.T) {
	r := mustExecute(t, "name: t\n", "data.train=20", "data.query=4", "network.hidden=[4]", "training.steps=3", "path_kernel=none", "machines=[]", "baselines=[{kind: linearized}]")
	report, err := verifyRun(r.Path, false)
	must(t, err)
	if !report.OK() {
		t.Fatalf("%+v", report.failed())
	}
	path := filepath.Join(r.Path, "arrays", "predictions_linearized.npy")
	b, err := os.ReadFile(path)
	must(t, err)
	b[len(b)-2] ^= 0x40
	must(t, os.WriteFile(path, b, 0o644))
	if report, err = verifyRun(r.Path, false); err != nil || report.OK() {
		t.Fatalf("altered predictions pass: %v", err)
	}
	if !strings.Contains(report.failed()[len(report.failed())-1].Subject, "baseline linearized") {
		t.Errorf("%+v", report.failed())
	}
}

// A baseline whose numbers break down says so, and the run keeps everything else.
func TestBaselineFault(t *testing.T) {
	r := mustExecute(t, "name: t\n", "data.train=20", "data.query=4", "network.hidden=[4]", "network.init.scheme=zeros", "training.steps=3", "baselines=[{kind: path-kernel-svm}]",
		"network.bias=false")
	if b := r.Summary.Baselines[0].Figures; b.Fault == "" || !math.IsNaN(float64(b.RMSE)) || !math.IsNaN(float64(b.QueryAccuracy)) {
		t.Errorf("%+v", b)
	}
	report, err := Verify(r.Path)
	must(t, err)
	if !report.OK() {
		t.Errorf("%+v", report.failed())
	}
	var b strings.Builder
	must(t, Compare(&b, []*Run{r}))
	if !strings.Contains(b.String(), "(path-kernel-svm): pathkernel: a support vector machine with a kernel whose diagonal has the mean 0\n") {
		t.Errorf("the table does not say why:\n%s", b.String())
	}
}

// A regression along the gradient flow has the baselines that it can have, of one output.
func TestBaselinesOfAFlow(t *testing.T) {
	r := mustExecute(t, "name: t\n", "data={source: sinusoid, train: 20, query: 4}", "loss.kind=squared-error", "network.hidden=[4]", "training.steps=500",
		"training.optimizer={kind: flow, time: 0.5}", "machines=[{name: d, family: flow, rule: trapezoid}]",
		"baselines=[{kind: tangent-kernel}, {kind: path-kernel-ridge}, {kind: averaged-coefficients}]", "analysis={every: 1, samples: 10}")
	report, err := Verify(r.Path)
	must(t, err)
	if !report.OK() || len(r.Summary.Baselines) != 3 {
		t.Errorf("%+v, %+v", report.failed(), r.Summary.Baselines)
	}
	for _, b := range r.Summary.Baselines {
		if b.Figures.Fault != "" || math.IsNaN(float64(b.Figures.RMSE)) {
			t.Errorf("%s: %+v", b.Name, b.Figures)
		}
	}
}

// A kernel that is beyond all numbers costs its figures, not the run.
func TestAnalysisOfAnInfiniteKernel(t *testing.T) {
	r := mustExecute(t, "name: t\n", "data.train=20", "data.query=4", "data.classes=[3,8]", "loss.kind=logistic", "network.hidden=[4]", "training.steps=3",
		"training.loss_limit=0", "training.optimizer.learning_rate=1e200", "path_kernel=none", "machines=[]", "analysis={every: 1}", "baselines=[{kind: path-kernel-ridge}]")
	text, err := os.ReadFile(filepath.Join(r.Path, analysisName))
	must(t, err)
	if !strings.Contains(string(text), `"effective_rank":null,"participation_ratio":null,`) || r.Summary.Baselines[0].Figures.Fault == "" {
		t.Errorf("%s\n%+v", text, r.Summary.Baselines)
	}
}
