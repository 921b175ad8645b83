package graphs

import (
	"gorgonia.org/tensor"

	"pkm/internal/compute"
)

// Jacobian evaluates the factors of J(x_n; w) for all C outputs of N samples: one
// forward pass of N rows and one pullback of C·N rows.
type Jacobian[T Float] struct{ *Evaluator[T] }

// NewJacobian compiles the Jacobian factors of N = rows samples, seeded with the
// C unit vectors: Stacks is C and seed k selects output k. Memory: O(C·N·Σ widths).
func NewJacobian[T Float](n *Network, engine compute.Engine, rows int) (*Jacobian[T], error) {
	bl, e, f, err := start[T](n, engine, rows, nil)
	if err != nil {
		return nil, err
	}
	bl.unit = true
	c := n.Outputs()
	unit := make([]T, c*rows*c)
	for k := range c {
		for r := range rows {
			unit[(k*rows+r)*c+k] = 1
		}
	}
	seeds := bl.leaf("seeds", unit, tensor.Shape{c * rows, c}...)
	if err := e.backpropagate(bl, f, seeds); err != nil {
		return nil, err
	}
	return &Jacobian[T]{e}, e.finish(bl)
}
