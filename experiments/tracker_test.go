package experiments

import (
	"context"
	"math"
	"testing"

	"pkm/graphs"
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
	weights []float64

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
					δ := f.Cotangent[(c*f.Rows+n)*f.OutWidth+o]
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
	train, classes, samples := p.explicit(p.train, s.Weights), p.network.Outputs(), p.train.Rows()
	for k, at := range p.nodes {
		w := make([]float64, len(s.Weights))
		for i := range w {
			w[i] = s.Weights[i] + at*s.Delta[i]
		}
		for m, query := range p.explicit(p.query, w) {
			for c := range classes {
				for i := range samples {
					for c2 := range classes {
						var k2 float64
						for q := range w {
							k2 += query[c][q] * train[i][c2][q]
						}
						p.kernel[((m*classes+c)*samples+i)*classes+c2] += s.LearningRate * p.weights[k] * k2
						p.contributions[(m*classes+c)*samples+i] -= s.LearningRate / float64(samples) * p.weights[k] * k2 * s.LossDerivatives[i*classes+c2]
					}
				}
			}
		}
	}
	return nil
}

func (p *plain) Finish(context.Context, *training.Step[float64]) error { return nil }

// Every single contribution and every entry of the path kernel, not only their
// sums: swapping two samples would leave the prediction as it is.
func TestTrackerEqualsPlainTwin(t *testing.T) {
	const samples, queries, classes = 9, 4, 3
	c, err := Parse("t", []byte("name: t\nnetwork: {hidden: [5, 4]}\n"), "yaml", nil, nil)
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
			machine, err := Machine{name, "exact", name}.build(kernel, queries, classes, samples)
			if err != nil {
				t.Fatal(err)
			}
			// A second machine, so that nodes are shared and told apart.
			other, err := Machine{"flow", "flow", "trapezoid"}.build(kernel, queries, classes, samples)
			if err != nil {
				t.Fatal(err)
			}
			tracked, err := newTracker(network, b, []*pathkernel.Machine{other, machine}, kernel, query.Inputs, train.Inputs)
			if err != nil {
				t.Fatal(err)
			}
			if err := tracked.begin(w); err != nil {
				t.Fatal(err)
			}
			twin := &plain{t: t, network: network, nodes: rule.Nodes, weights: rule.Weights,
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
			loop := &training.Loop[float64]{Network: network, Engine: b, Loss: training.CrossEntropy[float64]{}, Inputs: train.Inputs, Targets: targets,
				Initial: w, LearningRate: 0.5, Steps: 4, Hooks: []training.Hook[float64]{tracked, twin}}
			if _, _, err := loop.Run(context.Background()); err != nil {
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
			if kernel == pathkernel.FullKernel {
				compare("path kernel", machine.PathKernel(), twin.kernel)
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
	r := mustExecute(t, small)
	whole := readArray[float64](t, r.Path, "exact/path_kernel")
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
	machine, err := c.Machines[0].build(pathkernel.TraceKernel, 7, classes, 40)
	if err != nil {
		t.Fatal(err)
	}
	b := gonum(t)
	tracked, err := newTracker(network, b, []*pathkernel.Machine{machine}, pathkernel.TraceKernel, query.Inputs, train.Inputs)
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
	if _, _, err := loop.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i, k := range machine.PathKernel() {
		if math.Abs(k-whole[i]) > 1e-12*math.Abs(whole[i])+1e-15 {
			t.Fatalf("entry %d: %g in blocks, %g whole", i, k, whole[i])
		}
	}
}
