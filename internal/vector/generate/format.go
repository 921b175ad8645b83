package main

import (
	"fmt"
	"math"
	"math/big"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// format is a floating-point format with its instructions on vectors of 256 bits.
// Its methods return a fresh register, or the one of an argument called x or acc,
// which they overwrite.
type format struct {
	double bool
	typ    string // in Go
	suffix string // of functions
	lanes  int
	size   int

	mantissa uint64  // bits of the fraction
	bias     float64 // of the exponent

	// exp is computed on [expMin, expMax]: 0 below, ∞ above.
	expMin, expMax float64
	tanhMax        float64 // tanh is ±1 beyond
	sigmoidMax     float64 // e^{−y}·y is 0 beyond
	normalMax      float64 // Φ(−y)·y is 0 beyond
	millsCentre    float64 // a, the y in the middle of a polynomial

	// degrees of the polynomials
	expDegree, logDegree, millsDegree int
}

var formats = []format{
	{
		double: true, typ: "float64", suffix: "Float64", lanes: 4, size: 8, mantissa: 52, bias: 1023,
		expMin: -746, expMax: 710, tanhMax: 20, sigmoidMax: 760, normalMax: 40, millsCentre: 4,
		expDegree: 10, logDegree: 9, millsDegree: 22,
	},
	{
		typ: "float32", suffix: "Float32", lanes: 8, size: 4, mantissa: 23, bias: 127,
		expMin: -104, expMax: 89, tanhMax: 10, sigmoidMax: 112, normalMax: 16, millsCentre: 3,
		expDegree: 5, logDegree: 4, millsDegree: 10,
	},
}

// literals holds the constants in memory that exist so far, each repeated in all
// lanes, by name.
var literals = map[string]Mem{}

// bits returns a constant that holds the bits of each lane.
func (f format) bits(u uint64) Mem {
	name := fmt.Sprintf("lanes%d_%x", 8*f.size, u)
	if m, ok := literals[name]; ok {
		return m
	}
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	for i := range f.lanes {
		if f.double {
			DATA(8*i, U64(u))
		} else {
			DATA(4*i, U32(uint32(u)))
		}
	}
	literals[name] = m
	return m
}

// constant returns a constant that holds c in each lane, rounded to the format.
func (f format) constant(c float64) Mem { return f.big(big.NewFloat(c)) }

func (f format) big(c *big.Float) Mem {
	if f.double {
		v, _ := c.Float64()
		return f.bits(math.Float64bits(v))
	}
	v, _ := c.Float32()
	return f.bits(uint64(math.Float32bits(v)))
}

func (f format) signBit() Mem {
	if f.double {
		return f.bits(1 << 63)
	}
	return f.bits(1 << 31)
}
func (f format) absBits() Mem {
	if f.double {
		return f.bits(math.MaxInt64)
	}
	return f.bits(math.MaxInt32)
}

// emit calls the instruction of the format.
func (f format) emit(double, single func(...Op), ops ...Op) {
	if f.double {
		double(ops...)
	} else {
		single(ops...)
	}
}

type vec = reg.VecVirtual

// load returns what m holds.
func (f format) load(m Op) vec {
	d := YMM()
	f.emit(VMOVUPD, VMOVUPS, m, d)
	return d
}

func (f format) store(x vec, m Op) { f.emit(VMOVUPD, VMOVUPS, x, m) }

func (f format) binary(double, single func(...Op), a vec, b Op) vec {
	d := YMM()
	f.emit(double, single, b, a, d)
	return d
}

func (f format) add(a vec, b Op) vec { return f.binary(VADDPD, VADDPS, a, b) }
func (f format) sub(a vec, b Op) vec { return f.binary(VSUBPD, VSUBPS, a, b) }
func (f format) mul(a vec, b Op) vec { return f.binary(VMULPD, VMULPS, a, b) }
func (f format) div(a vec, b Op) vec { return f.binary(VDIVPD, VDIVPS, a, b) }
func (f format) and(a vec, b Op) vec { return f.binary(VANDPD, VANDPS, a, b) }
func (f format) or(a vec, b Op) vec  { return f.binary(VORPD, VORPS, a, b) }

// min returns b < a ? b : a, a where it is NaN; b is not.
func (f format) min(a vec, b Mem) vec { return f.bound(VMINPD, VMINPS, a, b) }

// max returns b > a ? b : a, a where it is NaN; b is not.
func (f format) max(a vec, b Mem) vec { return f.bound(VMAXPD, VMAXPS, a, b) }

// bound makes a the second operand, which the processor returns if one is NaN.
func (f format) bound(double, single func(...Op), a vec, b Mem) vec {
	d := f.load(b)
	f.emit(double, single, a, d, d)
	return d
}

// mulAdd returns x·b + c in x, rounded once.
func (f format) mulAdd(x vec, b vec, c Op) vec {
	f.emit(VFMADD213PD, VFMADD213PS, c, b, x)
	return x
}

// addProduct returns acc + a·b in acc, rounded once.
func (f format) addProduct(acc, a vec, b Op) vec {
	f.emit(VFMADD231PD, VFMADD231PS, b, a, acc)
	return acc
}

// subProduct returns acc − a·b in acc, rounded once.
func (f format) subProduct(acc, a vec, b Op) vec {
	f.emit(VFNMADD231PD, VFNMADD231PS, b, a, acc)
	return acc
}

// choose returns a where the sign bit of mask is clear, b where it is set.
func (f format) choose(mask, a vec, b Op) vec {
	d := YMM()
	if f.double {
		VBLENDVPD(mask, b, a, d)
	} else {
		VBLENDVPS(mask, b, a, d)
	}
	return d
}

// polynomial returns Σ c_n·xⁿ, the even and the odd powers side by side, given x².
func (f format) polynomial(c []*big.Float, x, square vec) vec {
	top := len(c) - 1
	even, odd := f.horner(c, top-top%2, square), f.horner(c, top-1+top%2, square)
	return f.mulAdd(odd, x, even)
}

// horner returns c_from + c_{from−2} … by powers of the square.
func (f format) horner(c []*big.Float, from int, square vec) vec {
	acc := f.load(f.big(c[from]))
	for n := from - 2; n >= 0; n -= 2 {
		acc = f.mulAdd(acc, square, f.big(c[n]))
	}
	return acc
}
