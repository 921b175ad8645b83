package experiments

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

// A test for each definition, theorem and remark of P. Domingos, "Every Model Learned by Gradient
// Descent Is Approximately a Kernel Machine" (arXiv 2012.00152), with its number there.

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

// Remark 1: unlike those of usual kernel machines the coefficients and b depend on the query, but for
// a kernel that does not change along the path (of a linear model), where a_i is the average of
// −∂L/∂y_i alone. The theorem applies to training samples as queries, too.
func TestRemark1(t *testing.T) {
	for name, layers := range map[string][]graphs.Layer{"linear": {graphs.Dense{Out: 1}}, "tanh": nil} {
		p := newPaper(t, 1, layers...)
		p.query, p.queries = p.train, p.samples
		p.flow, p.steps = &training.FlowOptions{Time: 2, RelativeTolerance: 1, AbsoluteTolerance: 1, FixedStep: 1.0 / 64}, 1000
		m := p.run("flow", "trapezoid")
		if worst := largest(m.Residual(p.initial, p.final)); worst > 1e-3 { // (1/64)²/12·d³y/dt³
			t.Errorf("%s: training samples as queries: off by %.2g", name, worst)
		}
		a := m.Coefficients()
		for i := range p.samples {
			var average float64
			for s, ω := range p.weights(true) {
				average -= ω / 2 * p.path[s].derivatives[i] / float64(p.samples)
			}
			low, high := math.Inf(1), math.Inf(-1)
			for q := range p.queries {
				low, high = min(low, a[q*p.samples+i]), max(high, a[q*p.samples+i])
			}
			switch spread := high - low; {
			case name == "linear" && (spread > 1e-10 || math.Abs(high-average) > 1e-10): // rounding of quotients
				t.Errorf("linear: coefficients of sample %d go from %g to %g, want all %g", i, low, high, average)
			case name == "tanh" && spread < 1e-3*math.Abs(average):
				t.Errorf("tanh: the coefficients of sample %d are the same for all queries: %g to %g", i, low, high)
			}
		}
		if b := slices.Max(p.initial) - slices.Min(p.initial); b == 0 {
			t.Errorf("%s: b is the same for all queries", name)
		}
	}
}

// Remark 2: with the loss-weighted path kernel K^lp = ∫L′K^g dt all coefficients are −1: −1/N here,
// where L is a mean. The contributions are that machine's.
func TestRemark2(t *testing.T) {
	p := newPaper(t, 1)
	got := p.run("flow", "trapezoid").Contributions()
	want := make([]float64, len(got))
	for s, ω := range p.weights(true) {
		for i, k := range p.kernel(p.query, p.train, p.path[s].w) {
			want[i] += -1 / float64(p.samples) * ω * p.path[s].derivatives[i%p.samples] * k
		}
	}
	near(t, "contributions", got, want, differenced)
}

// softmax is the layer of class probabilities, and the target: p = softmax(f).
type softmax struct{}

func (softmax) Forward(_, x, y []float64) {
	logSoftmax{}.Forward(nil, x, y)
	for i := range y {
		y[i] = math.Exp(y[i])
	}
}

func (softmax) Pullback(_, x, δy, δx, _ []float64) {
	if δx == nil {
		return
	}
	y := make([]float64, len(x))
	softmax{}.Forward(nil, x, y)
	mean := inner(y, δy)
	for i := range δx {
		δx[i] = y[i] * (δy[i] - mean)
	}
}

func (softmax) Size() int { return 3 }

func (softmax) Evaluate(_ int, f, values, derivatives []float64) {
	softmax{}.Forward(nil, f, values)
	for c, p := range values {
		for k, q := range values {
			derivatives[c*len(f)+k] = -p * q
		}
		derivatives[c*len(f)+c] += p
	}
}

// likelihood is the loss −ln p of the class that y marks, with the derivative −1/p there.
type likelihood struct{}

func (likelihood) Evaluate(p, y []float64, classes int, losses, derivatives []float64) {
	for i := range losses {
		for c := i * classes; c < (i+1)*classes; c++ {
			if derivatives[c] = 0; y[c] == 1 {
				losses[i], derivatives[c] = -math.Log(p[c]), -1/p[c]
			}
		}
	}
}

// Remark 3: L′ = y − y* in least squares, and −1/p for the probability p of a sample's class under
// cross-entropy. The latter is the model of probabilities; ours is that of logits, whose L′ is
// p − onehot. Both give the same account of the probabilities. 1e-10: rounding of both ways.
func TestRemark3(t *testing.T) {
	p := newPaper(t, 3)
	p.run("flow", "left")
	for s, at := range p.path {
		var want []float64
		for i, y := range p.f(p.train, at.w) {
			want = append(want, y-p.targets[i])
		}
		near(t, fmt.Sprintf("L′ of step %d", s), at.derivatives, want, 1e-12) // rounding
	}

	labels := []int{0, 2, 1, 1, 0, 2}
	hidden := []graphs.Layer{graphs.Dense{Out: 4, Bias: true}, graphs.Activation{Kind: graphs.Tanh}, graphs.Dense{Out: 3, Bias: true}}
	var accounts [2][]float64
	for i, layers := range [][]graphs.Layer{hidden, append(slices.Clone(hidden), graphs.Custom{Name: "softmax", Function: softmax{}})} {
		p := newPaper(t, 3, layers...)
		var err error
		p.targets, err = training.OneHot[float64](labels, 3)
		must(t, err)
		var target pathkernel.Target = softmax{}
		p.loss = training.CrossEntropy[float64]{}
		if i == 1 {
			target, p.loss = nil, likelihood{}
		}
		accounts[i] = p.runTarget("flow", "trapezoid", pathkernel.NoKernel, target).Contributions()
	}
	near(t, "the account of probabilities", accounts[0], accounts[1], 1e-10)
}

