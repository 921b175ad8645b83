package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Vectors that a loop without dependences handles at a time.
const unroll = 4

// broadcast returns the scalar parameter in all lanes.
func (f format) broadcast(parameter string) vec {
	x, d := Load(Param(parameter), XMM()), YMM()
	f.emit(VBROADCASTSD, VBROADCASTSS, x, d)
	return d
}

// linear emits the functions without transcendental parts. No product and sum
// are fused: the results are those of the portable functions, bit by bit.
func (f format) linear() {
	f.elementwise("mul", "sets dst[i] = a[i]·b[i].", unroll, []string{"a", "b"}, func(x []vec) vec { return f.mul(x[0], x[1]) })
	f.elementwise("add", "sets dst[i] += a[i].", unroll, []string{"dst", "a"}, func(x []vec) vec { return f.add(x[0], x[1]) })
	for name, doc := range ordered("scale", "sets dst[i] = w·a[i].", "addScaled", "sets dst[i] += w·a[i].") {
		function(name+f.suffix+"AVX2", fmt.Sprintf("func(dst []%[1]s, w %[1]s, a []%[1]s)", f.typ), doc)
		w := f.broadcast("w")
		if name == "scale" {
			f.loop(unroll, []string{"a"}, func(x []vec) vec { return f.mul(w, x[0]) })
		} else {
			f.loop(unroll, []string{"dst", "a"}, func(x []vec) vec { return f.add(x[0], f.mul(w, x[1])) })
		}
	}

	one := f.constant(1)
	f.elementwise("tanhSlope", "sets dst[i] = (1−h[i])·(1+h[i]).", unroll, []string{"h"}, func(x []vec) vec {
		return f.mul(f.sub(f.load(one), x[0]), f.add(x[0], one))
	})
	f.elementwise("sigmoidSlope", "sets dst[i] = h[i]·(1−h[i]).", unroll, []string{"h"}, func(x []vec) vec {
		return f.mul(x[0], f.sub(f.load(one), x[0]))
	})
	f.elementwise("relu", "sets dst[i] = max(z[i], 0).", unroll, []string{"z"}, func(x []vec) vec {
		zero := f.constant(0)
		return f.add(f.max(x[0], zero), zero) // −0 + 0 = 0
	})
	f.elementwise("reluSlope", "sets dst[i] = 1 if z[i] > 0, z[i] if that is NaN, else 0.", unroll, []string{"z"}, func(x []vec) vec {
		const unordered, greater = 3, 30
		nan := f.and(f.compare(unordered, x[0], x[0]), x[0])
		return f.or(nan, f.and(f.compare(greater, x[0], f.load(f.constant(0))), one))
	})

	f.rows("copyRows", "copies rows of width elements.", false)
	f.rows("addRows", "adds rows of width elements.", true)
	f.mulTo("mulTo", "=", false)
	f.mulTo("mulAddTo", "+=", true)
	f.mulAddColumnsTo()
	f.mulAddAllTo()
	f.finite()
	f.dot()
}

// compare returns all ones where the predicate holds of a and b.
func (f format) compare(predicate uint8, a, b vec) vec {
	d := YMM()
	f.emit(VCMPPD, VCMPPS, U8(predicate), b, a, d)
	return d
}

// ordered yields pairs in their order.
func ordered(pairs ...string) func(yield func(a, b string) bool) {
	return func(yield func(a, b string) bool) {
		for i := 0; i < len(pairs); i += 2 {
			if !yield(pairs[i], pairs[i+1]) {
				return
			}
		}
	}
}

// quad is four elements of the format, to be widened to float64.
func (f format) quad() reg.VecVirtual {
	if f.double {
		return YMM()
	}
	return XMM()
}

// widen returns four elements as float64.
func (f format) widen(x reg.VecVirtual) vec {
	if f.double {
		return x
	}
	d := YMM()
	VCVTPS2PD(x, d)
	return d
}

func at(base, index reg.Register, size int) Mem {
	return Mem{Base: base, Index: index, Scale: uint8(size)}
}

// mulTo emits sum[i] = weight·float64(p[i]·a[i]), or += where it adds.
func (f format) mulTo(name, sign string, adds bool) {
	function(name+f.suffix+"AVX2", fmt.Sprintf("func(sum []float64, weight float64, p, a []%s)", f.typ),
		"sets sum[i] "+sign+" weight·float64(p[i]·a[i]).")
	double := formats[0]
	weight := double.broadcast("weight")
	sum, p, a := base("sum"), base("p"), base("a")
	n := Load(Param("sum").Len(), GP64())
	blocks(n, 4, unroll, func(i reg.Register, unroll int) {
		for u := range unroll {
			x := f.quad()
			f.emit(VMOVUPD, VMOVUPS, at(p, i, f.size).Offset(4*f.size*u), x)
			f.emit(VMULPD, VMULPS, at(a, i, f.size).Offset(4*f.size*u), x, x)
			to, value := at(sum, i, 8).Offset(32*u), double.mul(weight, f.widen(x))
			if adds {
				value = double.add(value, to)
			}
			double.store(value, to)
		}
	}, func(i, n reg.Register) {
		m, wide := mask(n, 4, f.size), mask(n, 4, 8)
		x, y := maskedLoad(at(p, i, f.size), m, f.size), maskedLoad(at(a, i, f.size), m, f.size)
		f.emit(VMULPD, VMULPS, y, x, x)
		to, value := at(sum, i, 8), double.mul(weight, f.widen(x))
		if adds {
			value = double.add(value, maskedLoad(to, wide, 8))
		}
		maskedStore(value, to, wide, 8)
	})
	VZEROUPPER()
	RET()
}

