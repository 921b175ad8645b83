package pathkernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// linearPath draws steps of every kind: mini-batches, momentum that changes, vectors for
// diagonals, clipping, both decays, and the moves Δ that they make.
func linearPath(net network, rule Rule, queries, samples, outputs, steps int) (path []*LinearStep[float64], moves [][]float64) {
	random := rand.New(rand.NewPCG(3, 4))
	p := net.parameters()
	vector := func() Diagonal {
		v := make([]float64, p)
		for i := range v {
			v[i] = 0.5 + random.Float64()
		}
		return Diagonal{Vector: v}
	}
	u := make([]float64, p)
	for s := range steps {
		batch := []int(nil)
		size := samples
		if s%2 == 1 {
			size = 2
			batch = random.Perm(samples)[:size]
		}
		step := &LinearStep[float64]{Clip: 0.5 + random.Float64(), L2: 0.1 * random.Float64(), Beta: random.Float64(), Decay: 0.1 * random.Float64(),
			A: Diagonal{Scalar: random.Float64()}, E: vector(), F: vector(), Batch: batch, Gradient: net.factors(2, uint64(100+s), size, 1)}
		switch s % 3 {
		case 1:
			step.A, step.F = vector(), Diagonal{}
		case 2:
			step.E = Diagonal{Scalar: random.Float64()}
		}
		for range p {
			step.Weights = append(step.Weights, random.NormFloat64())
		}
		for k := range rule.Nodes {
			step.Nodes = append(step.Nodes, net.factors(1, uint64(1000+10*s+k), queries, outputs))
		}
		g, move := Explicit(step.Gradient, p), make([]float64, p)
		for q := range p {
			mean := 0.0
			for i := range size {
				mean += g[i*p+q] / float64(size)
			}
			ĝ := step.Clip*mean + step.L2*step.Weights[q]
			u[q] = step.Beta*u[q] + step.A.at(q)*ĝ
			move[q] = -(step.E.at(q)*u[q] + step.F.at(q)*ĝ) - step.Decay*step.Weights[q]
		}
		path, moves = append(path, step), append(moves, move)
	}
	return path, moves
}

// Backward accumulation equals buffers for every sample, and both account for Σ φ·Δ.
// Rounding of some thousand products: 1e-11.
func TestBackwardEqualsForwardTwin(t *testing.T) {
	const queries, samples, outputs, steps = 3, 5, 2, 7
	for name, net := range map[string]network{
		"dense":                   {widths: []int{3, 5, 4, outputs}, bias: true, fixedInput: true},
		"no bias":                 {widths: []int{3, 5, outputs}},
		"formed gradients":        {widths: []int{3, 5, 4, outputs}, bias: true, explicit: true},
		"shared weights":          {widths: []int{3, 5, outputs}, bias: true, positions: 3},
		"several chunks of a row": {widths: []int{3, backwardColumns/3 + 5, outputs}, bias: true},
	} {
		for _, rule := range []Rule{Left(), Gauss(2)} {
			t.Run(fmt.Sprintf("%s/%s", name, rule.Name), func(t *testing.T) {
				backward, forward := machine(t, ExactFamily, rule.Name, NoKernel, queries, outputs, samples), machine(t, ExactFamily, rule.Name, NoKernel, queries, outputs, samples)
				p := net.parameters()
				b, err := NewBackward[float64](gonum(t), backward, p, 0, queries)
				if err != nil {
					t.Fatal(err)
				}
				f, err := NewForward[float64](forward, p)
				if err != nil {
					t.Fatal(err)
				}
				path, moves := linearPath(net, rule, queries, samples, outputs, steps)
				change := make([]float64, queries*outputs)
				for s, step := range path {
					if err := f.Step(step); err != nil {
						t.Fatal(err)
					}
					for k, ω := range rule.Weights {
						j := Explicit(step.Nodes[k], p)
						for r := range change {
							change[r] += ω * dot(j[r*p:(r+1)*p], moves[s])
						}
					}
				}
				for s := len(path) - 1; s >= 0; s-- {
					if err := b.Step(path[s]); err != nil {
						t.Fatal(err)
					}
				}
				if d := maxDifference(backward.Contributions(), forward.Contributions()); d > 1e-11 {
					t.Errorf("contributions: relative difference %.2g", d)
				}
				if d := maxDifference(backward.Regularization(), forward.Regularization()); d > 1e-11 {
					t.Errorf("regularisation: relative difference %.2g", d)
				}
				prediction := backward.Predict(make([]float64, queries*outputs))
				if d := maxDifference(prediction, change); d > 1e-11 {
					t.Errorf("the account's sum: relative difference %.2g", d)
				}
			})
		}
	}
}

// Momentum by hand: one weight, f = x·w, x = 1 for the query, two samples that take
// turns, g_1 = 1 in step 0 and g_2 = 1 in step 1, η = 1, β = ½, u_0 = g.
//
//	Δ_0 = −1, Δ_1 = −(½·1 + 1): sample 1 moved w by −1 and, through the momentum, by −½
//	after it had left the batch; sample 2 by −1.
func TestMomentumByHand(t *testing.T) {
	m := machine(t, ExactFamily, "left", NoKernel, 1, 1, 2)
	b, err := NewBackward[float64](gonum(t), m, 1, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	step := func(sample int) *LinearStep[float64] {
		return &LinearStep[float64]{Clip: 1, Beta: 0.5, A: Diagonal{Scalar: 1}, E: Diagonal{Scalar: 1}, Weights: []float64{0}, Batch: []int{sample},
			Gradient: scalar([]float64{1}), Nodes: [][]Factor[float64]{scalar([]float64{1})}}
	}
	for s := 1; s >= 0; s-- {
		if err := b.Step(step(s)); err != nil {
			t.Fatal(err)
		}
	}
	near(t, "contributions", m.Contributions(), -1.5, -1)
	near(t, "regularisation", m.Regularization(), 0)
}

func TestBackwardRefusals(t *testing.T) {
	flow := machine(t, FlowFamily, "left", NoKernel, 1, 1, 1)
	if _, err := NewBackward[float64](gonum(t), flow, 1, 0, 1); err == nil {
		t.Error("a machine of family flow was taken")
	}
	m := machine(t, ExactFamily, "left", NoKernel, 1, 1, 1)
	b, err := NewBackward[float64](gonum(t), m, 1, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	good := LinearStep[float64]{Clip: 1, Weights: []float64{0}, Gradient: scalar([]float64{1}), Nodes: [][]Factor[float64]{scalar([]float64{1})}}
	for name, edit := range map[string]func(s *LinearStep[float64]){
		"nodes":   func(s *LinearStep[float64]) { s.Nodes = append(s.Nodes, s.Nodes[0]) },
		"weights": func(s *LinearStep[float64]) { s.Weights = nil },
		"queries": func(s *LinearStep[float64]) { s.Nodes = [][]Factor[float64]{scalar([]float64{1}, []float64{1})} },
		"batch":   func(s *LinearStep[float64]) { s.Batch = []int{0, 0} },
		"sample":  func(s *LinearStep[float64]) { s.Batch = []int{1} },
	} {
		s := good
		edit(&s)
		if err := b.Step(&s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if v := m.Contributions()[0]; v != 0 || math.IsNaN(v) {
		t.Errorf("refused steps left %g", v)
	}
}
