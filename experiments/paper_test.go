package experiments

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

// A test for each definition, theorem and remark of P. Domingos, "Every Model Learned by Gradient
// Descent Is Approximately a Kernel Machine" (arXiv 2012.00152), with its number there.
//
// The paper's loss is a sum over samples and ours is their mean, so that 1/N stands before its
// loss derivatives. Jacobians are central differences of the network's outputs with h = 1e-5:
// they miss h²/6·f”' and 1e-16/h of rounding, some 1e-10 of the largest. 1e-7 leaves room for sums
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

// run trains with a machine of a family and rule, with a full path kernel.
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
		LearningRate: p.rate, Steps: p.steps, BatchSize: p.batch, Flow: p.flow, Hooks: []training.Hook[float64]{tracked, p}}
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

// Definition 1: the tangent kernel of two points is the inner product of the model's gradients at
// them, with respect to the weights, at one point in weight space.
func TestDefinition1(t *testing.T) {
	for _, outputs := range []int{1, 3} {
		p := newPaper(t, outputs)
		got, err := pathkernel.TangentKernel(gonum(t), pathkernel.FullForm, factorsBy(t, graphs.Stacked, gonum(t), p.network, p.w, p.query),
			factorsBy(t, graphs.Stacked, gonum(t), p.network, p.w, p.train), nil)
		must(t, err)
		near(t, fmt.Sprintf("kernel of %d outputs", outputs), got, p.kernel(p.query, p.train, p.w), differenced)
	}
}

// Definition 2: the path kernel is the tangent kernel, integrated along the curve of the weights. Of the
// integral, which is a sum over snapshots here, every entry is checked; and a sum of positive
// semi-definite kernels is one (§2).
func TestDefinition2(t *testing.T) {
	for _, outputs := range []int{1, 3} {
		p := newPaper(t, outputs)
		p.query, p.queries = p.train, p.samples
		got := p.run("flow", "trapezoid").PathKernel()
		want := make([]float64, len(got))
		for s, ω := range p.weights(true) {
			for i, k := range p.kernel(p.query, p.train, p.path[s].w) {
				want[i] += ω * k
			}
		}
		near(t, fmt.Sprintf("path kernel of %d outputs", outputs), got, want, differenced)
		spectrum, err := pathkernel.Spectrum(got, p.samples*outputs)
		must(t, err)
		if low, high := slices.Min(spectrum), slices.Max(spectrum); low < -1e-12*high { // rounding of an eigenvalue 0
			t.Errorf("the eigenvalues of the path kernel of %d outputs go from %g to %g", outputs, low, high)
		}
	}
}

// The proof of theorem 1, first half: along dw/dt = −∇L, by the chain rule and because the loss is a
// sum, dy/dt = −Σ_i L′_i K^g(x, x_i).
func TestTheorem1ChainRule(t *testing.T) {
	for _, outputs := range []int{1, 3} {
		p := newPaper(t, outputs)
		p.run("flow", "left")
		const h = 1e-4
		at := p.path[3]
		velocity := make([]float64, len(p.w))
		for j := range velocity { // of plain descent: Δ = −η∇L
			velocity[j] = (p.path[4].w[j] - at.w[j]) / at.η
		}
		moved := func(h float64) []float64 {
			w := slices.Clone(at.w)
			for j := range w {
				w[j] += h * velocity[j]
			}
			return p.f(p.query, w)
		}
		ahead, behind, kernel := moved(h), moved(-h), p.kernel(p.query, p.train, at.w)
		columns := p.samples * outputs
		var got, want []float64
		for r := range ahead {
			want = append(want, (ahead[r]-behind[r])/(2*h))
			got = append(got, -inner(kernel[r*columns:(r+1)*columns], at.derivatives)/float64(p.samples))
		}
		near(t, fmt.Sprintf("dy/dt of %d outputs", outputs), got, want, 10*differenced) // h²/6·d³y/dt³
	}
}

