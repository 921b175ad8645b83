package pathkernel

import (
	"fmt"
	"testing"
)

// A refined query is integrated on its mesh and on nothing else, the others by the rule, in
// every product: streamed, in mini-batches, in both kernels and backwards. The explicit
// Jacobians are the twin; 1e-12 is rounding.
func TestRefinedQueries(t *testing.T) {
	const queries, samples, outputs, η = 4, 5, 2, 0.3
	mesh := map[int][]float64{1: {0.25, 0.75}, 3: {0.5, 0.2, 0.3}} // weights
	for name, net := range map[string]network{
		"dense":            {widths: []int{3, 5, 4, outputs}, bias: true, fixedInput: true, unit: true, shared: true},
		"formed gradients": {widths: []int{3, 5, 4, outputs}, bias: true, explicit: true},
		"shared weights":   {widths: []int{3, 5, outputs}, bias: true, positions: 3},
	} {
		for _, kernel := range []Kernel{TraceKernel, FullKernel} {
			t.Run(fmt.Sprintf("%s/%s", name, kernel), func(t *testing.T) {
				p := net.parameters()
				nodes := [][]Factor[float64]{net.factors(1, 10, queries, outputs), net.factors(1, 11, queries, outputs)}
				// Of each query the nodes of its mesh; the first machine is not refined.
				φ, plain := make([]float64, queries*outputs*p), make([]float64, queries*outputs*p)
				var refinements []Refinement[float64]
				for m := range queries {
					for k := range nodes {
						accumulate(plain, nodes[k], m, 0.5, p)
					}
					if mesh[m] == nil {
						copy(φ[m*outputs*p:(m+1)*outputs*p], plain[m*outputs*p:])
						continue
					}
					r := Refinement[float64]{Query: m, Weights: mesh[m]}
					var parts [][]Factor[float64]
					for k, ω := range mesh[m] {
						all := net.factors(1, uint64(100+10*m+k), queries, outputs)
						parts = append(parts, Rows(all, m, 1))
						accumulate(φ, all, m, ω, p)
					}
					r.Factors = Stack(parts...)
					refinements = append(refinements, r)
				}
				jacobian, gradient := net.factors(2, 30, samples, outputs), net.factors(2, 31, samples, 1)
				for l := range gradient {
					gradient[l].Input = jacobian[l].Input // of the same samples at the same weights
				}
				derivatives := make([]float64, samples*outputs)
				for i := range derivatives {
					derivatives[i] = float64(i) - 3
				}
				whole := func(integral, train []float64) []float64 {
					var out []float64
					for r := range queries * outputs {
						for i := range len(train) / p {
							out = append(out, η*dot(integral[r*p:(r+1)*p], train[i*p:(i+1)*p]))
						}
					}
					return out
				}
				left, m, batch := machine(t, ExactFamily, "gauss-2", kernel, queries, outputs, samples), machine(t, ExactFamily, "gauss-2", kernel, queries, outputs, samples), machine(t, ExactFamily, "gauss-2", kernel, queries, outputs, samples)
				streamed, batched := path(t, left, m), path(t, batch)
				streamed.Begin(η)
				batched.Begin(η)
				feed := func() {
					streamed.Add(nodes, Block[float64]{Gradient: gradient, Jacobian: jacobian, Derivatives: derivatives}, samples)
					batched.AddBatch(nodes, []int{4, 3, 2, 1, 0}, gradient, derivatives)
					batched.AddKernel(nodes, Block[float64]{Jacobian: jacobian, Derivatives: derivatives}, samples)
				}
				feed()
				for _, round := range [][]Refinement[float64]{refinements[:1], refinements[1:]} {
					for i, path := range []*Path[float64]{streamed, batched} {
						if err := path.Refine(1-i, nodes, round); err != nil {
							t.Fatal(err)
						}
					}
					feed()
				}

				check := func(what string, got, want []float64) {
					t.Helper()
					if d := maxDifference(got, want); d > 1e-12 {
						t.Errorf("%s: relative difference %.2g", what, d)
					}
				}
				want := whole(φ, Explicit(gradient, p))
				for i := range want {
					want[i] /= -samples
				}
				check("contributions", m.Contributions(), want)
				reversed := make([]float64, len(want))
				for i, v := range want {
					reversed[i/samples*samples+samples-1-i%samples] = v
				}
				check("contributions of a batch", batch.Contributions(), reversed)
				for _, side := range []struct {
					what     string
					machine  *Machine
					integral []float64
				}{{"kernel", m, φ}, {"kernel of a batch", batch, φ}, {"kernel of a machine that is not refined", left, plain}} {
					all := whole(side.integral, Explicit(jacobian, p))
					if kernel == FullKernel {
						check(side.what, side.machine.PathKernel(), all)
						continue
					}
					trace := make([]float64, queries*samples)
					for i, v := range all {
						q, c, n, d := i/(outputs*samples*outputs), i/(samples*outputs)%outputs, i/outputs%samples, i%outputs
						if c == d {
							trace[q*samples+n] += v
						}
					}
					check(side.what, side.machine.PathKernel(), trace)
				}

				// Backwards: the first step of a path.
				if kernel == FullKernel {
					return
				}
				back := machine(t, ExactFamily, "gauss-2", NoKernel, queries, outputs, samples)
				b, err := NewBackward[float64](gonum(t), back, p, 0, queries)
				if err != nil {
					t.Fatal(err)
				}
				if err := b.Step(&LinearStep[float64]{Clip: 1, F: Diagonal{Scalar: η}, Weights: make([]float64, p), Gradient: gradient, Nodes: nodes, Refined: refinements}); err != nil {
					t.Fatal(err)
				}
				check("contributions backwards", back.Contributions(), want)
			})
		}
	}
}

