package experiments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

// logSoftmax is the layer y = log softmax(x).
type logSoftmax struct{}

func (logSoftmax) Forward(_, x, y []float64) {
	pathkernel.LogProbability{Classes: len(x)}.Evaluate(0, x, y, make([]float64, len(x)*len(x)))
}

func (logSoftmax) Pullback(_, x, δy, δx, _ []float64) {
	if δx == nil {
		return
	}
	var total float64
	for _, δ := range δy {
		total += δ
	}
	y := make([]float64, len(x))
	logSoftmax{}.Forward(nil, x, y)
	for i := range δx {
		δx[i] = δy[i] - math.Exp(y[i])*total
	}
}

// negative is the loss ℓ = −Σ y·f, with ℓ′ = −y: of log-probabilities, cross-entropy.
type negative struct{}

func (negative) Evaluate(f, y []float64, classes int, losses, derivatives []float64) {
	for i := range losses {
		losses[i] = 0
		for c := i * classes; c < (i+1)*classes; c++ {
			losses[i] -= y[c] * f[c]
			derivatives[c] = -y[c]
		}
	}
}

// A network of log-probabilities with ℓ′ = −onehot and one of logits with ℓ′ = p − onehot are the
// same function with the same gradients: the attribution of log-probability is the same. It is
// not when cross-output terms are dropped on either side. 1e-10: rounding of both ways.
func TestLogSoftmaxOrLogits(t *testing.T) {
	const samples, classes, steps = 12, 3, 20
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = r.NormFloat64()
		}
		return v
	}
	train, query := draw(samples*4), draw(5*4)
	labels := make([]int, samples)
	for i := range labels {
		labels[i] = i % classes
	}
	targets, err := training.OneHot[float64](labels, classes)
	must(t, err)
	run := func(target pathkernel.Target, loss graphs.Loss[float64], layers ...graphs.Layer) []float64 {
		n, err := graphs.New(graphs.Shape{4}, layers...)
		must(t, err)
		w, err := graphs.Initialise[float64](n, graphs.GlorotNormal, 1, 7)
		must(t, err)
		m, err := Machine{Name: "exact", Family: "exact", Rule: "gauss-4"}.build(pathkernel.NoKernel, 5, classes, samples, 1)
		must(t, err)
		q, err := newQueries(n, gonum(t), query, 5, []*pathkernel.Machine{m})
		must(t, err)
		g := newGroup[float64]("", target)
		g.machines = []*pathkernel.Machine{m}
		tracked, err := newTracker(q, []*group[float64]{g}, pathkernel.NoKernel, train)
		must(t, err)
		must(t, tracked.begin(w))
		loop := &training.Loop[float64]{Network: n, Engine: gonum(t), Loss: loss, Inputs: train, Targets: targets, Initial: w,
			LearningRate: 0.5, Steps: steps, Hooks: []training.Hook[float64]{tracked}}
		_, err = loop.Run(context.Background())
		must(t, err)
		for i, r := range m.Residual(g.initial, g.final) {
			if math.Abs(r) > 1e-9 {
				t.Errorf("residual %d is %.2g", i, r)
			}
		}
		return m.Contributions()
	}
	hidden := []graphs.Layer{graphs.Dense{Out: 6, Bias: true}, graphs.Activation{Kind: graphs.Tanh}, graphs.Dense{Out: classes, Bias: true}}
	logits := run(pathkernel.LogProbability{Classes: classes}, training.CrossEntropy[float64]{}, hidden...)
	outputs := run(nil, negative{}, append(slices.Clone(hidden), graphs.Custom{Name: "log-softmax", Function: logSoftmax{}})...)
	if d := difference(logits, outputs); d > 1e-10 {
		t.Errorf("the two ways differ by %.2g", d)
	}
}

// difference returns the largest difference over the largest magnitude.
func difference(a, b []float64) float64 {
	var off, scale float64
	for i := range a {
		off, scale = max(off, math.Abs(a[i]-b[i])), max(scale, math.Abs(b[i]))
	}
	return off / scale
}

