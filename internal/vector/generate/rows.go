package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows emits copyRows or addRows: rows of width elements of src, stride apart, into or
// onto rows of dst.
func (f format) rows(name, doc string, adds bool) {
	function(name+f.suffix+"AVX2", fmt.Sprintf("func(dst []%[1]s, dstStride int, src []%[1]s, srcStride, width, rows int)", f.typ), doc)
	dst, src := base("dst"), base("src")
	dstStride, srcStride := Load(Param("dstStride"), GP64()), Load(Param("srcStride"), GP64())
	width, rows := Load(Param("width"), GP64()), Load(Param("rows"), GP64())
	SHLQ(U8(f.shift()), dstStride)
	SHLQ(U8(f.shift()), srcStride)
	whole, left := GP64(), GP64() // elements in whole vectors, and beyond
	MOVQ(width, whole)
	ANDQ(I8(-f.lanes), whole)
	MOVQ(width, left)
	SUBQ(whole, left)
	m := mask(left, f.lanes, f.size)
	TESTQ(rows, rows)
	JLE(LabelRef("done"))
	Label("row")
	i := GP64()
	XORQ(i, i)
	JMP(LabelRef("test"))
	Label("vector")
	f.row(dst, src, i, adds)
	ADDQ(U8(f.lanes), i)
	Label("test")
	CMPQ(i, whole)
	JLT(LabelRef("vector"))
	TESTQ(left, left)
	JZ(LabelRef("next"))
	x := maskedLoad(at(src, i, f.size), m, f.size)
	if adds {
		x = f.add(x, maskedLoad(at(dst, i, f.size), m, f.size))
	}
	maskedStore(x, at(dst, i, f.size), m, f.size)
	Label("next")
	ADDQ(dstStride, dst)
	ADDQ(srcStride, src)
	DECQ(rows)
	JNZ(LabelRef("row"))
	Label("done")
	VZEROUPPER()
	RET()
}

// row emits one vector of a row.
func (f format) row(dst, src, i reg.Register, adds bool) {
	x := f.load(at(src, i, f.size))
	if adds {
		x = f.add(x, at(dst, i, f.size))
	}
	f.store(x, at(dst, i, f.size))
}

// shift returns the binary logarithm of the size.
func (f format) shift() int {
	if f.double {
		return 3
	}
	return 2
}