// Theorem 1: in the limit of small steps the model is y = Σ_i a_i K^p(x, x_i) + b, with b the initial
// model and a_i the average of −∂L/∂y_i along the path, weighted by the tangent kernel. With several
// outputs a_i K^p is a sum over those of the training side, too.
func TestTheorem1(t *testing.T) {
	for _, outputs := range []int{1, 3} {
		p := newPaper(t, outputs)
		// 256 steps of 1/128: the trapezoid rule misses some (1/128)²/12·d³y/dt³.
		p.flow, p.steps = &training.FlowOptions{Time: 2, RelativeTolerance: 1, AbsoluteTolerance: 1, FixedStep: 1.0 / 128}, 1000
		m := p.run("flow", "trapezoid")
		a, k := m.Coefficients(), m.PathKernel()
		near(t, "b", p.initial, p.f(p.query, p.w), 0)
		var y, change, missed []float64
		for r := range p.initial {
			columns := p.samples * outputs
			y = append(y, p.initial[r]+inner(a[r*columns:(r+1)*columns], k[r*columns:(r+1)*columns]))
			change, missed = append(change, p.final[r]-p.initial[r]), append(missed, p.final[r]-y[r])
		}
		near(t, "the learned model", p.final, p.f(p.query, p.path[len(p.path)-1].w), 1e-14)
		if worst, scale := largest(missed), largest(change); worst > 1e-4*scale {
			t.Errorf("%d outputs: Σ a_i K + b misses %.2g of a change of %.2g", outputs, worst, scale)
		}
	}
}

// The proof of theorem 1, second half: multiplied and divided by the path kernel, the integral of
// L′K^g is −a_i K^p, with a_i = −∫K^g L′dt / ∫K^g dt.
func TestTheorem1Coefficients(t *testing.T) {
	for _, outputs := range []int{1, 3} {
		p := newPaper(t, outputs)
		got := p.run("flow", "trapezoid").Coefficients()
		above, below := make([]float64, len(got)), make([]float64, len(got))
		columns := p.samples * outputs
		for s, ω := range p.weights(true) {
			for i, k := range p.kernel(p.query, p.train, p.path[s].w) {
				above[i] -= ω * k * p.path[s].derivatives[i%columns] / float64(p.samples)
				below[i] += ω * k
			}
		}
		for i := range got {
			// A quotient is as exact as its denominator, which cancels.
			tolerance := differenced * (largest(above) + math.Abs(got[i])*largest(below)) / math.Abs(below[i])
			if want := above[i] / below[i]; !(math.Abs(got[i]-want) <= tolerance) {
				t.Errorf("%d outputs: coefficient %d is %g, want %g ± %.2g", outputs, i, got[i], want, tolerance)
			}
		}
	}
}

// Theorem 1 holds in the limit of small steps. Along the gradient flow the snapshots lie on the curve,
// and what is left is the trapezoid rule's: a quarter of it with half the step, down to 1e-6.
// The rate ends in 3.9 to 4.1: the next term of the error is two orders higher.
func TestFlowOrder(t *testing.T) {
	last := 0.0
	for _, step := range []float64{1.0 / 256, 1.0 / 512, 1.0 / 1024} {
		r := mustExecute(t, paperDigits, "training.steps=300", "training.optimizer={kind: flow, time: 0.25}", fmt.Sprintf("training.optimizer.fixed_step=%g", step))
		now := float64(r.Summary.Machines[0].Figures.RelativeError)
		if last > 0 && math.Abs(last/now-4) > 0.1 {
			t.Errorf("steps of %g: the relative error is %.3g, %.2f times less than with twice the step, want 4", step, now, last/now)
		}
		last = now
	}
	if last > 1e-6 {
		t.Errorf("the relative error is %.2g at the finest, want at most 1e-6", last)
	}
}

// Iterates of gradient descent leave the curve by O(ε), which no rule over them repairs: half the
// error with half the learning rate.
func TestDescentOrder(t *testing.T) {
	last := 0.0
	for _, steps := range []int{40, 80, 160} {
		r := mustExecute(t, paperDigits, fmt.Sprintf("training.steps=%d", steps), fmt.Sprintf("training.optimizer.learning_rate=%g", 1/float64(steps)))
		now := float64(r.Summary.Machines[0].Figures.RelativeError)
		if last > 0 && math.Abs(last/now-2) > 0.1 {
			t.Errorf("%d steps: the relative error is %.3g, %.2f times less than with half of them, want 2", steps, now, last/now)
		}
		last = now
	}
}

// paperDigits is a small problem for the orders of convergence.
const paperDigits = `
name: paper
data: {train: 40, query: 7}
network: {hidden: [8]}
machines: [{name: domingos, family: flow, rule: trapezoid}]
`
