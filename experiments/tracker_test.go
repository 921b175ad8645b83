package experiments

import (
	"context"
	"fmt"
	"math"
	"testing"

	"pkm/graphs"
	"pkm/internal/compute"
	"pkm/pathkernel"
	"pkm/training"
)

// plain is the slow twin of the tracker: it forms every Jacobian whole and takes
// the formulas of the design by the letter.
type plain struct {
	t       *testing.T
	network *graphs.Network
	query   *graphs.Jacobian[float64]
	train   *graphs.Jacobian[float64]
	nodes   []float64
	weights []float64         // of the rule, at the nodes
	flow    bool              // trapezoid rule over snapshots instead
	tracked *tracker[float64] // whose step residual is checked, or nil

	contributions []float64 // (M, C, N)
	kernel        []float64 // (M, C, N, C)
}

// explicit returns J (rows, C, P) at w.
func (p *plain) explicit(j *graphs.Jacobian[float64], w []float64) [][][]float64 {
	if err := j.Run(w); err != nil {
		p.t.Fatal(err)
	}
	out := make([][][]float64, j.Rows())
	for n := range out {
		for c := range p.network.Outputs() {
			row := make([]float64, len(w))
			for _, f := range j.Factors() {
				for o := range f.OutWidth {
					δ := f.Cotangent[(n*f.Stacks+c)*f.OutWidth+o]
					for i := range f.InWidth {
						row[f.Weight+o*f.InWidth+i] = δ * f.Input[n*f.InWidth+i]
					}
					row[f.Bias+o] = δ
				}
			}
			out[n] = append(out[n], row)
		}
	}
	return out
}

func (p *plain) Step(_ context.Context, s *training.Step[float64]) error {
	if p.flow { // Σ_s (η/2)(h_s + h_{s+1}), with one η
		weight := 1.0
		if s.Index == 0 {
			weight = 0.5
		}
		p.add(s, []float64{0}, []float64{weight})
		return nil
	}
	p.add(s, p.nodes, p.weights)
	if p.tracked != nil {
		p.checkResidual(s)
	}
	return nil
}

func (p *plain) Finish(_ context.Context, s *training.Step[float64]) error {
	if p.flow {
		p.add(s, []float64{0}, []float64{0.5})
	}
	return nil
}

// checkResidual compares f(w_{s+1}) − f(w_s) − Σ_k ω_k J(w_s+t_kΔ_s)Δ_s, the largest
// of the queries and outputs, with what the tracker says.
func (p *plain) checkResidual(s *training.Step[float64]) {
	at := func(t float64) []float64 {
		w := make([]float64, len(s.Weights))
		for i := range w {
			w[i] = s.Weights[i] + t*s.Delta[i]
		}
		return w
	}
	outputs := func(t float64) []float64 {
		if err := p.query.Run(at(t)); err != nil {
			p.t.Fatal(err)
		}
		return append([]float64(nil), p.query.Outputs()...)
	}
	before, after, classes := outputs(0), outputs(1), p.network.Outputs()
	for k, t := range p.nodes {
		for m, j := range p.explicit(p.query, at(t)) {
			for c := range classes {
				for q, d := range s.Delta {
					after[m*classes+c] -= p.weights[k] * j[c][q] * d
				}
			}
		}
	}
	var want float64
	for i := range after {
		want = max(want, math.Abs(after[i]-before[i]))
	}
	if got := p.tracked.residual; math.Abs(got-want) > 1e-12+1e-9*want {
		p.t.Errorf("step %d: residual %.6g, want %.6g", s.Index, got, want)
	}
}

