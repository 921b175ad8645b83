package pathkernel

import "fmt"

// Midpoint is the composite midpoint rule with k intervals,
// (1/k)Σ_{j<k} g((j+½)/k), of order 2. It panics when k < 1.
func Midpoint(k int) Rule {
	if k < 1 {
		panic(fmt.Sprintf("pathkernel: midpoint rule of %d nodes", k))
	}
	r := Rule{Name: fmt.Sprintf("midpoint-%d", k), Order: 2}
	for j := range k {
		r.Nodes = append(r.Nodes, (float64(j)+0.5)/float64(k))
		r.Weights = append(r.Weights, 1/float64(k))
	}
	return r
}
