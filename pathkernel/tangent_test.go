package pathkernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// Symmetric kernels equal those of two sides, to rounding, and their transpose to the bit:
// for dense, formed and paired layers, in chunks and with rows enough for the largest tiles.
func TestSymmetricKernels(t *testing.T) {
	for name, test := range map[string]struct {
		net     network
		samples int
		k       int
	}{
		"dense":           {network{widths: []int{3, 5, 4, 2}, bias: true, fixedInput: true, unit: true, shared: true}, 70, 2},
		"large tiles":     {network{widths: []int{2, 3, 8}, bias: true, fixedInput: true, unit: true}, 4*largeTile/8 + 3, 8},
		"formed":          {network{widths: []int{3, 2, 2}, bias: true, positions: 40}, 70, 2},
		"formed, all":     {network{widths: []int{3, 2, 2}, bias: true, positions: 40}, 11, 2},
		"paired":          {network{widths: []int{30, 20, 2}, bias: true, positions: 2}, 150, 2},
		"several columns": {network{widths: []int{3, 4, 1}, bias: true}, traceTile + 40, 1},
	} {
		factors := test.net.factors(1, 2, test.samples, test.k)
		for _, form := range []Form{FullForm, TraceForm, DiagonalForm} {
			t.Run(fmt.Sprintf("%s/%s", name, form), func(t *testing.T) {
				dirty := slices.Repeat([]float64{math.NaN()}, test.samples*test.k*test.samples*test.k)
				one, err := TangentKernel(gonum(t), form, factors, nil, dirty)
				if err != nil {
					t.Fatal(err)
				}
				two, err := TangentKernel(gonum(t), form, factors, factors, nil)
				if err != nil {
					t.Fatal(err)
				}
				if d := maxDifference(one, two); !(d < 1e-13) {
					t.Fatalf("relative difference %.2g", d)
				}
				rows := test.samples
				if form == FullForm {
					rows *= test.k
				}
				if form == DiagonalForm {
					for r := range test.samples {
						for c := range test.k {
							for i := range test.samples {
								if one[(r*test.k+c)*rows+i] != one[(i*test.k+c)*rows+r] {
									t.Fatalf("output %d of samples %d and %d: not symmetric", c, r, i)
								}
							}
						}
					}
					return
				}
				for r := range rows {
					for c := range r {
						if one[r*rows+c] != one[c*rows+r] {
							t.Fatalf("row %d, column %d: %g and %g", r, c, one[r*rows+c], one[c*rows+r])
						}
					}
				}
			})
		}
	}
}

// Every element on or above the diagonal lies in one block, and none in two.
func TestBlocksCoverOnce(t *testing.T) {
	for _, n := range []int{1, 7, 8, 128, 129, 256, 300, 513, 4 * largeTile, 4*largeTile + 77} {
		seen := make([]int8, n*n)
		for _, b := range cutSymmetric(n) {
			for r := b.lo; r < b.hi; r++ {
				for c := b.left; c < b.right; c++ {
					seen[r*n+c]++
				}
			}
		}
		for r := range n {
			for c := range n {
				if s := seen[r*n+c]; s > 1 || c >= r && s == 0 {
					t.Fatalf("n = %d: element (%d, %d) lies in %d blocks", n, r, c, s)
				}
			}
		}
	}
}

// The cheaper way is chosen: many positions and few weights are formed, few positions and
// many weights paired.
func TestStrategyIsTheCheaper(t *testing.T) {
	for _, test := range []struct {
		net  network
		want strategy
	}{
		{network{widths: []int{25, 8, 10}, positions: 576}, formed},
		{network{widths: []int{576, 64, 10}, positions: 4}, paired},
	} {
		nodes := [][]Factor[float64]{test.net.factors(1, 2, 10, 10)}
		c := NewContraction[float64](gonum(t))
		train := test.net.factors(2, 3, 20, 10)
		c.Prepare(nodes, train, [][]float64{{1}})
		if got := c.strategy(0, &train[0], 10); got != test.want {
			t.Errorf("%d positions of %d: strategy %d, want %d", train[0].Positions, train[0].gradientWidth(), got, test.want)
		}
	}
}

func TestTangentKernelRefusals(t *testing.T) {
	net := network{widths: []int{3, 5, 2}, bias: true}
	a := net.factors(1, 2, 3, 2)
	b := network{widths: []int{3, 5, 2}, positions: 3}.factors(1, 2, 3, 2)
	for name, pair := range map[string][2][]Factor[float64]{"no layers": {nil, a}, "fewer layers": {a, a[:1]}, "other kinds": {a, b}, "other seeds": {a, net.factors(1, 2, 3, 1)}} {
		if _, err := TangentKernel(gonum(t), FullForm, pair[0], pair[1], nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := TangentKernel(gonum(t), "half", a, nil, nil); err == nil {
		t.Error("an unknown form was taken")
	}
}

// More machines than one pass of sums takes.
func TestManyMachines(t *testing.T) {
	net := network{widths: []int{3, 5, 2}, bias: true, fixedInput: true}
	var machines []*Machine
	for range 11 {
		machines = append(machines, machine(t, ExactFamily, "left", TraceKernel, 3, 2, 4))
	}
	p := path(t, machines...)
	p.Begin(0.5)
	p.Add([][]Factor[float64]{net.factors(1, 2, 3, 2)}, Block[float64]{Gradient: net.factors(2, 3, 4, 1), Derivatives: []float64{1}, Jacobian: net.factors(2, 3, 4, 2)}, 4)
	for i, m := range machines {
		if !slices.Equal(m.Contributions(), machines[0].Contributions()) || !slices.Equal(m.PathKernel(), machines[0].PathKernel()) || m.Contributions()[0] == 0 {
			t.Fatalf("machine %d differs from the first of its equals", i)
		}
	}
}