// add adds a step with the query at some nodes.
func (p *plain) add(s *training.Step[float64], nodes, weights []float64) {
	train, classes, samples := p.explicit(p.train, s.Weights), p.network.Outputs(), p.train.Rows()
	for k, at := range nodes {
		w := make([]float64, len(s.Weights))
		for i := range w {
			w[i] = s.Weights[i]
			if at != 0 {
				w[i] += at * s.Delta[i]
			}
		}
		for m, query := range p.explicit(p.query, w) {
			for c := range classes {
				for i := range samples {
					for c2 := range classes {
						var k2 float64
						for q := range w {
							k2 += query[c][q] * train[i][c2][q]
						}
						p.kernel[((m*classes+c)*samples+i)*classes+c2] += s.LearningRate * weights[k] * k2
						p.contributions[(m*classes+c)*samples+i] -= s.LearningRate / float64(samples) * weights[k] * k2 * s.LossDerivatives[i*classes+c2]
					}
				}
			}
		}
	}
}

// Every single contribution and every entry of the path kernel, not only their
// sums: swapping two samples would leave the prediction as it is.
func TestTrackerEqualsPlainTwin(t *testing.T) {
	const samples, queries, classes = 9, 4, 3
	for _, hidden := range []string{"[5, 4]", "[6]", "[]"} {
		for _, block := range []int{1, 3, queries} { // of queries: all at once, or in turns
			t.Run(fmt.Sprintf("%s/%d", hidden, block), func(t *testing.T) { trackerEqualsPlainTwin(t, hidden, samples, queries, classes, block) })
		}
	}
}