// mulAddColumnsTo emits sum[i] += weight·columns[i]·float64(p[i]·a[i]).
func (f format) mulAddColumnsTo() {
	function("mulAddColumnsTo"+f.suffix+"AVX2", fmt.Sprintf("func(sum []float64, weight float64, p, a []%s, columns []float64)", f.typ),
		"sets sum[i] += weight·columns[i]·float64(p[i]·a[i]).")
	double := formats[0]
	weight := double.broadcast("weight")
	sum, p, a, columns := base("sum"), base("p"), base("a"), base("columns")
	n := Load(Param("sum").Len(), GP64())
	blocks(n, 4, unroll, func(i reg.Register, unroll int) {
		for u := range unroll {
			x := f.quad()
			f.emit(VMOVUPD, VMOVUPS, at(p, i, f.size).Offset(4*f.size*u), x)
			f.emit(VMULPD, VMULPS, at(a, i, f.size).Offset(4*f.size*u), x, x)
			to, scaled := at(sum, i, 8).Offset(32*u), double.mul(weight, at(columns, i, 8).Offset(32*u))
			double.store(double.add(double.mul(scaled, f.widen(x)), to), to)
		}
	}, func(i, n reg.Register) {
		m, wide := mask(n, 4, f.size), mask(n, 4, 8)
		x, y := maskedLoad(at(p, i, f.size), m, f.size), maskedLoad(at(a, i, f.size), m, f.size)
		f.emit(VMULPD, VMULPS, y, x, x)
		to, scaled := at(sum, i, 8), double.mul(weight, maskedLoad(at(columns, i, 8), wide, 8))
		maskedStore(double.add(double.mul(scaled, f.widen(x)), maskedLoad(to, wide, 8)), to, wide, 8)
	})
	VZEROUPPER()
	RET()
}

// finite emits the test that no x−x is a NaN: 0 has no bit set, NaN has some.
func (f format) finite() {
	function("finite"+f.suffix+"AVX2", fmt.Sprintf("func(values []%s) bool", f.typ), "reports whether all values are finite.")
	values, n := base("values"), Load(Param("values").Len(), GP64())
	found := make([]vec, unroll)
	for u := range found {
		found[u] = YMM()
		VXORPD(found[u], found[u], found[u])
	}
	take := func(u int, x vec) {
		VORPD(f.sub(x, x), found[u], found[u])
	}
	blocks(n, f.lanes, unroll, func(i reg.Register, unroll int) {
		for u := range unroll {
			take(u, f.load(at(values, i, f.size).Offset(32*u)))
		}
	}, func(i, n reg.Register) {
		take(0, maskedLoad(at(values, i, f.size), mask(n, f.lanes, f.size), f.size))
	})
	for u := 1; u < unroll; u++ {
		VORPD(found[u], found[0], found[0])
	}
	VPTEST(found[0], found[0])
	result := GP8()
	SETEQ(result)
	Store(result, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// dot emits 16 strided sums of float64(a[i])·float64(b[i]), in four vectors.
func (f format) dot() {
	function("dot"+f.suffix+"AVX2", fmt.Sprintf("func(a, b []%s) float64", f.typ), "returns Σ a[i]·b[i], in the order of Dot64.")
	const strides = 16
	double := formats[0]
	a, b, n := base("a"), base("b"), Load(Param("a").Len(), GP64())
	sums := make([]vec, strides/4)
	for k := range sums {
		sums[k] = YMM()
		VXORPD(sums[k], sums[k], sums[k])
	}
	add := func(k int, x, y reg.VecVirtual) {
		VADDPD(double.mul(f.widen(x), f.widen(y)), sums[k], sums[k])
	}
	i := GP64()
	XORQ(i, i)
	SUBQ(U32(strides), n)
	JL(LabelRef("rest"))
	Label("loop")
	for k := range sums {
		x, y := f.quad(), f.quad()
		f.emit(VMOVUPD, VMOVUPS, at(a, i, f.size).Offset(4*f.size*k), x)
		f.emit(VMOVUPD, VMOVUPS, at(b, i, f.size).Offset(4*f.size*k), y)
		add(k, x, y)
	}
	ADDQ(U32(strides), i)
	SUBQ(U32(strides), n)
	JGE(LabelRef("loop"))
	Label("rest")
	ADDQ(U32(strides), n)
	for k := range sums {
		m := mask(n, 4, f.size)
		add(k, maskedLoad(at(a, i, f.size).Offset(4*f.size*k), m, f.size), maskedLoad(at(b, i, f.size).Offset(4*f.size*k), m, f.size))
		SUBQ(U32(4), n)
		JLE(LabelRef("tree"))
	}
	Label("tree")
	VADDPD(sums[2], sums[0], sums[0])
	VADDPD(sums[3], sums[1], sums[1])
	VADDPD(sums[1], sums[0], sums[0])
	high := XMM()
	VEXTRACTF128(U8(1), sums[0], high)
	low := sums[0].AsX()
	VADDPD(high, low, low)
	VUNPCKHPD(low, low, high)
	VADDSD(high, low, low)
	Store(low, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
