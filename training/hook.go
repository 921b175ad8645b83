package training

import (
	"context"

	"pkm/graphs"
)

// Step is what a step of training is made of, at the moment between computing
// the update and applying it. All slices belong to the loop and are valid until
// the hook returns; nobody may write to them.
type Step[T graphs.Float] struct {
	Index        int     // s
	LearningRate float64 // η_s
	Batch        []int   // rows of the training set in the batch, in order; nil: all of them
	Size         int     // B_s, the number of samples in the batch

	Weights []T // w_s (P)
	Delta   []T // Δ_s = w_{s+1} − w_s (P); nil after the last step

	Loss            float64   // (1/B)Σ ℓ_i at w_s
	Losses          []float64 // ℓ_i (B)
	Outputs         []T       // f(x_i; w_s) (B, C)
	LossDerivatives []T       // ℓ′_i (B, C), not divided by B

	gradient *graphs.Gradient[T]
}

// Factors returns the factors of g_i = J(x_i; w_s)ᵀℓ′_i for the samples of the
// batch: one stack, not divided by B.
func (s *Step[T]) Factors() []graphs.Factor[T] { return s.gradient.Factors() }

// Rate returns η_s/B_s, the weight with which g_i of a sample in the batch enters
// −Δ_s under plain gradient descent. It is the one place where 1/B is applied.
func (s *Step[T]) Rate() float64 { return s.LearningRate / float64(s.Size) }

// Hook sees every step of a loop.
type Hook[T graphs.Float] interface {
	// Step is called after Δ_s is known and before it is applied. An error ends
	// the run.
	Step(ctx context.Context, s *Step[T]) error
	// Finish is called once after the last step, with Index = S, the final
	// weights and everything evaluated at them; Delta is nil.
	Finish(ctx context.Context, s *Step[T]) error
}
