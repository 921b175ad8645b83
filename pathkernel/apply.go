package pathkernel

import (
	gblas "gonum.org/v1/gonum/blas"

	"pkm/internal/blas"
	"pkm/internal/compute"
)

// Apply returns J(x_n)·v (N, K) for a direction v ∈ ℝ^P in weight space, from the
// factors of J seeded with the unit vectors: Σ_layers δ_k·(V a + v_b), where V
// and v_b are the layer's part of v. 2·N·(d_in·d_out + K·d_out) FLOPs a layer.
func Apply[T Float](engine compute.Engine, factors []Factor[T], v []T) []float64 {
	var out []float64
	for _, f := range factors {
		if out == nil {
			out = make([]float64, f.Rows*f.Stacks)
		}
		u := make([]T, f.Rows*f.OutWidth)
		if f.Bias >= 0 {
			for n := range f.Rows {
				copy(u[n*f.OutWidth:(n+1)*f.OutWidth], v[f.Bias:f.Bias+f.OutWidth])
			}
		}
		blas.Gemm(engine, gblas.NoTrans, gblas.Trans, f.Rows, f.OutWidth, f.InWidth, 1, f.Input, f.InWidth,
			v[f.Weight:f.Weight+f.OutWidth*f.InWidth], f.InWidth, 1, u, f.OutWidth)
		for k := range f.Stacks {
			for n := range f.Rows {
				δ, du := f.Cotangent[(k*f.Rows+n)*f.OutWidth:][:f.OutWidth], u[n*f.OutWidth:][:f.OutWidth]
				var sum float64
				for j := range δ {
					sum += float64(δ[j]) * float64(du[j])
				}
				out[n*f.Stacks+k] += sum
			}
		}
	}
	return out
}
