package pathkernel

import (
	"slices"
	"testing"
)

// What each layer contributes is the product of its own weights' gradients: streamed, in
// mini-batches, refined and backwards. The explicit gradients are the twin; 1e-12 is rounding.
func TestLayersAreTheirOwnWeights(t *testing.T) {
	const queries, samples, outputs, η = 3, 4, 2, 0.3
	for name, net := range map[string]network{
		"dense":            {widths: []int{3, 5, 4, outputs}, bias: true, fixedInput: true, unit: true, shared: true},
		"formed gradients": {widths: []int{3, 5, 4, outputs}, bias: true, explicit: true},
		"shared weights":   {widths: []int{3, 5, outputs}, bias: true, positions: 3},
		"paired":           {widths: []int{60, 50, outputs}, bias: true, positions: 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := net.parameters()
			nodes := [][]Factor[float64]{net.factors(1, 10, queries, outputs)}
			gradient := net.factors(2, 31, samples, 1)
			mesh := Refinement[float64]{Query: 1, Weights: []float64{0.25, 0.75}, Factors: Stack(Rows(net.factors(1, 77, queries, outputs), 1, 1), Rows(net.factors(1, 78, queries, outputs), 1, 1))}
			φ, g := Explicit(nodes[0], p), Explicit(gradient, p)
			refined := Explicit(mesh.Factors, p)
			for k := range outputs * p {
				φ[outputs*p+k] = 0.25*refined[k] + 0.75*refined[outputs*p+k]
			}
			layers := len(gradient)
			want := make([][]float64, layers)
			for l := range layers {
				lo := gradient[l].Weight
				hi := lo + gradient[l].gradientWidth()
				for r := range queries * outputs {
					for i := range samples {
						want[l] = append(want[l], -η/samples*dot(φ[r*p+lo:r*p+hi], g[i*p+lo:i*p+hi]))
					}
				}
			}
			streamed, batched, back := machine(t, ExactFamily, "left", NoKernel, queries, outputs, samples), machine(t, ExactFamily, "left", NoKernel, queries, outputs, samples), machine(t, ExactFamily, "left", NoKernel, queries, outputs, samples)
			for _, m := range []*Machine{streamed, batched, back} {
				m.SplitLayers(layers)
			}
			for _, m := range []*Machine{streamed, batched} {
				path := path(t, m)
				path.Begin(η)
				add := func() {
					if m == streamed {
						path.Add(nodes, Block[float64]{Gradient: gradient, Derivatives: []float64{1}}, samples)
					} else {
						path.AddBatch(nodes, []int{0, 1, 2, 3}, gradient, []float64{1})
					}
				}
				add()
				if err := path.Refine(0, nodes, []Refinement[float64]{mesh}); err != nil {
					t.Fatal(err)
				}
				add()
			}
			b, err := NewBackward[float64](gonum(t), back, p, 0, queries)
			if err != nil {
				t.Fatal(err)
			}
			weights := make([]float64, p)
			for i := range weights {
				weights[i] = float64(i%7) - 3
			}
			if err := b.Step(&LinearStep[float64]{Clip: 1, Decay: 0.5, F: Diagonal{Scalar: η}, Weights: weights, Gradient: gradient, Nodes: nodes, Refined: []Refinement[float64]{mesh}}); err != nil {
				t.Fatal(err)
			}
			for what, m := range map[string]*Machine{"streamed": streamed, "batched": batched, "backwards": back} {
				contributions, regularization := m.ByLayer()
				got, decayed := split(contributions, layers), split(regularization, layers)
				for l := range layers {
					if d := maxDifference(got[l], want[l]); d > 1e-12 {
						t.Errorf("%s: layer %d: relative difference %.2g", what, l, d)
					}
				}
				sum := make([]float64, queries*outputs*samples)
				for _, part := range got {
					for i, v := range part {
						sum[i] += v
					}
				}
				if !slices.Equal(sum, m.Contributions()) {
					t.Errorf("%s: the layers do not sum to the contributions", what)
				}
				if what != "backwards" {
					continue
				}
				for l := range layers {
					lo := gradient[l].Weight
					hi := lo + gradient[l].gradientWidth()
					var want []float64
					for r := range queries * outputs {
						want = append(want, -0.5*dot(φ[r*p+lo:r*p+hi], weights[lo:hi]))
					}
					if d := maxDifference(decayed[l], want); d > 1e-12 {
						t.Errorf("decay of layer %d: relative difference %.2g", l, d)
					}
				}
			}
		})
	}
}

// split returns consecutive parts of equal length.
func split(v []float64, parts int) [][]float64 {
	return slices.Collect(slices.Chunk(v, len(v)/parts))
}

