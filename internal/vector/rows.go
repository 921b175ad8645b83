package vector

import "fmt"

// CopyRows sets dst[r·dstStride+i] = src[r·srcStride+i] for r < rows and i < width: a
// block of a matrix. The blocks may not overlap. It panics where a block exceeds its
// slice, or a number is negative.
func CopyRows[T Float](dst []T, dstStride int, src []T, srcStride, width, rows int) {
	if inRows("CopyRows", len(dst), dstStride, len(src), srcStride, width, rows) {
		chosen[T]().copyRows(dst, dstStride, src, srcStride, width, rows)
	}
}

// AddRows sets dst[r·dstStride+i] += src[r·srcStride+i], as CopyRows copies. Rows
// of dst may overlap: they are added one after another.
func AddRows[T Float](dst []T, dstStride int, src []T, srcStride, width, rows int) {
	if inRows("AddRows", len(dst), dstStride, len(src), srcStride, width, rows) {
		chosen[T]().addRows(dst, dstStride, src, srcStride, width, rows)
	}
}

// inRows checks that both blocks lie in their slices, and reports whether they hold anything.
func inRows(function string, dst, dstStride, src, srcStride, width, rows int) bool {
	if width < 0 || rows < 0 || dstStride < 0 || srcStride < 0 {
		panic(fmt.Sprintf("vector: %s of %d rows of %d elements, %d and %d apart", function, rows, width, dstStride, srcStride))
	}
	if width == 0 || rows == 0 {
		return false
	}
	if (rows-1)*dstStride+width > dst || (rows-1)*srcStride+width > src {
		panic(fmt.Sprintf("vector: %s of %d rows of %d elements, %d and %d apart, in slices of %d and %d", function, rows, width, dstStride, srcStride, dst, src))
	}
	return true
}

func copyRows[T Float](dst []T, dstStride int, src []T, srcStride, width, rows int) {
	for r := range rows {
		copy(dst[r*dstStride:][:width], src[r*srcStride:])
	}
}

func addRows[T Float](dst []T, dstStride int, src []T, srcStride, width, rows int) {
	for r := range rows {
		add(dst[r*dstStride:][:width], src[r*srcStride:])
	}
}
