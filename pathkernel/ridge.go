package pathkernel

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// Ridge returns the dual coefficients α (N, C) of kernel ridge regression,
//
//	(K + λ·(tr K/N)·I) α = Y,
//
// for a symmetric positive semi-definite kernel K (N, N) of the training samples and targets
// Y (N, C); λ = ridge > 0 is relative to the mean of the diagonal. It fails where rounding leaves
// the matrix indefinite; a larger ridge helps. N³/3 + 2·N²·C FLOPs, N² float64.
func Ridge(kernel, targets []float64, samples int, ridge float64) ([]float64, error) {
	if samples < 1 || len(kernel) != samples*samples || len(targets)%samples != 0 || !(ridge > 0) {
		return nil, fmt.Errorf("pathkernel: ridge regression of %d samples with a kernel of %d values, %d targets and a ridge of %g", samples, len(kernel), len(targets), ridge)
	}
	a := mat.NewSymDense(samples, append([]float64(nil), kernel...))
	mean := mat.Trace(a) / float64(samples)
	for i := range samples {
		a.SetSym(i, i, a.At(i, i)+ridge*mean)
	}
	var c mat.Cholesky
	if !c.Factorize(a) {
		return nil, fmt.Errorf("pathkernel: ridge regression of %d samples: the kernel and a ridge of %g make no positive definite matrix; raise the ridge", samples, ridge)
	}
	outputs := len(targets) / samples
	alpha := mat.NewDense(samples, outputs, nil)
	if err := c.SolveTo(alpha, mat.NewDense(samples, outputs, append([]float64(nil), targets...))); err != nil {
		if _, conditioned := err.(mat.Condition); !conditioned {
			return nil, fmt.Errorf("pathkernel: ridge regression of %d samples: %w", samples, err)
		}
	}
	return alpha.RawMatrix().Data, nil
}

// PredictKernel returns Σ_i K(x_m, x_i)·α_i (M, C) for a kernel (M, N) of queries with training samples.
func PredictKernel(kernel, alpha []float64, samples int) []float64 {
	outputs, queries := len(alpha)/samples, len(kernel)/samples
	out := make([]float64, queries*outputs)
	mat.NewDense(queries, outputs, out).Mul(mat.NewDense(queries, samples, kernel), mat.NewDense(samples, outputs, alpha))
	return out
}
