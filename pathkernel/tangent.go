package pathkernel

import (
	"fmt"
	"slices"

	"pkm/internal/compute"
)

// Form names what is kept of the tangent kernel K(x, x′) = J(x)J(x′)ᵀ ∈ ℝ^{C×C}.
type Form string

// The forms of a tangent kernel of M and N samples.
const (
	FullForm     Form = "full"     // K (M, C, N, C)
	TraceForm    Form = "trace"    // tr K (M, N)
	DiagonalForm Form = "diagonal" // K_cc (M, C, N)
)

// TangentKernel returns the tangent kernel of M query samples with N training
// samples, from the factors of their Jacobians (seeded with the unit vectors), at one
// point in weight space. Without training factors it is the kernel of the query samples with
// themselves: M = N, symmetric to the bit, with each product formed once, but for a margin at
// the diagonal. 2·M·N·C²·Σ d_out FLOPs for
// the full kernel of dense layers, half of it where symmetric, and 8·M·N·C² bytes. The
// result lies in into where that has room for it.
func TangentKernel[T Float](engine compute.Engine, form Form, query, train []Factor[T], into []float64) ([]float64, error) {
	symmetric := train == nil
	if symmetric {
		train = query
	}
	if err := comparable(query, train); err != nil {
		return nil, err
	}
	m, k, n := query[0].Rows, query[0].Stacks, train[0].Rows
	sum := Sum{Width: n, Scale: 1}
	c := NewContraction[T](engine)
	c.Prepare([][]Factor[T]{query}, train, [][]float64{{1}})
	switch form {
	case FullForm:
		sum.Values = resized(into, m*k*n*k)
		c.outer(train, [][]Sum{{sum}}, tiles{symmetric: symmetric, fresh: true})
		if symmetric && slices.ContainsFunc(train, func(f Factor[T]) bool { return f.kind() == sharedWeights }) {
			mirrorAll(engine, sum.Values, m*k)
		}
	case TraceForm:
		sum.Values = resized(into, m*n)
		clear(sum.Values)
		c.trace(train, [][]Sum{{sum}}, symmetric)
		if symmetric {
			mirrorAll(engine, sum.Values, m)
		}
	case DiagonalForm:
		sum.Values = resized(into, m*k*n)
		clear(sum.Values)
		c.diagonal(train, [][]Sum{{sum}}, symmetric)
		if symmetric {
			mirrorDiagonals(sum.Values, m, k)
		}
	default:
		return nil, fmt.Errorf("pathkernel: no form of a tangent kernel is named %q; there are %s, %s and %s", form, FullForm, TraceForm, DiagonalForm)
	}
	return sum.Values, nil
}

// mirrorDiagonals copies what lies above the diagonal of each of k matrices (m, m), that lie
// as (m, k, m), below it.
func mirrorDiagonals(v []float64, m, k int) {
	for r := range m {
		for c := range k {
			for i := r + 1; i < m; i++ {
				v[(i*k+c)*m+r] = v[(r*k+c)*m+i]
			}
		}
	}
}

// resized returns v, or a new slice, with length n.
func resized(v []float64, n int) []float64 {
	if cap(v) < n {
		return make([]float64, n)
	}
	return v[:n]
}

// comparable reports factors of different networks or seeds.
func comparable[T Float](query, train []Factor[T]) error {
	if len(query) == 0 || len(query) != len(train) {
		return fmt.Errorf("pathkernel: the factors of %d and of %d layers are not those of one network", len(query), len(train))
	}
	for l := range query {
		q, t := &query[l], &train[l]
		if q.Stacks != t.Stacks || q.Positions != t.Positions || q.InWidth != t.InWidth || q.OutWidth != t.OutWidth || q.kind() != t.kind() {
			return fmt.Errorf("pathkernel: the factors of layer %s, %d seeds and %d·%d→%d, and of layer %s, %d seeds and %d·%d→%d, are not those of one network",
				q.Layer, q.Stacks, q.Positions, q.InWidth, q.OutWidth, t.Layer, t.Stacks, t.Positions, t.InWidth, t.OutWidth)
		}
	}
	return nil
}