// accumulate adds the weighted Jacobian of one query to its place in φ (M·C, P).
func accumulate(φ []float64, factors []Factor[float64], query int, weight float64, p int) {
	j, c := Explicit(factors, p), factors[0].Stacks
	for i := query * c * p; i < (query+1)*c*p; i++ {
		φ[i] += weight * j[i]
	}
}

func TestRefineRefusals(t *testing.T) {
	net := network{widths: []int{3, 2}}
	p := path(t, machine(t, ExactFamily, "left", NoKernel, 2, 2, 3))
	nodes := [][]Factor[float64]{net.factors(1, 10, 2, 2)}
	p.Begin(1)
	for _, r := range []Refinement[float64]{{Query: 2, Weights: []float64{1}, Factors: net.factors(1, 1, 1, 2)}, {Query: 0, Weights: []float64{1, 2}, Factors: net.factors(1, 1, 1, 2)}} {
		if err := p.Refine(0, nodes, []Refinement[float64]{r}); err == nil {
			t.Errorf("query %d with %d weights was refined", r.Query, len(r.Weights))
		}
	}
}

// A certificate counts steps and queries where they belong, in any order of the steps, and is
// the same when it is saved in between.
func TestCertificate(t *testing.T) {
	m, other := machine(t, ExactFamily, "gauss-2", NoKernel, 2, 2, 1), machine(t, ExactFamily, "gauss-2", NoKernel, 2, 2, 1)
	certify := func(m *Machine, step int, residuals []float64, meshes map[int]Mesh) {
		t.Helper()
		if err := m.Certify(step, 0, residuals, 2, meshes); err != nil {
			t.Fatal(err)
		}
	}
	certify(m, 2, []float64{1, -3, 0, 0.5}, nil)
	if err := other.Restore(m.Accumulators()); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Machine{m, other} {
		certify(m, 0, []float64{8, 8, -4, 0}, map[int]Mesh{0: {Residual: 0.25, Spent: 9, Short: true}})
		c := m.Certificate()
		near(t, "largest", c.Largest, 3, 4)
		near(t, "accumulated", c.Accumulated, 3.25, 4.5)
		near(t, "nodes", c.Nodes, 11, 4)
		near(t, "nodes of steps", c.StepNodes, 11, 0, 4)
		near(t, "the rest", []float64{c.Refined, c.Shortfalls, c.WorstStep, c.WorstQuery}, 1, 1, 0, 1)
	}
	if err := m.Certify(0, 0, []float64{1}, 1, nil); err == nil {
		t.Error("a step of one residual was certified")
	}
	if c := machine(t, FlowFamily, "left", NoKernel, 1, 1, 1).Certificate(); c != nil {
		t.Error("a machine that does not integrate within steps has a certificate")
	}
}
