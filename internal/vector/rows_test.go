package vector

import (
	"slices"
	"testing"
)

func TestRowsEqualPlainLoops(t *testing.T) {
	t.Run("float32", testRows[float32])
	t.Run("float64", testRows[float64])
}

// Every width around the length of a vector, in both implementations, with all that
// lies beside the block as it was.
func testRows[T Float](t *testing.T) {
	implementations := map[string]*kernels[T]{"portable": portable[T](), "chosen": chosen[T]()}
	for name, k := range implementations {
		for width := 1; width < 36; width++ {
			for _, rows := range []int{1, 2, 5} {
				for _, gaps := range [][2]int{{0, 0}, {3, 1}} {
					dstStride, srcStride := width+gaps[0], width+gaps[1]
					src, dst := make([]T, rows*srcStride+5), make([]T, rows*dstStride+5)
					for i := range src {
						src[i] = T(i) + 0.5
					}
					for i := range dst {
						dst[i] = -T(i)
					}
					copied, added := slices.Clone(dst), slices.Clone(dst)
					wantCopied, wantAdded := slices.Clone(dst), slices.Clone(dst)
					k.copyRows(copied, dstStride, src, srcStride, width, rows)
					k.addRows(added, dstStride, src, srcStride, width, rows)
					for r := range rows {
						for i := range width {
							wantCopied[r*dstStride+i] = src[r*srcStride+i]
							wantAdded[r*dstStride+i] += src[r*srcStride+i]
						}
					}
					if !slices.Equal(copied, wantCopied) || !slices.Equal(added, wantAdded) {
						t.Fatalf("%s, %d rows of %d, gaps %v", name, rows, width, gaps)
					}
				}
			}
		}
		// Overlapping rows of a destination collect what is added.
		sum, two := make([]T, 9), []T{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
		k.addRows(sum, 1, two, 8, 8, 2)
		if !slices.Equal(sum, []T{1, 2, 2, 2, 2, 2, 2, 2, 1}) {
			t.Fatalf("%s: overlapping rows add up to %v", name, sum)
		}
	}
}

func TestRowsAreChecked(t *testing.T) {
	three := make([]float64, 3)
	for name, f := range map[string]func(){
		"beyond dst": func() { CopyRows(three, 2, make([]float64, 9), 2, 2, 2) },
		"beyond src": func() { AddRows(make([]float64, 9), 2, three, 2, 2, 2) },
		"negative":   func() { CopyRows(three, -1, three, 1, 1, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	CopyRows(three, 1, nil, 1, 0, 5) // nothing to copy
}
