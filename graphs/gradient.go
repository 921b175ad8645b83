package graphs

import (
	"fmt"

	"gorgonia.org/tensor"

	"pkm/internal/compute"
)

// Gradient evaluates the losses of N samples, their derivatives ℓ′ and the sum
// of their gradients, Σ_i g_i with g_i = J(x_i; w)ᵀℓ′_i. Its factors, seeded with
// ℓ′ (one stack), are those of the single g_i.
type Gradient[T Float] struct {
	*Evaluator[T]
	targets     []T       // (N, C)
	losses      []float64 // (N)
	derivatives []T       // (N, C)
	gradient    []T       // (P)
}

// NewGradient compiles the gradient of a loss for N = rows samples.
// Memory: O(N·Σ widths + P).
func NewGradient[T Float](n *Network, engine compute.Engine, rows int, loss Loss[T]) (*Gradient[T], error) {
	gradient := make([]T, n.Parameters())
	bl, e, f, err := start(n, engine, rows, gradient)
	if err != nil {
		return nil, err
	}
	c := n.Outputs()
	g := &Gradient[T]{Evaluator: e, targets: make([]T, rows*c), losses: make([]float64, rows), gradient: gradient}
	y := bl.input("y", g.targets, rows, c)
	o := &operation[T]{name: "loss/derivative"}
	o.run = func(v [][]T) { loss.Evaluate(v[0], v[1], c, g.losses, o.values) }
	seeds, err := apply(o, tensor.Shape{rows, c}, f, y)
	if err != nil {
		return nil, err
	}
	bl.watch("loss derivative", seeds)
	cotangents, err := e.backpropagate(bl, f, seeds)
	if err != nil {
		return nil, err
	}
	if err := e.finish(bl, f, cotangents); err != nil {
		return nil, err
	}
	g.derivatives = o.values
	return g, nil
}

// SetTargets copies the targets (N, C) of the samples.
func (g *Gradient[T]) SetTargets(y []T) error {
	if len(y) != len(g.targets) {
		return fmt.Errorf("graphs: set the targets of %d samples of %d outputs: found %d values", g.rows, g.network.Outputs(), len(y))
	}
	copy(g.targets, y)
	return nil
}

// Losses returns ℓ (N) of the last run.
func (g *Gradient[T]) Losses() []float64 { return g.losses }

// LossDerivatives returns ℓ′ (N, C) of the last run.
func (g *Gradient[T]) LossDerivatives() []T { return g.derivatives }

// Sum returns Σ_i g_i (P) of the last run: not divided by N.
func (g *Gradient[T]) Sum() []T { return g.gradient }

// GradientBytes returns the memory that NewGradient takes for N = rows samples,
// without taking it.
func GradientBytes[T Float](n *Network, rows int) (int, error) { return dryBytes[T](n, rows, true) }
