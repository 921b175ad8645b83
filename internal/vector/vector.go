// Package vector holds element-wise functions of slices at the speed of the
// processor's vector units, in float32 and float64.
//
// On amd64 with AVX2 and FMA they are assembly, elsewhere and under the build tag
// purego portable Go. Which is decided at run time, once. Sums and products give
// the same bits either way: they are rounded operation by operation, never fused.
// The transcendental functions may differ in the last bits that their accuracy
// leaves open. Within a program, an element's result depends on its value alone, not
// on its place in the slice or on the slice's length, so that work may be cut anywhere.
//
// All functions panic if operands differ in length, and only then. A destination
// may be one of the operands; slices that overlap otherwise may not be passed.
// Nothing is allocated, and nothing kept.
package vector

//go:generate go run -C generate . -out ../kernels_amd64.s -stubs ../kernels_amd64.go -pkg vector -coefficients ../coefficients.go

import (
	"fmt"
	"sync"
)

// Float is a type of element.
type Float interface{ float32 | float64 }

// kernels is an implementation of all functions for one type. Lengths have been
// compared when they are called.
type kernels[T Float] struct {
	mul               func(dst, a, b []T)
	add               func(dst, a []T)
	scale, addScaled  func(dst []T, w T, a []T)
	copyRows, addRows func(dst []T, dstStride int, src []T, srcStride, width, rows int)
	mulTo             func(sum []float64, weight float64, p, a []T)
	mulAddTo          func(sum []float64, weight float64, p, a []T)
	mulAddColumnsTo   func(sum []float64, weight float64, p, a []T, columns []float64)
	mulAddAllTo       func(sums [][]float64, weights []float64, p, a []T) // at least one sum
	finite            func(values []T) bool
	dot               func(a, b []T) float64

	exp, tanh, sigmoid, softplus, silu, gelu, relu           func(dst, z []T)
	tanhSlope, sigmoidSlope, siluSlope, geluSlope, reluSlope func(dst, x []T)
}

// Name says which implementation computes: "AVX2" or "portable".
func Name() string {
	if assembly64() != nil {
		return "AVX2"
	}
	return "portable"
}

// The implementation for this processor.
var (
	kernels32 = sync.OnceValue(func() *kernels[float32] { return fastest(assembly32(), portable[float32]()) })
	kernels64 = sync.OnceValue(func() *kernels[float64] { return fastest(assembly64(), portable[float64]()) })
)

func fastest[T Float](assembly, portable *kernels[T]) *kernels[T] {
	if assembly != nil {
		return assembly
	}
	return portable
}

// chosen returns the implementation for T.
func chosen[T Float]() *kernels[T] {
	if k, ok := any(kernels32()).(*kernels[T]); ok {
		return k
	}
	return any(kernels64()).(*kernels[T])
}

// sameLength panics if the lengths are not all n.
func sameLength(function string, n int, lengths ...int) {
	for _, l := range lengths {
		if l != n {
			panic(fmt.Sprintf("vector: %s of slices of different lengths, %d and %d", function, n, l))
		}
	}
}
