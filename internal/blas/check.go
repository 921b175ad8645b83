package blas

import (
	"math"

	"gonum.org/v1/gonum/blas"
)

// checkGemm panics unless the arguments of a product describe matrices that
// lie inside their slices. A and B are not looked at when they are not read.
func checkGemm(tA, tB blas.Transpose, m, n, k int, readsAB bool, lenA, lda, lenB, ldb, lenC, ldc int) {
	checkTranspose(tA)
	checkTranspose(tB)
	checkDimension(m, "blas: m < 0", "blas: m > 2³¹−1")
	checkDimension(n, "blas: n < 0", "blas: n > 2³¹−1")
	checkDimension(k, "blas: k < 0", "blas: k > 2³¹−1")
	checkLeading(tA, m, k, lda, "blas: bad leading dimension of A")
	checkLeading(tB, k, n, ldb, "blas: bad leading dimension of B")
	checkLeading(NoTrans, m, n, ldc, "blas: bad leading dimension of C")
	if m == 0 || n == 0 {
		return
	}
	if readsAB && k > 0 {
		checkLength(tA, m, k, lda, lenA, "blas: insufficient length of a")
		checkLength(tB, k, n, ldb, lenB, "blas: insufficient length of b")
	}
	checkLength(NoTrans, m, n, ldc, lenC, "blas: insufficient length of c")
}

func checkTranspose(t blas.Transpose) {
	if t != NoTrans && t != Trans && t != ConjTrans {
		panic("blas: illegal transpose")
	}
}

// checkDimension bounds a dimension by what the C libraries' int holds.
func checkDimension(d int, negative, large string) {
	if d < 0 {
		panic(negative)
	}
	if d > math.MaxInt32 {
		panic(large)
	}
}

// checkLeading compares the leading dimension of a matrix that is rows×cols
// after the transposition with the length of its stored rows.
func checkLeading(t blas.Transpose, rows, cols, ld int, message string) {
	if t != NoTrans {
		cols = rows
	}
	if ld < max(1, cols) || ld > math.MaxInt32 {
		panic(message)
	}
}

// checkLength compares the length of a slice with the last element of a matrix
// that is rows×cols, not empty, after the transposition. The product of two
// numbers below 2³¹ fits int64 on every platform.
func checkLength(t blas.Transpose, rows, cols, ld, length int, message string) {
	if t != NoTrans {
		rows, cols = cols, rows
	}
	if int64(length) < int64(rows-1)*int64(ld)+int64(cols) {
		panic(message)
	}
}

// scale sets C, m×n, to beta * C: the whole product when alpha or k is 0.
func scale[T float32 | float64](m, n int, beta T, c []T, ldc int) {
	if beta == 1 {
		return
	}
	for i := range m {
		row := c[i*ldc : i*ldc+n]
		if beta == 0 {
			clear(row)
			continue
		}
		for j := range row {
			row[j] *= beta
		}
	}
}
