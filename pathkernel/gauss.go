package pathkernel

import (
	"fmt"
	"sort"

	"gonum.org/v1/gonum/integrate/quad"
)

// Gauss is the Gauss–Legendre rule with k nodes, exact for polynomials of degree
// 2k−1 and of order 2k. It panics when k < 1.
func Gauss(k int) Rule {
	if k < 1 {
		panic(fmt.Sprintf("pathkernel: Gauss rule of %d nodes", k))
	}
	r := Rule{Name: fmt.Sprintf("gauss-%d", k), Nodes: make([]float64, k), Weights: make([]float64, k), Order: 2 * k}
	quad.Legendre{}.FixedLocations(r.Nodes, r.Weights, 0, 1)
	sort.Sort(byNode{r})
	return r
}

// byNode sorts a rule by its nodes.
type byNode struct{ Rule }

func (b byNode) Len() int           { return len(b.Nodes) }
func (b byNode) Less(i, j int) bool { return b.Nodes[i] < b.Nodes[j] }
func (b byNode) Swap(i, j int) {
	b.Nodes[i], b.Nodes[j] = b.Nodes[j], b.Nodes[i]
	b.Weights[i], b.Weights[j] = b.Weights[j], b.Weights[i]
}