// Machines of the loss and of log-probabilities close as those of outputs do, for every kind of
// step, and the loss is minus the log-probability of the label, sample by sample.
func TestTargets(t *testing.T) {
	machines := "machines=[{name: outputs, family: exact, rule: gauss-4}, {name: loss, family: exact, rule: gauss-4, target: loss}, " +
		"{name: log, family: exact, rule: gauss-4, target: log-probability}, {name: kinks, family: exact, rule: adaptive, target: loss}]"
	base := []string{"data.train=40", "data.query=6", "network.hidden=[8]", "training.steps=15", "training.checkpoints.every=4", machines}
	for name, test := range map[string]struct {
		overrides []string
		limit     float64
	}{
		"sgd":         {[]string{"path_kernel=full"}, 1e-9},
		"batches":     {[]string{"training.batch_size=16"}, 1e-9},
		"adam":        {[]string{"training.optimizer.kind=adam", "training.optimizer.learning_rate=0.01", "training.optimizer.weight_decay=0.1"}, 1e-9},
		"momentum":    {[]string{"training.optimizer.momentum=0.9"}, 1e-9},
		"convolution": {[]string{"network.kind=cnn", "network.convs=[{filters: 2, kernel: 3, pool: average}]"}, 1e-9},
		"float32":     {[]string{"precision=float32"}, 1e-4},
	} {
		t.Run(name, func(t *testing.T) {
			r := mustExecute(t, "name: t\n", append(slices.Clone(base), test.overrides...)...)
			for _, m := range r.Summary.Machines {
				if !(float64(m.Figures.RelativeError) <= test.limit) {
					t.Errorf("%s: relative error %.2g, want at most %g", m.Name, m.Figures.RelativeError, test.limit)
				}
			}
			if report, err := Verify(r.Path); err != nil || !report.OK() {
				t.Errorf("%v %+v", err, report.failed())
			}
			loss, log := readArray[float64](t, r.Path, "loss/contributions"), readArray[float64](t, r.Path, "log/contributions")
			var own []float64
			for m, label := range readArray[int64](t, r.Path, "query_targets") {
				own = append(own, scaled(log[(m*10+int(label))*40:][:40], -1)...)
			}
			if d := difference(own, loss); d > 100*test.limit {
				t.Errorf("loss and log-probability of the label differ by %.2g", d)
			}
		})
	}
}

// The loss path kernel has the constant coefficients −1/N, and along the flow it is symmetric and
// positive semi-definite: LPK(z, z) > 0 where queries are training samples.
// A batch of all samples has one as well, and a smaller one has none.
func TestLossPathKernel(t *testing.T) {
	for _, size := range []string{"0", "30", "15"} {
		r := mustExecute(t, "name: t\n", "data.train=30", "data.query=6", "network.hidden=[8]", "training.steps=10", "loss.kind=squared-error",
			"machines=[{name: loss, family: flow, rule: trapezoid, target: loss}]", "training.batch_size="+size)
		if size == "15" {
			if _, err := os.Stat(filepath.Join(r.Path, "arrays", "loss", "loss_path_kernel.npy")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("mini-batches have a loss path kernel: %v", err)
			}
			continue
		}
		kernel, q := readArray[float64](t, r.Path, "loss/loss_path_kernel"), readArray[float64](t, r.Path, "loss/contributions")
		for i := range q {
			if math.Abs(q[i]+kernel[i]/30) > 1e-15 {
				t.Fatalf("batch_size %s: contribution %d is %g, the kernel %g", size, i, q[i], kernel[i])
			}
		}
	}
}

// Little memory means turns of fewer queries, and the same account, whether it is added up in
// training or afterwards.
func TestQueriesInTurns(t *testing.T) {
	for name, overrides := range map[string][]string{
		"streamed":  nil,
		"batches":   {"training.batch_size=16", "path_kernel=full"},
		"backwards": {"training.optimizer.momentum=0.9", "training.optimizer.weight_decay=0.1", "training.checkpoints.every=4"},
	} {
		base := append([]string{"figures=false", "data.train=40", "data.query=7", "network.hidden=[8]", "training.steps=12", "network.activation=relu",
			"machines=[{name: adaptive, family: exact, rule: adaptive}, {name: loss, family: exact, rule: trapezoid, target: loss}, {name: left, family: exact, rule: left}]"}, overrides...)
		c, err := Parse("t", []byte("name: t\n"), "yaml", base, nil)
		must(t, err)
		whole, err := c.Plan()
		must(t, err)
		// The smallest memory for turns of three: 3, 3 and 1.
		for range 20 { // a part of the memory is that of meshes, whatever it is
			c.Memory = fmt.Sprintf("%.0fB", planOf(t, c, 3).Memory()+1)
		}
		turns, err := c.Plan()
		must(t, err)
		if whole.Block != 7 || turns.Block != 3 || turns.Blocks != 3 || turns.Memory() >= whole.Memory() {
			t.Errorf("%s: blocks of %d and, with less memory, of %d in %d turns", name, whole.Block, turns.Block, turns.Blocks)
		}
		a, b := mustExecute(t, "name: t\n", base...), mustExecute(t, "name: t\n", append(base, "memory="+c.Memory)...)
		for _, machine := range []string{"adaptive", "loss", "left"} {
			for array, tolerance := range map[string]float64{"contributions": 1e-12, "regularization": 1e-12, "step_residual_sum": 1e-3} {
				got, want := readArray[float64](t, b.Path, machine+"/"+array), readArray[float64](t, a.Path, machine+"/"+array)
				if d := difference(got, want); d > tolerance {
					t.Errorf("%s: %s of %s differ by %.2g", name, array, machine, d)
				}
			}
		}
	}
}

// planOf returns the plan for turns of so many queries.
func planOf(t *testing.T, c *Config, block int) *Plan {
	t.Helper()
	data, err := c.Data.Load()
	must(t, err)
	n, err := c.Network.Build(data, data.Classes)
	must(t, err)
	p, err := planIn[float64](c, n, block)
	must(t, err)
	p.add("the data set", float64(data.Bytes()), "")
	return p
}
