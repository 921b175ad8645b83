package experiments

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

// The paper's loss is a sum over samples and ours is their mean, so that 1/N stands before its
// loss derivatives. Jacobians are central differences of the network's outputs with h = 1e-5:
// they miss h²/6·f‴ and 1e-16/h of rounding, some 1e-10 of the largest. 1e-7 leaves room for sums
// of some hundred of their products.
const differenced = 1e-7

// paper is a small problem of two inputs, N = 6 and M = 3 samples, along whose training the
// quantities of the paper are formed by the letter.
type paper struct {
	t                         *testing.T
	network                   *graphs.Network
	loss                      graphs.Loss[float64]
	train, targets, query, w  []float64
	outputs, samples, queries int
	rate                      float64
	steps, batch              int
	flow                      *training.FlowOptions
	path                      []snapshot // w_0 … w_S
	initial, final            []float64
}

// snapshot is a point of the path.
type snapshot struct {
	w, derivatives []float64 // w_s; ℓ′ (B, C)
	batch          []int     // nil: all samples
	η              float64   // of the step that begins here, 0 at the end
}

func (p *paper) Step(_ context.Context, s *training.Step[float64]) error {
	p.path = append(p.path, snapshot{slices.Clone(s.Weights), slices.Clone(s.LossDerivatives), slices.Clone(s.Batch), s.LearningRate})
	return nil
}

func (p *paper) Finish(_ context.Context, s *training.Step[float64]) error {
	p.path = append(p.path, snapshot{w: slices.Clone(s.Weights), derivatives: slices.Clone(s.LossDerivatives)})
	return nil
}

// newPaper returns a problem of one hidden layer, or of the given layers.
func newPaper(t *testing.T, outputs int, layers ...graphs.Layer) *paper {
	t.Helper()
	if layers == nil {
		layers = []graphs.Layer{graphs.Dense{Out: 4, Bias: true}, graphs.Activation{Kind: graphs.Tanh}, graphs.Dense{Out: outputs, Bias: true}}
	}
	p := &paper{t: t, loss: training.SquaredError[float64]{}, outputs: outputs, samples: 6, queries: 3, rate: 0.1, steps: 8}
	var err error
	p.network, err = graphs.New(graphs.Shape{2}, layers...)
	must(t, err)
	p.w, err = graphs.Initialise[float64](p.network, graphs.GlorotNormal, 1, 7)
	must(t, err)
	r := rand.New(rand.NewPCG(3, 4))
	draw := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = r.NormFloat64()
		}
		return v
	}
	p.train, p.targets, p.query = draw(p.samples*2), draw(p.samples*outputs), draw(p.queries*2)
	return p
}

// run trains, with a learning rate that is another in each step, and with a machine of a family and
// rule, which keeps a full path kernel.
func (p *paper) run(family, rule string) *pathkernel.Machine {
	return p.runTarget(family, rule, pathkernel.FullKernel, nil)
}

func (p *paper) runTarget(family, rule string, kernel pathkernel.Kernel, target pathkernel.Target) *pathkernel.Machine {
	p.t.Helper()
	p.path = nil
	m, err := Machine{Name: family, Family: family, Rule: rule}.build(kernel, p.queries, p.outputs, p.samples, 1)
	must(p.t, err)
	q, err := newQueries(p.network, gonum(p.t), p.query, p.queries, []*pathkernel.Machine{m})
	must(p.t, err)
	g := newGroup[float64]("", target)
	g.machines = []*pathkernel.Machine{m}
	tracked, err := newTracker(q, []*group[float64]{g}, kernel, p.train)
	must(p.t, err)
	must(p.t, tracked.begin(p.w))
	l := &training.Loop[float64]{Network: p.network, Engine: gonum(p.t), Loss: p.loss, Inputs: p.train, Targets: p.targets, Initial: p.w,
		LearningRate: p.rate, Schedule: training.ScheduleOptions{Kind: training.ExponentialName, Gamma: 0.9}, Steps: p.steps, BatchSize: p.batch, Flow: p.flow, Hooks: []training.Hook[float64]{tracked, p}}
	_, err = l.Run(context.Background())
	must(p.t, err)
	p.initial, p.final = g.initial, g.final
	return m
}

// f returns the network's outputs (n, C).
func (p *paper) f(x, w []float64) []float64 {
	p.t.Helper()
	e, err := graphs.NewForward[float64](p.network, gonum(p.t), len(x)/2)
	must(p.t, err)
	must(p.t, e.SetInputs(x))
	must(p.t, e.Run(w))
	return slices.Clone(e.Outputs())
}

// gradients returns ∇_w f_c(x) at w for every sample and output, (n·C) slices of P.
func (p *paper) gradients(x, w []float64) [][]float64 {
	p.t.Helper()
	const h = 1e-5
	all := make([][]float64, len(x)/2*p.outputs)
	for r := range all {
		all[r] = make([]float64, len(w))
	}
	e, err := graphs.NewForward[float64](p.network, gonum(p.t), len(x)/2)
	must(p.t, err)
	must(p.t, e.SetInputs(x))
	for j := range w {
		for _, sign := range []float64{1, -1} {
			moved := slices.Clone(w)
			moved[j] += sign * h
			must(p.t, e.Run(moved))
			for r, f := range e.Outputs() {
				all[r][j] += sign * f / (2 * h)
			}
		}
	}
	return all
}

// kernel returns the tangent kernel K^g(x, x′) at w: (n·C) by (n′·C), row by row.
func (p *paper) kernel(x, other, w []float64) (k []float64) {
	p.t.Helper()
	left, right := p.gradients(x, w), p.gradients(other, w)
	for _, a := range left {
		for _, b := range right {
			k = append(k, inner(a, b))
		}
	}
	return k
}

// weights returns those of the trapezoid rule over the snapshots, or of the left one.
func (p *paper) weights(trapezoid bool) []float64 {
	ω := make([]float64, len(p.path))
	for s := range p.path[:len(p.path)-1] {
		η := p.path[s].η
		if !trapezoid {
			ω[s] = η
			continue
		}
		ω[s] += η / 2
		ω[s+1] += η / 2
	}
	return ω
}

func inner(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// near compares with the largest of what is wanted.
func near(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	if d := difference(got, want); !(d <= tolerance) {
		t.Errorf("%s: off by %.2g of the largest, want at most %g", what, d, tolerance)
	}
}
