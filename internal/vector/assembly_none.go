//go:build !amd64 || purego

package vector

func assembly32() *kernels[float32] { return nil }
func assembly64() *kernels[float64] { return nil }