// By hand: f(x) = v·u·x with u = 2 and v = 3, a query x = 1, a sample x′ = 5 whose ℓ′ is 2, η = 1/2.
// u adds −η·(v·x)(v·x′)ℓ′ = −45, v adds −η·(u·x)(u·x′)ℓ′ = −20.
func TestSharesOfTwoLayersByHand(t *testing.T) {
	const u, v, x, sample, derivative, η = 2.0, 3.0, 1.0, 5.0, 2.0, 0.5
	factors := func(x, seed float64) []Factor[float64] {
		one := func(layer string, weight int, input, cotangent float64) Factor[float64] {
			return Factor[float64]{Layer: layer, Rows: 1, Stacks: 1, Positions: 1, InWidth: 1, OutWidth: 1, Input: []float64{input}, Cotangent: []float64{cotangent}, Weight: weight, Bias: -1}
		}
		return []Factor[float64]{one("0", 0, x, v*seed), one("1", 1, u*x, seed)}
	}
	streamed, batched, back := machine(t, ExactFamily, "left", NoKernel, 1, 1, 1), machine(t, ExactFamily, "left", NoKernel, 1, 1, 1), machine(t, ExactFamily, "left", NoKernel, 1, 1, 1)
	for _, m := range []*Machine{streamed, batched, back} {
		m.SplitLayers(2)
	}
	nodes, gradient := [][]Factor[float64]{factors(x, 1)}, factors(sample, derivative)
	p := path(t, streamed)
	p.Begin(η)
	p.Add(nodes, Block[float64]{Gradient: gradient, Derivatives: []float64{derivative}}, 1)
	p = path(t, batched)
	p.Begin(η)
	p.AddBatch(nodes, []int{0}, gradient, []float64{derivative})
	b, err := NewBackward[float64](gonum(t), back, 2, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Step(&LinearStep[float64]{Clip: 1, F: Diagonal{Scalar: η}, Weights: []float64{u, v}, Gradient: gradient, Nodes: nodes}); err != nil {
		t.Fatal(err)
	}
	for what, m := range map[string]*Machine{"streamed": streamed, "batched": batched, "backwards": back} {
		contributions, _ := m.ByLayer()
		shares := split(contributions, 2)
		near(t, what+": the first layer", shares[0], -45)
		near(t, what+": the second layer", shares[1], -20)
		near(t, what+": both", m.Contributions(), -65)
	}
}

// A window holds what was added since the one before was closed, of the queries that it was closed
// for; classes sum samples. By hand.
func TestWindowsAndClasses(t *testing.T) {
	m := machine(t, ExactFamily, "left", NoKernel, 2, 1, 3)
	m.SplitWindows(2)
	p := path(t, m)
	add := func(η float64) {
		p.Begin(η)
		p.Add([][]Factor[float64]{scalar([]float64{1}, []float64{2})}, Block[float64]{Gradient: scalar([]float64{-3}, []float64{-6}, []float64{0}), Derivatives: []float64{1, 1, 1}}, 3)
	}
	closed := func(window, first, count int) {
		t.Helper()
		if err := m.CloseWindow(window, first, count); err != nil {
			t.Fatal(err)
		}
	}
	add(1) // Q = η·[[1, 2, 0], [2, 4, 0]]
	closed(0, 0, 2)
	add(10)
	closed(1, 1, 1)
	contributions, _ := m.ByWindow()
	parts := split(contributions, 2)
	near(t, "the first window", parts[0], 1, 2, 0, 2, 4, 0)
	near(t, "the second, of one query", parts[1], 0, 0, 0, 20, 40, 0)
	closed(1, 0, 1)
	near(t, "the second", parts[1], 10, 20, 0, 20, 40, 0)
	near(t, "classes", m.ByClass([]int{1, 1, 0}, 2), 0, 33, 0, 66)
	for _, bad := range [][3]int{{2, 0, 1}, {-1, 0, 1}, {0, 1, 2}, {0, -1, 1}} {
		if err := m.CloseWindow(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("window %d for %d queries from %d was closed", bad[0], bad[2], bad[1])
		}
	}
	restored := machine(t, ExactFamily, "left", NoKernel, 2, 1, 3)
	restored.SplitWindows(2)
	if err := restored.Restore(m.Accumulators()); err != nil {
		t.Fatal(err)
	}
	again, _ := restored.ByWindow()
	near(t, "restored", again, contributions...)
	other := machine(t, ExactFamily, "left", NoKernel, 2, 1, 3)
	other.SplitWindows(3)
	if err := other.Restore(m.Accumulators()); err == nil {
		t.Error("a state of two windows was restored to three")
	}
}
