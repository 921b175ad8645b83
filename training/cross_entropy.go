package training

import (
	"math"

	"pkm/graphs"
)

// CrossEntropy is the softmax cross-entropy of logits f and targets y that sum
// to 1 (one-hot for classes):
//
//	ℓ = log Σ_c e^{f_c} − Σ_c y_c f_c,   ℓ′_c = e^{f_c}/Σ e^f − y_c
//
// computed with the largest logit subtracted, so that no logit overflows.
type CrossEntropy[T graphs.Float] struct{}

// Evaluate implements graphs.Loss. O(N·C).
func (CrossEntropy[T]) Evaluate(outputs, targets []T, classes int, losses []float64, derivatives []T) {
	exp := make([]float64, classes)
	for i := range losses {
		f, y, d := outputs[i*classes:(i+1)*classes], targets[i*classes:(i+1)*classes], derivatives[i*classes:(i+1)*classes]
		top := math.Inf(-1)
		for _, v := range f {
			if v != v { // a NaN must not hide behind the comparison below
				top = math.NaN()
				break
			}
			top = max(top, float64(v))
		}
		var sum, hit float64
		for c, v := range f {
			exp[c] = math.Exp(float64(v) - top)
			sum += exp[c]
			if y[c] != 0 {
				hit += float64(y[c]) * (float64(v) - top)
			}
		}
		losses[i] = math.Log(sum) - hit
		for c := range f {
			d[c] = T(exp[c]/sum - float64(y[c]))
		}
	}
}
