package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// function starts an assembly function on slices of one length.
func function(name, signature, doc string) {
	TEXT(name, attr.NOSPLIT, signature)
	Doc(name + " " + doc)
	Pragma("noescape")
}

// base loads the address of a slice's first element.
func base(slice string) reg.Register { return Load(Param(slice).Base(), GP64()) }

// blocks emits a loop over the n elements of slices: blocks of unroll·lanes of
// them, then of lanes, then the rest of less than lanes. body gets the index of
// the first element of a block; rest gets it too, and the number of elements.
func blocks(n reg.Register, lanes, unroll int, body func(i reg.Register, unroll int), rest func(i, n reg.Register)) {
	i := GP64()
	XORQ(i, i)
	for _, u := range []int{unroll, 1} {
		loop, done := fmt.Sprintf("loop%d", u), fmt.Sprintf("done%d", u)
		SUBQ(U32(lanes*u), n) // n counts the elements after this block
		JL(LabelRef(done))
		Label(loop)
		body(i, u)
		ADDQ(U32(lanes*u), i)
		SUBQ(U32(lanes*u), n)
		JGE(LabelRef(loop))
		Label(done)
		ADDQ(U32(lanes*u), n)
		if unroll == 1 {
			break
		}
	}
	JZ(LabelRef("end"))
	rest(i, n)
	Label("end")
}

// mask returns the bits that select the first n of lanes elements of a size,
// for VMASKMOV, in a register of that many lanes.
func mask(n reg.Register, lanes, size int) reg.Register {
	name := fmt.Sprintf("mask%d", 8*size)
	table, ok := literals[name]
	if !ok {
		const reach = 16
		table = GLOBL(name, attr.RODATA|attr.NOPTR)
		for i := range 2 * reach {
			v := uint64(0)
			if i < reach {
				v--
			}
			if size == 8 {
				DATA(8*i, U64(v))
			} else {
				DATA(4*i, U32(uint32(v)))
			}
		}
		literals[name] = table
	}
	const reach = 16
	at, back := GP64(), GP64()
	LEAQ(table.Offset(reach*size), at)
	MOVQ(n, back)
	NEGQ(back)
	var m reg.Register = YMM()
	if lanes*size == 16 {
		m = XMM()
	}
	VMOVUPD(Mem{Base: at, Index: back, Scale: uint8(size)}, m)
	return m
}

// maskedLoad returns the elements of m that the mask selects, 0 in other lanes.
func maskedLoad(m Mem, mask reg.Register, size int) reg.VecVirtual {
	d := YMM()
	if mask.Size() == 16 {
		d = XMM()
	}
	if size == 8 {
		VMASKMOVPD(m, mask, d)
	} else {
		VMASKMOVPS(m, mask, d)
	}
	return d
}

func maskedStore(x reg.Register, m Mem, mask reg.Register, size int) {
	if size == 8 {
		VMASKMOVPD(x, mask, m)
	} else {
		VMASKMOVPS(x, mask, m)
	}
}

// elementwise emits dst[i] = φ(operands[i]). All elements go through the same
// instructions, wherever they stand: the rest fills a vector up with zeros.
func (f format) elementwise(name, doc string, unroll int, operands []string, φ func(x []vec) vec) {
	names := operands
	if operands[0] != "dst" {
		names = append([]string{"dst"}, operands...)
	}
	function(name+f.suffix+"AVX2", fmt.Sprintf("func(%s []%s)", strings.Join(names, ", "), f.typ), doc)
	f.loop(unroll, operands, φ)
}

// loop emits the loop of elementwise, in a function that has begun.
func (f format) loop(unroll int, operands []string, φ func(x []vec) vec) {
	dst, from := base("dst"), make([]reg.Register, len(operands))
	for k, o := range operands {
		if from[k] = dst; o != "dst" {
			from[k] = base(o)
		}
	}
	n := Load(Param("dst").Len(), GP64())
	at := func(r, i reg.Register) Mem { return Mem{Base: r, Index: i, Scale: uint8(f.size)} }
	blocks(n, f.lanes, unroll, func(i reg.Register, unroll int) {
		for u := range unroll {
			x := make([]vec, len(from))
			for k, r := range from {
				x[k] = f.load(at(r, i).Offset(32 * u))
			}
			f.store(φ(x), at(dst, i).Offset(32*u))
		}
	}, func(i, n reg.Register) {
		m, x := mask(n, f.lanes, f.size), make([]vec, len(from))
		for k, r := range from {
			x[k] = maskedLoad(at(r, i), m, f.size)
		}
		maskedStore(φ(x), at(dst, i), m, f.size)
	})
	VZEROUPPER()
	RET()
}
