package training

import (
	"math"

	"pkm/graphs"
)

// Logistic is the logistic loss of a logit f and a target y ∈ {0, 1} (or in
// between), PyTorch's BCEWithLogitsLoss,
//
//	ℓ = log(1+e^f) − yf,   ℓ′ = σ(f) − y,   σ(f) = 1/(1+e^{−f})
//
// computed from e^{−|f|}, so that nothing overflows, and without cancellation at
// y = 0 and y = 1. With more than one output the labels are independent of each
// other and ℓ is the sum over outputs.
type Logistic[T graphs.Float] struct{}

// Evaluate implements graphs.Loss. O(N·C).
func (Logistic[T]) Evaluate(outputs, targets []T, classes int, losses []float64, derivatives []T) {
	for i := range losses {
		var sum float64
		for j := i * classes; j < (i+1)*classes; j++ {
			f, y := float64(outputs[j]), float64(targets[j])
			e := math.Exp(-math.Abs(f))
			sum += (1-y)*max(f, 0) + y*max(-f, 0) + math.Log1p(e)
			p, q := 1/(1+e), e/(1+e) // σ(|f|), σ(−|f|)
			if f < 0 {
				p, q = q, p
			}
			derivatives[j] = T((1-y)*p - y*q) // σ(f) − y, since p + q = 1
		}
		losses[i] = sum
	}
}
