package pathkernel

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Spectrum returns the eigenvalues of a symmetric kernel (N, N), the largest first. 4·N³/3 FLOPs.
func Spectrum(kernel []float64, samples int) ([]float64, error) {
	var e mat.EigenSym
	if len(kernel) != samples*samples || samples < 1 || !e.Factorize(mat.NewSymDense(samples, append([]float64(nil), kernel...)), false) {
		return nil, fmt.Errorf("pathkernel: the spectrum of a kernel of %d samples and %d values cannot be found", samples, len(kernel))
	}
	values := e.Values(nil)
	slices.Reverse(values)
	return values, nil
}

// EffectiveRank returns exp(−Σ_k p_k log p_k) with p_k = λ_k/Σλ: the number of directions that a
// spectrum is spread over (Roy and Vetterli, EUSIPCO 2007). Eigenvalues that rounding made
// negative count as 0. NaN of a spectrum without a finite positive sum.
func EffectiveRank(spectrum []float64) float64 {
	total, entropy := 0.0, 0.0
	for _, λ := range spectrum {
		total += max(0, λ)
	}
	if !(total > 0) || math.IsInf(total, 1) {
		return math.NaN()
	}
	for _, λ := range spectrum {
		if p := λ / total; p > 0 {
			entropy -= p * math.Log(p)
		}
	}
	return math.Exp(entropy)
}

// ParticipationRatio returns (Σλ)²/Σλ², the effective rank that large eigenvalues decide.
func ParticipationRatio(spectrum []float64) float64 {
	var total, squares float64
	for _, λ := range spectrum {
		total += λ
		squares += λ * λ
	}
	return total * total / squares
}

// Alignment returns ⟨K, YYᵀ⟩/(‖K‖‖YYᵀ‖) in Frobenius' inner product, for a kernel (N, N) and targets
// Y (N, C): 1 where the kernel is that of the targets (Cristianini et al., NIPS 2001).
func Alignment(kernel, targets []float64, samples int) float64 {
	return 1 - KernelDistance(kernel, gram(targets, samples))
}

// CenteredAlignment is Alignment of kernels whose rows and columns have mean 0 (Cortes, Mohri and
// Rostamizadeh, JMLR 2012), which constant parts do not raise.
func CenteredAlignment(kernel, targets []float64, samples int) float64 {
	return 1 - KernelDistance(centered(kernel, samples), centered(gram(targets, samples), samples))
}

// KernelDistance returns 1 − ⟨K, K′⟩/(‖K‖‖K′‖): 0 for kernels that are multiples of each other, whatever
// their scale (Fort et al., NeurIPS 2020, "kernel distance"). The kernels have one shape.
func KernelDistance(a, b []float64) float64 {
	var product, left, right float64
	for i, x := range a {
		product += x * b[i]
		left += x * x
		right += b[i] * b[i]
	}
	return max(0, 1-product/math.Sqrt(left)/math.Sqrt(right)) // rounding
}

// gram returns YYᵀ (N, N).
func gram(y []float64, samples int) []float64 {
	out := make([]float64, samples*samples)
	m := mat.NewDense(samples, len(y)/samples, y)
	mat.NewDense(samples, samples, out).Mul(m, m.T())
	return out
}

// centered returns the kernel with means 0 over rows and columns.
func centered(kernel []float64, n int) []float64 {
	rows, all := make([]float64, n), 0.0
	for i := range n {
		for _, v := range kernel[i*n : (i+1)*n] {
			rows[i] += v / float64(n)
		}
		all += rows[i] / float64(n)
	}
	out := make([]float64, len(kernel))
	for i := range n {
		for j := range n {
			out[i*n+j] = kernel[i*n+j] - rows[i] - rows[j] + all
		}
	}
	return out
}
