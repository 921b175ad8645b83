package pathkernel

import (
	gblas "gonum.org/v1/gonum/blas"

	"pkm/internal/blas"
	"pkm/internal/compute"
	"pkm/internal/vector"
)

// Apply returns J(x_n)·v (N, K) for a direction v ∈ ℝ^P in weight space, from the
// factors of J: Σ_layers δ_k·(V a + v_b), where V and v_b are the layer's part of v.
// 2·N·T·(d_in·d_out + K·d_out) FLOPs a layer.
func Apply[T Float](engine compute.Engine, factors []Factor[T], v []T) []float64 {
	var out []float64
	for i := range factors {
		f := &factors[i]
		if out == nil {
			out = make([]float64, f.Rows*f.Stacks)
		}
		if f.kind() == formedAlready {
			for r := range out {
				out[r] += vector.Dot64(f.Cotangent[r*f.OutWidth:(r+1)*f.OutWidth], v[f.Weight:f.Weight+f.OutWidth])
			}
			continue
		}
		for r, u := range f.moved(engine, v) {
			for k := range f.Stacks {
				out[r*f.Stacks+k] += vector.Dot64(f.Cotangent[(r*f.Stacks+k)*len(u):][:len(u)], u)
			}
		}
	}
	return out
}

// moved calls its reader with V·U_n + v_b (d_out, T) for every sample.
func (f *Factor[T]) moved(engine compute.Engine, v []T) func(yield func(n int, u []T) bool) {
	width := f.OutWidth * f.Positions
	weight := v[f.Weight : f.Weight+f.OutWidth*f.InWidth]
	bias := func(j int) T {
		if f.Bias < 0 {
			return 0
		}
		return v[f.Bias+j]
	}
	return func(yield func(n int, u []T) bool) {
		if f.kind() == outerProduct {
			u := make([]T, f.Rows*width)
			for i := range u {
				u[i] = bias(i % width)
			}
			blas.Gemm(engine, gblas.NoTrans, gblas.Trans, f.Rows, width, f.InWidth, 1, f.Input, f.InWidth, weight, f.InWidth, 1, u, width)
			for n := range f.Rows {
				if !yield(n, u[n*width:(n+1)*width]) {
					return
				}
			}
			return
		}
		u, unfolded := make([]T, width), make([]T, f.InWidth*f.Positions)
		for n := range f.Rows {
			f.Unfold(f.image(n), unfolded)
			for i := range u {
				u[i] = bias(i / f.Positions)
			}
			blas.Gemm(engine, gblas.NoTrans, gblas.NoTrans, f.OutWidth, f.Positions, f.InWidth, 1, weight, f.InWidth, unfolded, f.Positions, 1, u, f.Positions)
			if !yield(n, u) {
				return
			}
		}
	}
}
