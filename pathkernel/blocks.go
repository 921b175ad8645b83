package pathkernel

import "pkm/internal/compute"

// block is the rows lo to hi and the columns left to right of a product. The cut
// depends on shapes alone.
type block struct{ lo, hi, left, right int }

// cut covers a matrix with blocks of at most the given size.
func cut(rows, columns, height, width int) (blocks []block) {
	for lo := 0; lo < rows; lo += height {
		for left := 0; left < columns; left += width {
			blocks = append(blocks, block{lo, min(lo+height, rows), left, min(left+width, columns)})
		}
	}
	return blocks
}

// cutSymmetric covers what lies on and above the diagonal of a matrix of n rows, and
// little below it: squares, then strips of rows on the diagonal, which are smaller and
// even out the work of the cores.
func cutSymmetric(n int) (blocks []block) {
	tile := columnTile
	if n >= 4*largeTile {
		tile = largeTile
	}
	for lo := 0; lo < n; lo += tile {
		hi := min(lo+tile, n)
		for left := hi; left < n; left += tile {
			blocks = append(blocks, block{lo, hi, left, min(left+tile, n)})
		}
	}
	for r := 0; r < n; r += stripTile {
		blocks = append(blocks, block{r, min(r+stripTile, n), r, min(r/tile*tile+tile, n)})
	}
	return blocks
}

// mirrorTriangle copies what lies above the diagonal in rows and columns lo to hi of a
// square matrix of n rows below it: the two were formed apart, and may differ in a last bit.
func mirrorTriangle(v []float64, n, lo, hi int) {
	for c := lo + 1; c < hi; c++ {
		to := v[c*n+lo : c*n+c]
		for i := range to {
			to[i] = v[(lo+i)*n+c]
		}
	}
}

// mirrorAll copies all that lies above the diagonal of a square matrix of n rows below it.
func mirrorAll(engine compute.Engine, v []float64, n int) {
	engine.Tiles(n, stripTile, func(lo, hi int) {
		mirror(v, n, lo, hi, hi, n)
		mirrorTriangle(v, n, lo, hi)
	})
}

// mirror copies the block of rows lo to hi and columns left to right of a square matrix
// of n rows to its place below the diagonal, eight rows at a time: whole cache lines
// are written.
func mirror(v []float64, n, lo, hi, left, right int) {
	r := lo
	for ; r+8 <= hi; r += 8 {
		var rows [8][]float64
		for i := range rows {
			rows[i] = v[(r+i)*n+left : (r+i)*n+right]
		}
		r0, r1, r2, r3, r4, r5, r6, r7 := rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6], rows[7]
		r1, r2, r3, r4, r5, r6, r7 = r1[:len(r0)], r2[:len(r0)], r3[:len(r0)], r4[:len(r0)], r5[:len(r0)], r6[:len(r0)], r7[:len(r0)]
		at := left*n + r
		for c := range r0 {
			to := v[at : at+8 : at+8]
			to[0], to[1], to[2], to[3], to[4], to[5], to[6], to[7] = r0[c], r1[c], r2[c], r3[c], r4[c], r5[c], r6[c], r7[c]
			at += n
		}
	}
	for ; r < hi; r++ {
		for c, x := range v[r*n+left : r*n+right] {
			v[(left+c)*n+r] = x
		}
	}
}
