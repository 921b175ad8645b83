package training

import "pkm/graphs"

// SquaredError is ℓ = ½Σ_c(f_c−y_c)², ℓ′_c = f_c−y_c.
type SquaredError[T graphs.Float] struct{}

// Evaluate implements graphs.Loss. O(N·C).
func (SquaredError[T]) Evaluate(outputs, targets []T, classes int, losses []float64, derivatives []T) {
	for i := range losses {
		var sum float64
		for j := i * classes; j < (i+1)*classes; j++ {
			d := float64(outputs[j]) - float64(targets[j])
			sum += d * d
			derivatives[j] = T(d)
		}
		losses[i] = sum / 2
	}
}
