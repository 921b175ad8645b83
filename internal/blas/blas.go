// Package blas chooses the BLAS that forms the matrix products: OpenBLAS,
// loaded at run time, where the machine has it, otherwise gonum.
//
// Matrices are row-major with a leading dimension, as in gonum's blas package.
// Every product runs in the goroutine that asks for it. Callers spread work
// over the cores in tiles of fixed size (package parallel), so that results do
// not depend on the number of cores.
package blas

import (
	"fmt"

	"gonum.org/v1/gonum/blas"
)

// Transpose says how an operand enters a product. ConjTrans means Trans here,
// where all matrices are real.
type Transpose = blas.Transpose

// The values of Transpose.
const (
	NoTrans   = blas.NoTrans
	Trans     = blas.Trans
	ConjTrans = blas.ConjTrans
)

// Implementation forms matrix products. Its methods may be called from any
// number of goroutines at once, and do not allocate once warm.
//
// Sgemm and Dgemm compute
//
//	C = alpha * op(A) * op(B) + beta * C
//
// where op(A) is m×k, op(B) is k×n and C is m×n, each row-major with leading
// dimensions lda, ldb, ldc: A holds m rows of k with NoTrans and k rows of m
// with Trans. C must not overlap A or B. When beta is 0 the old C is not read;
// when alpha or k is 0 neither A nor B is. Elements of a, b and c outside the
// matrices are neither read nor written.
//
// Whether a NaN or infinity in one operand shows in C where the other operand
// is 0 depends on the implementation: to look for divergence, look at operands.
//
// The same arguments always give the same bits, whatever runs at the same
// time. The methods panic, with a message that starts with "blas: ", when a
// dimension is negative or above 2³¹−1, a leading dimension is too small or a
// slice too short.
type Implementation interface {
	Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int)
	Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int)

	// Name says which library forms the products, with its version and the
	// processor it is tuned for where it tells.
	Name() string
}

// The choices that Open knows by name.
const (
	choiceOpenBLAS = "openblas"
	choiceGonum    = "gonum"
)

// Open returns the implementation that choice names: "openblas", "gonum", or
// "" for OpenBLAS if it can be loaded and gonum if not. Opening is slow (a
// library is loaded), so open once and pass the value on.
//
// The error is an *UnavailableError when "openblas" was asked for and cannot
// be had, and a *ChoiceError for any other choice.
//
// OpenBLAS is set to one thread, which holds for the whole process.
func Open(choice string) (Implementation, error) {
	switch choice {
	case choiceGonum:
		return newGonum(), nil
	case choiceOpenBLAS:
		return openOpenBLAS()
	case "":
		if impl, err := openOpenBLAS(); err == nil {
			return impl, nil
		}
		return newGonum(), nil
	}
	return nil, &ChoiceError{Choice: choice, Nearest: nearest(choice, choiceOpenBLAS, choiceGonum)}
}

// ChoiceError reports a BLAS that Open does not know.
type ChoiceError struct {
	Choice  string // what was asked for
	Nearest string // the allowed name that is spelled most like it
}

func (e *ChoiceError) Error() string {
	return fmt.Sprintf("blas: choose %q: no such BLAS; allowed are %q, %q or nothing for the fastest present; nearest is %q",
		e.Choice, choiceOpenBLAS, choiceGonum, e.Nearest)
}

// UnavailableError reports that OpenBLAS cannot be used.
type UnavailableError struct {
	Err error // why
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("blas: load OpenBLAS: %v; install it (Debian and Ubuntu: apt-get install libopenblas0; "+
		"Fedora: dnf install openblas; macOS: brew install openblas) or choose %q, which is always there", e.Err, choiceGonum)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// Gemm is Sgemm or Dgemm, whichever T asks for.
func Gemm[T float32 | float64](impl Implementation, tA, tB Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	switch a := any(a).(type) {
	case []float32:
		impl.Sgemm(tA, tB, m, n, k, float32(alpha), a, lda, any(b).([]float32), ldb, float32(beta), any(c).([]float32), ldc)
	case []float64:
		impl.Dgemm(tA, tB, m, n, k, float64(alpha), a, lda, any(b).([]float64), ldb, float64(beta), any(c).([]float64), ldc)
	}
}