func trackerEqualsPlainTwin(t *testing.T, hidden string, samples, queries, classes, block int) {
	c, err := Parse("t", []byte("name: t\nnetwork: {hidden: "+hidden+"}\n"), "yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := LoadDigits()
	if err != nil {
		t.Fatal(err)
	}
	train, query, _, err := data.Split(3, samples, queries, []int{1, 4, 7})
	if err != nil {
		t.Fatal(err)
	}
	network, err := c.Network.Build(data, classes)
	if err != nil {
		t.Fatal(err)
	}
	w, err := graphs.Initialise[float64](network, graphs.GlorotNormal, 1, 5)
	if err != nil {
		t.Fatal(err)
	}
	targets, err := training.OneHot[float64](train.Labels, classes)
	if err != nil {
		t.Fatal(err)
	}
	for _, kernel := range []pathkernel.Kernel{pathkernel.FullKernel, pathkernel.TraceKernel} {
		for _, name := range []string{"left", "trapezoid", "gauss-2"} {
			b := gonum(t)
			rule, err := pathkernel.ParseRule(name)
			if err != nil {
				t.Fatal(err)
			}
			machine, err := Machine{Name: name, Family: "exact", Rule: name}.build(kernel, queries, classes, samples, 1)
			if err != nil {
				t.Fatal(err)
			}
			// A second machine, so that nodes are shared and told apart.
			other, err := Machine{Name: "flow", Family: "flow", Rule: "trapezoid"}.build(kernel, queries, classes, samples, 1)
			if err != nil {
				t.Fatal(err)
			}
			tracked, err := track(network, b, []*pathkernel.Machine{other, machine}, kernel, query.Inputs, train.Inputs, block)
			if err != nil {
				t.Fatal(err)
			}
			if err := tracked.begin(w); err != nil {
				t.Fatal(err)
			}
			twin := &plain{t: t, network: network, nodes: rule.Nodes, weights: rule.Weights, tracked: tracked,
				contributions: make([]float64, queries*classes*samples), kernel: make([]float64, queries*classes*samples*classes)}
			flowTwin := &plain{t: t, network: network, flow: true,
				contributions: make([]float64, queries*classes*samples), kernel: make([]float64, queries*classes*samples*classes)}
			for _, side := range []struct {
				jacobian **graphs.Jacobian[float64]
				inputs   []float64
			}{{&twin.query, query.Inputs}, {&twin.train, train.Inputs}} {
				j, err := graphs.NewJacobian[float64](network, b, len(side.inputs)/64)
				if err != nil {
					t.Fatal(err)
				}
				if err := j.SetInputs(side.inputs); err != nil {
					t.Fatal(err)
				}
				*side.jacobian = j
			}
			flowTwin.query, flowTwin.train = twin.query, twin.train
			loop := &training.Loop[float64]{Network: network, Engine: b, Loss: training.CrossEntropy[float64]{}, Inputs: train.Inputs, Targets: targets,
				Initial: w, LearningRate: 0.5, Steps: 4, Hooks: []training.Hook[float64]{tracked, twin, flowTwin}}
			if _, err := loop.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			compare := func(what string, got, want []float64) {
				t.Helper()
				var scale, miss float64
				for i := range want {
					scale, miss = max(scale, math.Abs(want[i])), max(miss, math.Abs(got[i]-want[i]))
				}
				if len(got) != len(want) || miss > 1e-12*scale { // rounding of sums of a thousand products
					t.Errorf("%s, %s kernel, %s: relative difference %.2g", name, kernel, what, miss/scale)
				}
			}
			compare("contributions", machine.Contributions(), twin.contributions)
			compare("flow's contributions", other.Contributions(), flowTwin.contributions)
			if kernel == pathkernel.FullKernel {
				compare("path kernel", machine.PathKernel(), twin.kernel)
				compare("flow's path kernel", other.PathKernel(), flowTwin.kernel)
				continue
			}
			trace := make([]float64, queries*samples)
			for m := range queries {
				for i := range samples {
					for k := range classes {
						trace[m*samples+i] += twin.kernel[((m*classes+k)*samples+i)*classes+k]
					}
				}
			}
			compare("path kernel", machine.PathKernel(), trace)
		}
	}
}

// Cutting the training set into blocks changes nothing but the order of work.
func TestTrackerBlocks(t *testing.T) {
	r := mustExecute(t, small, "path_kernel=full")
	c, err := Parse("test.yaml", []byte(small), "yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.Data.Load()
	if err != nil {
		t.Fatal(err)
	}
	train, query, classes, err := data.Split(1, 40, 7, nil)
	if err != nil {
		t.Fatal(err)
	}
	network, err := c.Network.Build(data, classes)
	if err != nil {
		t.Fatal(err)
	}
	w, err := graphs.Initialise[float64](network, graphs.GlorotNormal, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	targets, err := training.OneHot[float64](train.Labels, classes)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := c.Machines[0].build(pathkernel.FullKernel, 7, classes, 40, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := gonum(t)
	tracked, err := track(network, b, []*pathkernel.Machine{machine}, pathkernel.FullKernel, query.Inputs, train.Inputs, 7)
	if err != nil {
		t.Fatal(err)
	}
	if tracked.blocks = nil; tracked.cut(network, 40, 15) != nil || len(tracked.blocks) != 3 {
		t.Fatalf("%d blocks of 15 of 40 samples", len(tracked.blocks))
	}
	if err := tracked.begin(w); err != nil {
		t.Fatal(err)
	}
	loop := &training.Loop[float64]{Network: network, Engine: b, Loss: training.CrossEntropy[float64]{}, Inputs: train.Inputs, Targets: targets,
		Initial: w, LearningRate: 0.2, Steps: 5, Hooks: []training.Hook[float64]{tracked}}
	if _, err := loop.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]float64{"contributions": machine.Contributions(), "path_kernel": machine.PathKernel(), "coefficients": machine.Coefficients()} {
		for i, want := range readArray[float64](t, r.Path, "exact/"+name) {
			if math.Abs(got[i]-want) > 1e-9*math.Abs(want)+1e-14 { // coefficients are quotients of sums
				t.Fatalf("%s, entry %d: %g in blocks, %g whole", name, i, got[i], want)
			}
		}
	}
}

// track returns the tracker of machines that account for outputs, in blocks of so many queries.
func track[T graphs.Float](n *graphs.Network, engine compute.Engine, machines []*pathkernel.Machine, kernel pathkernel.Kernel, query, train []T, block int) (*tracker[T], error) {
	g := newGroup[T](outputsTarget, nil)
	g.machines = machines
	q, err := newQueries(n, engine, query, block, machines)
	if err != nil {
		return nil, err
	}
	return newTracker(q, []*group[T]{g}, kernel, train)
}
