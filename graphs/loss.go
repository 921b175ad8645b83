package graphs

// Loss is what a Gradient differentiates.
type Loss[T Float] interface {
	// Evaluate writes ℓ_i to losses (N) and ℓ′_i = ∂ℓ_i/∂f to derivatives (N, C)
	// for outputs f (N, C) and targets y (N, C). The losses are neither summed nor
	// divided by N.
	Evaluate(outputs, targets []T, classes int, losses []float64, derivatives []T)
}
