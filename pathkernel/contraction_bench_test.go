package pathkernel

import (
	"fmt"
	"testing"

	"pkm/internal/compute"
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
	sums := func(size int) [][]Sum {
		var all [][]Sum
		for range weights {
			all = append(all, []Sum{{Values: make([]float64, size), Width: 1000, Scale: 1}})
		}
		return all
	}
	for _, name := range []string{"gonum", "openblas"} {
		impl, err := compute.Open(name)
		if err != nil {
			b.Logf("%s: %v", name, err)
			continue
		}
		b.Cleanup(impl.Close)
		c := NewContraction[float64](impl)
		b.Run(fmt.Sprintf("grams/%s", name), func(b *testing.B) {
			for b.Loop() {
				c.Prepare(nodes, gradient, weights)
			}
		})
		b.Run(fmt.Sprintf("outer/%s", name), func(b *testing.B) {
			c.Prepare(nodes, gradient, weights)
			s := sums(50 * 10 * 1000)
			for b.Loop() {
				c.Outer(gradient, s)
			}
		})
		b.Run(fmt.Sprintf("trace/%s", name), func(b *testing.B) {
			c.Prepare(nodes, jacobian, weights)
			s := sums(50 * 1000)
			for b.Loop() {
				c.Trace(jacobian, s)
			}
		})
	}
}
