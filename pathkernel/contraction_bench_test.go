package pathkernel

import (
	"fmt"
	"testing"

	"pkm/internal/blas"
)

// The shapes of experiments/configs/digits-mlp.yaml: 50 queries, 1,000 training
// samples, 64-64-64-10, five nodes for three machines.
func BenchmarkContraction(b *testing.B) {
	net := network{widths: []int{64, 64, 64, 10}, bias: true, fixedInput: true, unit: true, shared: true}
	var nodes [][]Factor[float64]
	for j := range uint64(5) {
		nodes = append(nodes, net.factors(1, 10+j, 50, 10))
	}
	gradient, jacobian := net.factors(2, 20, 1000, 1), net.factors(2, 20, 1000, 10)
	weights := [][]float64{{0, 0.3, 0.4, 0.3, 0}, {0.5, 0, 0, 0, 0.5}, {1, 0, 0, 0, 0}}
	integrals := func(size int) []Integral {
		var all []Integral
		for _, w := range weights {
			all = append(all, Integral{Sum: make([]float64, size), Width: 1000, Weights: w, Scale: 1})
		}
		return all
	}
	for _, name := range []string{"gonum", "openblas"} {
		impl, err := blas.Open(name)
		if err != nil {
			b.Logf("%s: %v", name, err)
			continue
		}
		b.Run(fmt.Sprintf("outer/%s", name), func(b *testing.B) {
			c, sums := NewContraction[float64](impl), integrals(50*10*1000)
			for b.Loop() {
				c.Outer(nodes, gradient, sums)
			}
		})
		b.Run(fmt.Sprintf("trace/%s", name), func(b *testing.B) {
			c, sums := NewContraction[float64](impl), integrals(50*1000)
			for b.Loop() {
				c.Trace(nodes, jacobian, sums)
			}
		})
	}
}
