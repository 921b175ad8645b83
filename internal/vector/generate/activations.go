package main

import (
	"math/big"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// activations emits the functions that need e^x.
type activations struct {
	format
	coefficients
	ln2, ln2Low, log2E *big.Float
	sqrt2Pi            *big.Float
}

func newActivations(f format) activations {
	a := activations{format: f, coefficients: f.coefficients(), ln2: ln2(), sqrt2Pi: sqrt2Pi()}
	a.log2E = zero().Quo(number(1), a.ln2)
	high := zero()
	if v, _ := a.ln2.Float64(); f.double {
		high.SetFloat64(v)
	} else {
		v, _ := a.ln2.Float32()
		high.SetFloat64(float64(v))
	}
	a.ln2Low = zero().Sub(a.ln2, high)
	return a
}

// shift is the number that, added to k, leaves k plus the exponent's bias in the
// low bits: 1.5·2^mantissa, whose unit is 1, plus the bias.
func (a activations) shift() Mem { return a.constant(1.5*float64(uint64(1)<<a.mantissa) + a.bias) }

// power returns 2^k, given k + shift.
func (a activations) power(shifted vec) vec {
	d := YMM()
	a.emit(VPSLLQ, VPSLLD, U8(a.mantissa), shifted, d)
	return d
}

// reduced is x = k·ln 2 + r with |r| ≤ ln 2/2, as far as e^x = 2^k·(1+q).
type reduced struct {
	k       vec
	shifted vec // k + shift
	q       vec // e^r − 1
}

// reduce returns the parts of e^{x+low}; low may be nil. The first product is
// exact within its FMA: k·(ln 2 rounded) and x cancel to a multiple of the unit of
// ln 2 (Cody and Waite). It overwrites x.
func (a activations) reduce(x vec, low func(r vec) vec) reduced {
	shifted := a.addProduct(a.load(a.shift()), x, a.big(a.log2E))
	k := a.sub(shifted, a.shift())
	r := a.subProduct(x, k, a.big(a.ln2))
	r = a.subProduct(r, k, a.big(a.ln2Low))
	if low != nil {
		r = low(r)
	}
	square := a.mul(r, r)
	q := a.mulAdd(a.polynomial(a.exp, r, square), square, r)
	return reduced{k, shifted, q}
}

// scales returns two powers of two whose product is 2^k: neither overflows nor
// underflows where 2^k does.
func (a activations) scales(k vec) (s1, s2 vec) {
	half := a.addProduct(a.load(a.shift()), k, a.constant(0.5))
	rest := a.sub(k, a.sub(half, a.shift()))
	return a.power(half), a.power(a.add(rest, a.shift()))
}

// expOf returns e^x for expMin ≤ x ≤ expMax.
func (a activations) expOf(x vec) vec {
	d := a.reduce(a.max(a.min(x, a.constant(a.expMax)), a.constant(a.expMin)), nil)
	s1, s2 := a.scales(d.k)
	return a.mul(a.mul(a.add(d.q, a.constant(1)), s1), s2)
}

// tanhOf returns tanh|z| = E/(E+2), E = e^{2|z|} − 1 = 2^k·q + (2^k−1), with the
// sign of z.
func (a activations) tanhOf(z vec) vec {
	y := a.min(a.and(z, a.absBits()), a.constant(a.tanhMax))
	d := a.reduce(a.add(y, y), nil)
	s := a.power(d.shifted)
	e := a.mulAdd(d.q, s, a.sub(s, a.constant(1)))
	return a.or(a.div(e, a.add(e, a.constant(2))), a.and(z, a.signBit()))
}

// decay is a power of e that falls with y = |z|: (1+q)·s1·s2.
type decay struct{ y, q, s1, s2 vec }

// decay returns e = e^{−y}. It bounds y, so that no ∞ meets a 0.
func (a activations) decay(z vec) decay {
	y := a.min(a.and(z, a.absBits()), a.constant(a.sigmoidMax))
	d := a.reduce(a.or(y, a.signBit()), nil)
	s1, s2 := a.scales(d.k)
	return decay{y, d.q, s1, s2}
}

// value returns e.
func (a activations) value(d decay) vec { return a.scaled(a.add(d.q, a.constant(1)), d) }

// times returns x·e, up to the powers of two: x·q + x.
func (a activations) times(x vec, d decay) vec {
	product := YMM()
	a.emit(VMOVUPD, VMOVUPS, x, product)
	return a.mulAdd(product, d.q, x)
}

// scaled returns x·s1·s2, rounded once.
func (a activations) scaled(x vec, d decay) vec { return a.mul(a.mul(x, d.s1), d.s2) }

// sigmoidOf returns 1/(1+e) for z ≥ 0, e/(1+e) for z < 0.
func (a activations) sigmoidOf(z vec) vec {
	d := a.decay(z)
	e := a.value(d)
	r := a.div(a.load(a.constant(1)), a.add(e, a.constant(1)))
	return a.choose(z, r, a.mul(e, r))
}

// siluOf returns z·σ(z) = max(z, 0) − y·e/(1+e).
func (a activations) siluOf(z vec) vec {
	d := a.decay(z)
	g := a.div(a.times(d.y, d), a.add(a.value(d), a.constant(1)))
	return a.sub(a.max(z, a.constant(0)), a.scaled(g, d))
}

// siluSlopeOf returns s = σ(−y)·(1−y·σ(y)) for z = −y, 1 − s for z = y.
func (a activations) siluSlopeOf(z vec) vec {
	d := a.decay(z)
	r := a.div(a.load(a.constant(1)), a.add(a.value(d), a.constant(1)))
	s := a.mul(a.times(r, d), a.subProduct(a.load(a.constant(1)), d.y, r))
	return a.reflect(z, a.scaled(s, d))
}

// reflect returns s where z < 0, 1 − s elsewhere.
func (a activations) reflect(z, s vec) vec {
	return a.choose(z, a.sub(a.load(a.constant(1)), s), s)
}

// softplusOf returns max(z, 0) + log(1+e), with log(1+e) = 2·artanh(u/2) for
// u = 2e/(2+e).
func (a activations) softplusOf(z vec) vec {
	d := a.decay(z)
	e := a.value(d)
	u := a.div(a.add(e, e), a.add(e, a.constant(2)))
	v := a.mul(u, u)
	l := a.mulAdd(a.polynomial(a.log1p, v, a.mul(v, v)), a.mul(u, v), u)
	return a.add(a.max(z, a.constant(0)), l)
}

// normal returns y = |z|, e^{−y²/2} and m = e^{y²/2}·Φ(−y). The square is
// exact: its rounding error is part of the exponent. A step of Newton's iteration
// takes those of y+a and of the quotient off w = 1/(y+a).
func (a activations) normal(z vec) (d decay, m vec) {
	y := a.min(a.and(z, a.absBits()), a.constant(a.normalMax))
	square := a.mul(y, y)
	x := a.mul(square, a.constant(-0.5))
	error := a.subProduct(square, y, y)
	e := a.reduce(x, func(r vec) vec { return a.addProduct(r, error, a.constant(0.5)) })
	s1, s2 := a.scales(e.k)
	one, centre := a.constant(1), a.constant(a.millsCentre)
	w := a.div(a.load(one), a.add(y, centre))
	left := a.subProduct(a.subProduct(a.load(one), w, centre), w, y) // 1 − w·(y+a)
	w = a.addProduct(w, w, left)
	t := a.subProduct(a.load(one), w, a.constant(2*a.millsCentre))
	// The constant apart: the even and the odd powers cancel more.
	m = a.mul(a.mulAdd(a.polynomial(a.mills[1:], t, a.mul(t, t)), t, a.big(a.mills[0])), w)
	return decay{y, e.q, s1, s2}, m
}

// geluOf returns z·Φ(z) = max(z, 0) − y·Φ(−y).
func (a activations) geluOf(z vec) vec {
	d, m := a.normal(z)
	return a.sub(a.max(z, a.constant(0)), a.scaled(a.times(a.mul(d.y, m), d), d))
}

// geluSlopeOf returns s = Φ(−y) − y·φ(y) for z = −y, 1 − s for z = y.
func (a activations) geluSlopeOf(z vec) vec {
	d, m := a.normal(z)
	s := a.subProduct(m, d.y, a.big(zero().Quo(number(1), a.sqrt2Pi)))
	return a.reflect(z, a.scaled(a.times(s, d), d))
}

// emitAll emits all of them.
func (a activations) emitAll() {
	for _, g := range []struct {
		name, doc string
		φ         func(z vec) vec
	}{
		{"exp", "sets dst[i] = e^z[i].", a.expOf},
		{"tanh", "sets dst[i] = tanh(z[i]).", a.tanhOf},
		{"sigmoid", "sets dst[i] = σ(z[i]).", a.sigmoidOf},
		{"softplus", "sets dst[i] = log(1+e^z[i]).", a.softplusOf},
		{"silu", "sets dst[i] = z[i]·σ(z[i]).", a.siluOf},
		{"siluSlope", "sets dst[i] = d(z·σ(z))/dz.", a.siluSlopeOf},
		{"gelu", "sets dst[i] = z[i]·Φ(z[i]).", a.geluOf},
		{"geluSlope", "sets dst[i] = d(z·Φ(z))/dz.", a.geluSlopeOf},
	} {
		a.elementwise(g.name, g.doc, 1, []string{"z"}, func(x []vec) vec { return g.φ(x[0]) })
	}
}
