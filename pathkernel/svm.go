package pathkernel

import (
	"fmt"
	"math"
)

// SVM returns the dual coefficients α_i·y_i (N, C) of support vector machines with the hinge loss,
// one for each class against the rest,
//
//	max_α Σ_i α_i − ½ Σ_{ij} α_iα_j y_iy_j (K_ij + 1),   0 ≤ α_i ≤ penalty,
//
// for a symmetric positive semi-definite kernel K (N, N), normalised here to a mean diagonal of 1, and
// labels in [0, classes). The 1 beside the kernel is the bias, which is regularised with the rest, so
// that coordinate ascent solves the dual (Hsieh et al., ICML 2008). Two classes share one machine.
// Scores are PredictSVM's. It ends when no coordinate violates its optimality condition by more
// than 1e-6, or after 10,000 rounds. N² FLOPs a round and class.
func SVM(kernel []float64, labels []int, classes int, penalty float64) ([]float64, error) {
	n := len(labels)
	if n < 1 || len(kernel) != n*n || classes < 2 || !(penalty > 0) {
		return nil, fmt.Errorf("pathkernel: a support vector machine of %d samples and %d classes with a kernel of %d values and a penalty of %g", n, classes, len(kernel), penalty)
	}
	scale := meanDiagonal(kernel, n)
	if !(scale > 0) {
		return nil, fmt.Errorf("pathkernel: a support vector machine with a kernel whose diagonal has the mean %g", scale)
	}
	out := make([]float64, n*classes)
	y, alpha := make([]float64, n), make([]float64, n)
	for c := range classes {
		if classes == 2 && c == 0 {
			continue // the negative of the other
		}
		for i, l := range labels {
			y[i] = -1
			if l == c {
				y[i] = 1
			}
		}
		ascend(kernel, scale, y, alpha, penalty)
		for i := range n {
			out[i*classes+c] = alpha[i] * y[i] / scale
			if classes == 2 {
				out[i*classes] = -out[i*classes+c]
			}
		}
	}
	return out, nil
}

// ascend solves one dual by coordinate ascent.
func ascend(kernel []float64, scale float64, y, alpha []float64, penalty float64) {
	n := len(y)
	clear(alpha)
	f := make([]float64, n) // Σ_j α_jy_j(K_ij + 1)
	for range 10_000 {
		worst := 0.0
		for i := range n {
			gradient := 1 - y[i]*f[i]
			violation := gradient
			switch {
			case alpha[i] == 0:
				violation = max(0, gradient)
			case alpha[i] == penalty:
				violation = min(0, gradient)
			}
			worst = max(worst, math.Abs(violation))
			if violation == 0 {
				continue
			}
			before := alpha[i]
			alpha[i] = min(max(before+gradient/(kernel[i*n+i]/scale+1), 0), penalty)
			if d := (alpha[i] - before) * y[i]; d != 0 {
				for j, k := range kernel[i*n : (i+1)*n] {
					f[j] += d * (k/scale + 1)
				}
			}
		}
		if worst <= 1e-6 {
			return
		}
	}
}

// PredictSVM returns the scores (M, C) of the machines for a kernel (M, N) of queries with training
// samples, of which train (N, N) is the kernel that they were trained on.
func PredictSVM(kernel, alpha, train []float64, samples int) []float64 {
	scores, classes, scale := PredictKernel(kernel, alpha, samples), len(alpha)/samples, meanDiagonal(train, samples)
	for c := range classes {
		var bias float64
		for i := range samples {
			bias += alpha[i*classes+c] * scale
		}
		for m := range len(kernel) / samples {
			scores[m*classes+c] += bias
		}
	}
	return scores
}

// meanDiagonal returns tr K/N.
func meanDiagonal(kernel []float64, n int) (mean float64) {
	for i := range n {
		mean += kernel[i*n+i] / float64(n)
	}
	return mean
}
