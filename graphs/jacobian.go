package graphs

import (
	"pkm/internal/compute"
)

// Jacobian evaluates the factors of J(x_n; w) for all C outputs of N samples: one
// forward pass of N rows and one pullback of N·C rows.
type Jacobian[T Float] struct{ *Evaluator[T] }

// NewJacobian compiles the Jacobian factors of N = rows samples, seeded with the
// C unit vectors: Stacks is C and seed k selects output k. Memory: O(N·C·Σ widths)
// over the layers with weights, because the factors of all of them are the result; the
// rest, O(N·C·widest), is shared. JacobianBytes knows it beforehand.
func NewJacobian[T Float](n *Network, engine compute.Engine, rows int) (*Jacobian[T], error) {
	bl, e, f, err := start[T](n, engine, rows, nil)
	if err != nil {
		return nil, err
	}
	bl.unit = true
	c := n.Outputs()
	unit := make([]T, rows*c*c)
	for r := range rows * c {
		unit[r*c+r%c] = 1
	}
	cotangents, err := e.backpropagate(bl, f, bl.input("seeds", unit, rows*c, c))
	if err != nil {
		return nil, err
	}
	return &Jacobian[T]{e}, e.finish(bl, f, cotangents)
}

// JacobianBytes returns the memory that NewJacobian takes for N = rows samples,
// without taking it: inputs, weights, seeds, the values of the forward pass, the
// cotangents of the layers with weights, and what temporaries share. What goroutines
// unfold convolutions in is not counted.
func JacobianBytes[T Float](n *Network, rows int) (int, error) {
	return dryBytes[T](n, rows, false)
}
