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
	Epoch        int     // of the step
	LearningRate float64 // η_s; the length of the step for a gradient flow
	Batch        []int   // rows of the training set in the batch, in order; nil: all of them
	Size         int     // B_s, the number of samples in the batch

	Weights []T    // w_s (P)
	Delta   []T    // Δ_s = w_{s+1} − w_s (P); nil after the last step
	Update  Update // what Δ_s is made of; for a gradient flow, which has none, zero

	Loss            float64   // (1/B)Σ ℓ_i at w_s
	Losses          []float64 // ℓ_i (B)
	Outputs         []T       // f(x_i; w_s) (B, C)
	LossDerivatives []T       // ℓ′_i (B, C), not divided by B
	Mean            []float64 // ḡ = (1/B)Σ g_i at w_s (P)

	gradient *graphs.Gradient[T]
	next     func() *Snapshot[T]
}

// Factors returns the factors of g_i = J(x_i; w_s)ᵀℓ′_i for the samples of the
// batch: one stack, not divided by B.
func (s *Step[T]) Factors() []graphs.Factor[T] { return s.gradient.Factors() }

// Rate returns η_s/B_s, the weight with which g_i of a sample in the batch enters
// −Δ_s under plain gradient descent.
func (s *Step[T]) Rate() float64 { return s.LearningRate / float64(s.Size) }

// Next returns the state after the step, from which the loop can go on: the start of
// step Index+1, with weights of its own and the optimizer's live state; after the last step, the
// state at the end.
func (s *Step[T]) Next() *Snapshot[T] { return s.next() }

// Hook sees every step of a loop. A hook that has one of the methods of Starter,
// EpochHook and Stopper too has that called as well.
type Hook[T graphs.Float] interface {
	// Step is called after Δ_s is known and before it is applied. An error ends
	// the run.
	Step(ctx context.Context, s *Step[T]) error
	// Finish is called once after the last step, with Index = S, the final
	// weights and everything evaluated at them, over all samples; Delta is nil.
	Finish(ctx context.Context, s *Step[T]) error
}

// Starter is told of the state in which a loop starts, before its first step.
type Starter[T graphs.Float] interface {
	Start(ctx context.Context, s *Snapshot[T]) error
}

// EpochHook is called after Step for the last step of every epoch.
type EpochHook[T graphs.Float] interface {
	Epoch(ctx context.Context, s *Step[T]) error
}

// Stopper is told of the state in which a loop stops because its context was cancelled:
// every step before it is complete. The context it is given is not cancelled.
type Stopper[T graphs.Float] interface {
	Stopped(ctx context.Context, s *Snapshot[T]) error
}