// Remark 4: a regularisation term R(w) of the loss adds −∫Σ_j ∂y/∂w_j·∂R/∂w_j dt to b. For
// R = λ/2‖w‖² that is −λ∫ d/dh y((1+h)w) dt, a derivative in one direction.
func TestRemark4(t *testing.T) {
	const λ, η, h, steps = 0.1, 0.2, 1e-5, 10
	r := mustExecute(t, paperDigits, "network.hidden=[3]", "training.checkpoints.every=1", "machines=[{name: left, family: exact, rule: left}]",
		fmt.Sprintf("training.steps=%d", steps), fmt.Sprintf("training.optimizer={learning_rate: %g, weight_decay: %g}", η, λ))
	c, err := Parse("t", []byte(paperDigits), "yaml", []string{"network.hidden=[3]"}, nil)
	must(t, err)
	data, err := c.Data.Load()
	must(t, err)
	network, err := c.Network.Build(data, data.Classes)
	must(t, err)
	forward, err := graphs.NewForward[float64](network, gonum(t), 7)
	must(t, err)
	must(t, forward.SetInputs(readArray[float64](t, r.Path, "query_inputs")))
	want := make([]float64, 7*data.Classes)
	trajectory := training.Trajectory{Dir: filepath.Join(r.Path, "trajectory")}
	for s := range steps {
		at, err := training.ReadCheckpointOf[float64](trajectory.Path(s), network.Layout(), s)
		must(t, err)
		for _, sign := range []float64{1, -1} {
			must(t, forward.Run(scaled(at.Weights, 1+sign*h)))
			for i, f := range forward.Outputs() {
				want[i] -= η * λ * sign * f / (2 * h)
			}
		}
	}
	near(t, "regularisation", readArray[float64](t, r.Path, "left/regularization"), want, differenced)
}

// Remark 5: of mini-batches the indicator of a sample's being in the step's batch stands in every
// term. The derivatives that the coefficients average are 0 where it is not.
func TestRemark5(t *testing.T) {
	for _, outputs := range []int{1, 3} {
		p := newPaper(t, outputs)
		p.batch = 2
		m := p.run("exact", "left")
		columns := p.samples * outputs
		q, above, below := make([]float64, p.queries*outputs*p.samples), make([]float64, p.queries*outputs*columns), make([]float64, p.queries*outputs*columns)
		for s, ω := range p.weights(false) {
			kernel := p.kernel(p.query, p.train, p.path[s].w)
			for i, k := range kernel {
				below[i] += ω * k
				sample, c := i%columns/outputs, i%outputs
				if in := slices.Index(p.path[s].batch, sample); in >= 0 && ω != 0 {
					term := -ω * k * p.path[s].derivatives[in*outputs+c] / float64(p.batch)
					above[i] += term
					q[i/columns*p.samples+sample] += term
				}
			}
		}
		near(t, "contributions", m.Contributions(), q, differenced)
		near(t, "path kernel", m.PathKernel(), below, differenced)
		var weighted []float64
		for i, a := range m.Coefficients() {
			weighted = append(weighted, a*m.PathKernel()[i])
		}
		near(t, "coefficients by path kernel", weighted, above, differenced)
	}
}

// §2, after the remarks: for linear models the path kernel is the inner product of the data points,
// here times the length T = Σε of the path.
func TestLinearModel(t *testing.T) {
	p := newPaper(t, 1, graphs.Dense{Out: 1})
	length := p.rate * (1 - math.Pow(0.9, float64(p.steps))) / (1 - 0.9)
	var want []float64
	for q := range p.queries {
		for i := range p.samples {
			want = append(want, length*inner(p.query[q*2:q*2+2], p.train[i*2:i*2+2]))
		}
	}
	for _, rule := range []string{"left", "trapezoid"} {
		near(t, rule, p.run("flow", rule).PathKernel(), want, 1e-12) // rounding of 8 sums
	}
}

// §3, figure 2: the weights are a superposition of the training samples in gradient space,
// w = w_0 − Σ_i ∫L′_i∇y_i dt, step by step for gradient descent.
func TestWeightsAreASuperposition(t *testing.T) {
	p := newPaper(t, 3)
	p.run("flow", "left")
	want := slices.Clone(p.w)
	for s, ω := range p.weights(false) {
		for r, g := range p.gradients(p.train, p.path[s].w) {
			for j := range want {
				want[j] -= ω * p.path[s].derivatives[r] / float64(p.samples) * g[j]
			}
		}
	}
	near(t, "weights", p.path[len(p.path)-1].w, want, differenced)
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
