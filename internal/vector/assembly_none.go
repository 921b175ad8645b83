//go:build !amd64 || purego

package vector

func assembly32() *kernels[float32] { return nil }
func assembly64() *kernels[float64] { return nil }

func mulAddAllTo32(sums [][]float64, weights []float64, p, a []float32) {
	mulAddAllTo(sums, weights, p, a)
}

func mulAddAllTo64(sums [][]float64, weights []float64, p, a []float64) {
	mulAddAllTo(sums, weights, p, a)
}
