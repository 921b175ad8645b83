package pathkernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// scalar returns the factors of one-weight networks f = J(x)·w-like: sample n has
// Jacobian jacobian[n] (K values). The weight's input is 1, so that the cotangents
// are the Jacobian.
func scalar(jacobian ...[]float64) []Factor[float64] {
	n, k := len(jacobian), len(jacobian[0])
	f := Factor[float64]{Rows: n, Stacks: k, Positions: 1, InWidth: 1, OutWidth: 1, Bias: -1}
	for range jacobian {
		f.Input = append(f.Input, 1)
	}
	for _, row := range jacobian {
		f.Cotangent = append(f.Cotangent, row...)
	}
	return []Factor[float64]{f}
}

func machine(t *testing.T, family, rule string, kernel Kernel, queries, outputs, samples int) *Machine {
	t.Helper()
	r, err := ParseRule(rule)
	if err != nil {
		t.Fatal(err)
	}
	measure, err := NewMeasure(family, r)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMachine(family+"/"+rule, measure, kernel, queries, outputs, samples)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func path(t *testing.T, machines ...*Machine) *Path[float64] {
	t.Helper()
	p, err := NewPath[float64](gonum(t), machines...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func near(t *testing.T, what string, got []float64, want ...float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-15 {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}

// f = [xw, −xw], w₀ = 0, training samples (x=1, class 0) and (x=2, class 1), mean
// cross-entropy, η = 1/8, one step, query x = 3.
//
//	At w₀ both probabilities are ½: ℓ′_1 = [−½, ½], ℓ′_2 = [½, −½].
//	J(x) = [x, −x]: g_1 = −½·1 + ½·(−1) = −1, g_2 = ½·2 − ½·(−2) = 2.
//	w₁ = 0 − (1/8)·½·(−1 + 2) = −1/16.
//	Q[c,i] = −(1/16)·J_c(3)·g_i, with J(3) = [3, −3]:
//	Q = [[3/16, −3/8], [−3/16, 3/8]], f(3; w₁) = [−3/16, 3/16], the sum of the rows.
//
// A second 1/N halves Q; dropping the other output's ℓ′ halves it too.
func TestHandSolvedLogits(t *testing.T) {
	for _, rule := range []string{"left", "trapezoid", "midpoint-2", "gauss-3"} {
		m := machine(t, ExactFamily, rule, TraceKernel, 1, 2, 2)
		p := path(t, m)
		p.Begin(1.0 / 8)
		var nodes [][]Factor[float64]
		for range p.Nodes() { // J does not depend on w
			nodes = append(nodes, scalar([]float64{3, -3}))
		}
		p.Add(nodes, Block[float64]{Gradient: scalar([]float64{-1}, []float64{2}), Derivatives: []float64{-0.5, 0.5, 0.5, -0.5},
			Jacobian: scalar([]float64{1, -1}, []float64{2, -2})}, 2)
		near(t, "contributions", m.Contributions(), 3.0/16, -3.0/8, -3.0/16, 3.0/8)
		near(t, "prediction", m.Predict([]float64{0, 0}), -3.0/16, 3.0/16)
		near(t, "residual", m.Residual([]float64{0, 0}, []float64{-3.0 / 16, 3.0 / 16}), 0, 0)
		// tr K(3, x) = 3x + 3x, times η.
		near(t, "path kernel", m.PathKernel(), 6.0/8, 12.0/8)
	}
}

// f = [xw², 0], w₀ = ½, training sample (x=1, class 1), query x = 2, one step δ.
//
//	J(x) = [2xw, 0], so J(2) goes from 4w₀ = 2 to 4(w₀+δ) = 2 + 4δ.
//	f(2; w₀+δ) − f(2; w₀) = 2(w₀+δ)² − 2w₀² = 2δ + 2δ².
//	left: 2δ, residual 2δ². trapezoid: (2 + 1·2δ)δ = 2δ + 2δ², residual 0.
func TestHandSolvedSquare(t *testing.T) {
	const w0, η = 0.5, 0.25
	probability := 1 / (1 + math.Exp(-w0*w0)) // of class 0: logits [w₀², 0]
	g := 2 * w0 * probability
	δ := -η * g
	initial, final := []float64{2 * w0 * w0, 0}, []float64{2 * (w0 + δ) * (w0 + δ), 0}
	for rule, want := range map[string]float64{"left": 2 * δ * δ, "trapezoid": 0, "midpoint-1": 0, "gauss-2": 0} {
		m := machine(t, ExactFamily, rule, NoKernel, 1, 2, 1)
		p := path(t, m)
		p.Begin(η)
		var nodes [][]Factor[float64]
		for _, at := range p.Nodes() {
			nodes = append(nodes, scalar([]float64{4 * (w0 + at*δ), 0}))
		}
		p.Add(nodes, Block[float64]{Gradient: scalar([]float64{g}), Derivatives: []float64{probability, -probability}}, 1)
		near(t, rule+" residual", m.Residual(initial, final), want, 0)
	}
}

// f = [2xw, −2xw] from one weight used twice (xw + xw), w₀ = 0, training sample
// (x=1, class 0), η = 1/8, query x = 3.
//
//	J(x) = [2x, −2x]: K_00(3, 1) = 6·2 = 12. Adding the two uses' own products
//	would give 3·1 + 3·1 = 6: a shared weight's Jacobian is summed before it is multiplied.
//	ℓ′ = [−½, ½], g = −½·2 + ½·(−2) = −2, Q[0] = −(1/8)·6·(−2) = 3/2.
func TestHandSolvedSharedWeight(t *testing.T) {
	m := machine(t, ExactFamily, "left", FullKernel, 1, 2, 1)
	p := path(t, m)
	p.Begin(1.0 / 8)
	nodes := [][]Factor[float64]{scalar([]float64{6, -6})}
	p.Add(nodes, Block[float64]{Gradient: scalar([]float64{-2}), Derivatives: []float64{-0.5, 0.5}, Jacobian: scalar([]float64{2, -2})}, 1)
	near(t, "contributions", m.Contributions(), 3.0/2, -3.0/2)
	near(t, "path kernel", m.PathKernel(), 12.0/8, -12.0/8, -12.0/8, 12.0/8)
	// ℓ′ is constant along the path, so its average is −ℓ′, whatever the weights.
	near(t, "coefficients", m.Coefficients(), 0.5, -0.5, 0.5, -0.5)
}

// The full kernel's coefficients and kernel give back the contributions, and
// lie in the order query, output, training sample, training output.
func TestCoefficientsTimesKernelIsContribution(t *testing.T) {
	const queries, outputs, samples = 2, 3, 4
	net := network{widths: []int{3, 5, outputs}, bias: true}
	m := machine(t, ExactFamily, "trapezoid", FullKernel, queries, outputs, samples)
	p := path(t, m)
	for s := range uint64(3) {
		nodes := [][]Factor[float64]{net.factors(1, 10+s, queries, outputs), net.factors(1, 11+s, queries, outputs)}
		jacobian := net.factors(2, 20+s, samples, outputs)
		derivatives := make([]float64, samples*outputs)
		for i := range derivatives {
			derivatives[i] = float64((i+int(s))%7)/7 - 0.4
		}
		gradient := net.factors(2, 20+s, samples, outputs)
		for l := range gradient { // seed with ℓ′: the same inputs, cotangents summed
			f := &gradient[l]
			summed := make([]float64, samples*f.OutWidth)
			for c := range outputs {
				for i := range samples {
					for j := range f.OutWidth {
						summed[i*f.OutWidth+j] += derivatives[i*outputs+c] * f.Cotangent[(i*outputs+c)*f.OutWidth+j]
					}
				}
			}
			f.Stacks, f.Cotangent = 1, summed
		}
		p.Begin(0.1 * float64(s+1))
		// In two blocks, as a large training set would come.
		for _, first := range []int{0, 3} {
			count := min(3, samples-first)
			p.Add(nodes, Block[float64]{First: first, Gradient: Rows(gradient, first, count),
				Derivatives: derivatives[first*outputs : (first+count)*outputs], Jacobian: Rows(jacobian, first, count)}, samples)
		}
	}
	a, k, q := m.Coefficients(), m.PathKernel(), m.Contributions()
	for r := range queries * outputs {
		for i := range samples {
			var sum float64
			for c := range outputs {
				at := (r*samples+i)*outputs + c
				sum += a[at] * k[at]
			}
			if want := q[r*samples+i]; math.Abs(sum-want) > 1e-12 {
				t.Fatalf("row %d, sample %d: Σ a·K = %g, contribution %g", r, i, sum, want)
			}
		}
	}
	if c := m.Conditioning(); c.SmallKernel != 0 || c.MaxCoefficient == 0 || math.Abs(c.Bound-0.4571428571428572/4) > 1e-3 {
		t.Errorf("conditioning %+v", c)
	}
}

// For one output a_i(x) is a mean of −ℓ′_i/B with weights K: here K = 1 then 3 and
// ℓ′ = 1 then −1, η = 1: −(1·1 + 3·(−1))/4 = ½. Where K is −1 then 1 it vanishes, and
// the coefficient with it.
func TestConditioning(t *testing.T) {
	m := machine(t, ExactFamily, "left", TraceKernel, 1, 1, 3)
	p := path(t, m)
	derivatives := [][]float64{{1, 1, 1}, {-1, -1, 1}}
	kernel := [][]float64{{1, -1, 3}, {3, 1, -2}}
	for s := range derivatives {
		var gradient, jacobian [][]float64
		for i, d := range derivatives[s] {
			gradient = append(gradient, []float64{d * kernel[s][i]})
			jacobian = append(jacobian, []float64{kernel[s][i]})
		}
		p.Begin(1)
		nodes := [][]Factor[float64]{scalar([]float64{1})}
		p.Add(nodes, Block[float64]{Gradient: scalar(gradient...), Derivatives: derivatives[s], Jacobian: scalar(jacobian...)}, 1)
	}
	near(t, "path kernel", m.PathKernel(), 4, 0, 1)
	a := m.Coefficients()
	near(t, "coefficients", []float64{a[0], a[2]}, 0.5, -1)
	if !math.IsInf(a[1], 0) {
		t.Errorf("a contribution of %g over a kernel of 0 has the coefficient %g", m.Contributions()[1], a[1])
	}
	c := m.Conditioning()
	if c.SmallKernel != 1 || c.LargeCoefficients != 0 || c.MaxCoefficient != 1 || c.Bound != 1 {
		t.Errorf("conditioning %+v", c)
	}
}

// flow/trapezoid on iterates is left + (η/2)(h_S − h_0), as its sum telescopes.
func TestFlowTrapezoidTelescopes(t *testing.T) {
	const η, steps = 0.3, 5
	net := network{widths: []int{3, 4, 2}, bias: true}
	left, trapezoid := machine(t, FlowFamily, "left", NoKernel, 3, 2, 4), machine(t, FlowFamily, "trapezoid", NoKernel, 3, 2, 4)
	p := path(t, left, trapezoid)
	snapshot := func(s int) ([][]Factor[float64], []Factor[float64]) {
		return [][]Factor[float64]{net.factors(1, uint64(s), 3, 2)}, net.factors(2, uint64(100+s), 4, 1)
	}
	h := func(s int) []float64 {
		one := machine(t, FlowFamily, "left", NoKernel, 3, 2, 4)
		q := path(t, one)
		q.Begin(1)
		nodes, train := snapshot(s)
		q.Add(nodes, Block[float64]{Gradient: train}, 4)
		return one.Contributions()
	}
	for s := range steps {
		p.Begin(η)
		nodes, train := snapshot(s)
		p.Add(nodes, Block[float64]{Gradient: train}, 4)
	}
	if !p.Finish() {
		t.Fatal("the trapezoid rule does not ask for the final weights")
	}
	nodes, train := snapshot(steps)
	p.Add(nodes, Block[float64]{Gradient: train}, 4)
	want, first, last := left.Contributions(), h(0), h(steps)
	for i := range want {
		want[i] += η / 2 * (last[i] - first[i])
	}
	if d := maxDifference(trapezoid.Contributions(), want); d > 1e-12 {
		t.Fatalf("relative difference %.2g", d)
	}
}

func TestMachineRefusals(t *testing.T) {
	measure, err := NewMeasure(ExactFamily, Left())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewMachine("m", measure, "half", 1, 1, 1); err == nil {
		t.Error("an unknown path kernel was taken")
	}
	if _, err := NewMachine("m", measure, TraceKernel, 0, 1, 1); err == nil {
		t.Error("a machine without queries was made")
	}
	a, _ := NewMachine("a", measure, TraceKernel, 1, 1, 1)
	b, _ := NewMachine("b", measure, TraceKernel, 2, 1, 1)
	if _, err := NewPath[float64](gonum(t), a, b); err == nil {
		t.Error("machines of different shapes share a path")
	}
}

// A network that is linear in its weights, f(x) = w·x on ½(f−y)², is a kernel
// machine with constant kernel K = x·x′ and any rule accounts for it exactly.
func Example() {
	x, y, query := []float64{1, 2}, []float64{1, 1}, 3.0
	rule := Left()
	measure, _ := NewMeasure(ExactFamily, rule)
	m, _ := NewMachine("exact", measure, TraceKernel, 1, 1, 2)
	p, _ := NewPath[float64](gonum(nil), m)
	w, η := 0.0, 0.1
	for range 50 {
		d := []float64{w*x[0] - y[0], w*x[1] - y[1]} // ℓ′
		g := []float64{d[0] * x[0], d[1] * x[1]}
		p.Begin(η)
		nodes := [][]Factor[float64]{scalar([]float64{query})}
		p.Add(nodes, Block[float64]{Gradient: scalar(g[:1], g[1:]), Derivatives: d, Jacobian: scalar(x[:1], x[1:])}, 2)
		w -= η * (g[0] + g[1]) / 2
	}
	q := m.Contributions()
	fmt.Printf("network %.4f = initial 0 + %.4f + %.4f\n", w*query, q[0], q[1])
	// Output: network 1.8000 = initial 0 + 3.3600 + -1.5600
}

// The bound of a machine counts the steps that it counts: what is evaluated at w_S
// belongs to flow/trapezoid alone.
func TestBoundIsOfTheMachineItself(t *testing.T) {
	left, trapezoid := machine(t, FlowFamily, "left", NoKernel, 1, 1, 1), machine(t, FlowFamily, "trapezoid", NoKernel, 1, 1, 1)
	p := path(t, left, trapezoid)
	nodes := [][]Factor[float64]{scalar([]float64{1})}
	p.Begin(1)
	p.Add(nodes, Block[float64]{Gradient: scalar([]float64{1}), Derivatives: []float64{1}}, 1)
	p.Finish()
	p.Add(nodes, Block[float64]{Gradient: scalar([]float64{5}), Derivatives: []float64{5}}, 1)
	if l, r := left.Conditioning().Bound, trapezoid.Conditioning().Bound; l != 1 || r != 5 {
		t.Errorf("bounds %g and %g, want 1 and 5", l, r)
	}
}

// Mini-batches: the columns of a batch's samples get what a full batch of these samples
// alone would, divided by its own size, and the kernel counts all samples.
func TestBatchesScatterToTheirSamples(t *testing.T) {
	const queries, outputs, samples = 3, 2, 5
	net := network{widths: []int{3, 5, outputs}, bias: true, fixedInput: true}
	m := machine(t, ExactFamily, "trapezoid", FullKernel, queries, outputs, samples)
	p := path(t, m)
	want, kernel, numerators := make([]float64, queries*outputs*samples), make([]float64, queries*outputs*samples*outputs), make([]float64, queries*outputs*samples*outputs)
	size := net.parameters()
	for s, batch := range [][]int{{3, 1}, {0, 4}, {2}} {
		nodes := [][]Factor[float64]{net.factors(1, uint64(10+s), queries, outputs), net.factors(1, uint64(20+s), queries, outputs)}
		gradient, jacobian := net.factors(uint64(30+s), uint64(30+s), len(batch), 1), net.factors(2, uint64(40+s), samples, outputs)
		derivatives := make([]float64, samples*outputs)
		for _, i := range batch {
			for c := range outputs {
				derivatives[i*outputs+c] = float64(i+c) - 1.5
			}
		}
		η := 0.1 * float64(s+1)
		p.Begin(η)
		p.AddBatch(nodes, batch, gradient, []float64{1})
		p.AddKernel(nodes, Block[float64]{Jacobian: jacobian, Derivatives: derivatives}, len(batch))
		g, j := Explicit(gradient, size), Explicit(jacobian, size)
		for _, node := range nodes {
			q := Explicit(node, size)
			for r := range queries * outputs {
				for i, sample := range batch {
					want[r*samples+sample] -= η / 2 / float64(len(batch)) * dot(q[r*size:(r+1)*size], g[i*size:(i+1)*size])
				}
				for i := range samples * outputs {
					k := η / 2 * dot(q[r*size:(r+1)*size], j[i*size:(i+1)*size])
					kernel[r*samples*outputs+i] += k
					numerators[r*samples*outputs+i] -= k * derivatives[i] / float64(len(batch))
				}
			}
		}
	}
	a := m.Accumulators()
	for name, d := range map[string]float64{"contributions": maxDifference(a.Contributions, want), "kernel": maxDifference(a.PathKernel, kernel), "numerators": maxDifference(a.Numerators, numerators)} {
		if d > 1e-12 {
			t.Errorf("%s: relative difference %.2g", name, d)
		}
	}
}

// A machine that is restored in the middle of a path ends in the same bits.
func TestRestoredMachineContinues(t *testing.T) {
	net := network{widths: []int{3, 5, 2}, bias: true, fixedInput: true}
	for _, family := range []string{ExactFamily, FlowFamily} {
		step := func(p *Path[float64], s int) {
			p.Begin(0.1 * float64(s+1))
			var nodes [][]Factor[float64]
			for k := range p.Nodes() {
				nodes = append(nodes, net.factors(1, uint64(10*s+k), 3, 2))
			}
			p.Add(nodes, Block[float64]{Gradient: net.factors(2, uint64(100+s), 4, 1), Derivatives: []float64{float64(s)}, Jacobian: net.factors(2, uint64(100+s), 4, 2)}, 4)
		}
		whole, first, second := machine(t, family, "trapezoid", TraceKernel, 3, 2, 4), machine(t, family, "trapezoid", TraceKernel, 3, 2, 4), machine(t, family, "trapezoid", TraceKernel, 3, 2, 4)
		p := path(t, whole)
		for s := range 4 {
			step(p, s)
		}
		p = path(t, first)
		step(p, 0)
		step(p, 1)
		if err := second.Restore(first.Accumulators()); err != nil {
			t.Fatal(err)
		}
		p = path(t, second)
		step(p, 2)
		step(p, 3)
		if p.Finish() {
			p.weights[0][0] = 0 // compared before the end
		}
		near(t, family, second.Contributions(), whole.Contributions()...)
		if !slices.Equal(second.Contributions(), whole.Contributions()) || !slices.Equal(second.PathKernel(), whole.PathKernel()) || second.Conditioning() != whole.Conditioning() {
			t.Errorf("%s: the restored machine ends elsewhere", family)
		}
		other := machine(t, family, "trapezoid", NoKernel, 3, 2, 4)
		if err := other.Restore(first.Accumulators()); err == nil {
			t.Errorf("%s: another machine's state was taken", family)
		}
	}
}
