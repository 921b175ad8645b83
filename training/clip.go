package training

import "math"

// clip returns the factor that torch.nn.utils.clip_grad_norm_ scales the gradient
// of all weights by (Pascanu, Mikolov & Bengio, "On the difficulty of training
// recurrent neural networks", 2013):
//
//	min(1, limit / (‖ḡ‖₂ + 10⁻⁶))
//
// or 1 where limit is 0. The norm is that of ḡ itself, before weight decay. O(P).
func clip(gradient []float64, limit float64) float64 {
	if limit == 0 {
		return 1
	}
	return min(1, limit/(norm(gradient)+1e-6))
}

// norm returns ‖v‖₂, scaled by the largest magnitude so that no square overflows.
func norm(v []float64) float64 {
	var top, sum float64
	for _, x := range v {
		top = max(top, math.Abs(x))
	}
	if top == 0 {
		return 0
	}
	for _, x := range v {
		sum += (x / top) * (x / top)
	}
	return top * math.Sqrt(sum)
}
