package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// mulAddAllTo emits sums[s][i] += weights[s]·float64(p[i]·a[i]): the widened
// products of a block stay in registers while all sums take them.
func (f format) mulAddAllTo() {
	function("mulAddAllTo"+f.suffix+"AVX2", fmt.Sprintf("func(sums [][]float64, weights []float64, p, a []%s)", f.typ),
		"sets sums[s][i] += weights[s]·float64(p[i]·a[i]).")
	const header = 24 // bytes of a slice's header
	double := formats[0]
	sums, weights, p, a := base("sums"), base("weights"), base("p"), base("a")
	count, n := Load(Param("sums").Len(), GP64()), Load(Param("p").Len(), GP64())
	each := func(label string, take func(to reg.Register, weight vec)) {
		s, list, to, weight := GP64(), GP64(), GP64(), YMM()
		MOVQ(sums, list)
		XORQ(s, s)
		Label(label)
		MOVQ(Mem{Base: list}, to)
		VBROADCASTSD(at(weights, s, 8), weight)
		take(to, weight)
		ADDQ(U32(header), list)
		INCQ(s)
		CMPQ(s, count)
		JL(LabelRef(label))
	}
	blocks(n, 4, unroll, func(i reg.Register, unroll int) {
		products := make([]vec, unroll)
		for u := range products {
			x := f.quad()
			f.emit(VMOVUPD, VMOVUPS, at(p, i, f.size).Offset(4*f.size*u), x)
			f.emit(VMULPD, VMULPS, at(a, i, f.size).Offset(4*f.size*u), x, x)
			products[u] = f.widen(x)
		}
		each(fmt.Sprintf("each%d", unroll), func(to reg.Register, weight vec) {
			for u, x := range products {
				m := at(to, i, 8).Offset(32 * u)
				double.store(double.add(double.mul(weight, x), m), m)
			}
		})
	}, func(i, n reg.Register) {
		m, wide := mask(n, 4, f.size), mask(n, 4, 8)
		x, y := maskedLoad(at(p, i, f.size), m, f.size), maskedLoad(at(a, i, f.size), m, f.size)
		f.emit(VMULPD, VMULPS, y, x, x)
		product := f.widen(x)
		each("eachRest", func(to reg.Register, weight vec) {
			m := at(to, i, 8)
			maskedStore(double.add(double.mul(weight, product), maskedLoad(m, wide, 8)), m, wide, 8)
		})
	})
	VZEROUPPER()
	RET()
}
