package vector

import (
	"math"
	"math/big"
)

// References in arithmetic of many bits, for finite arguments. They are series of
// their own: none of the package's reductions or polynomials.

func number(prec uint, x float64) *big.Float { return new(big.Float).SetPrec(prec).SetFloat64(x) }

// bigExp returns e^x = (e^{x/2^n})^{2^n} by Taylor's series.
func bigExp(x *big.Float) *big.Float {
	const halvings = 16
	prec := x.Prec() + 2*halvings
	r := number(prec, 0).Set(x)
	if r.Sign() == 0 {
		return number(prec, 1)
	}
	halved := max(0, r.MantExp(nil)+halvings)
	r.SetMantExp(r, -halved)
	sum, term := number(prec, 1), number(prec, 1)
	for n := 1; term.Sign() != 0 && term.MantExp(nil) > -int(prec); n++ {
		term.Quo(term.Mul(term, r), number(prec, float64(n)))
		sum.Add(sum, term)
	}
	for range halved {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigLog1p returns log(1+e) = 2·Σ s^{2n+1}/(2n+1), s = e/(2+e), for 0 ≤ e ≤ 1.
func bigLog1p(e *big.Float) *big.Float {
	prec := e.Prec()
	s := number(prec, 2)
	s.Quo(e, s.Add(s, e))
	square, sum, power := number(prec, 0).Mul(s, s), number(prec, 0), s.Mul(s, number(prec, 2))
	if power.Sign() == 0 {
		return power
	}
	for n, start := 0, power.MantExp(nil); power.MantExp(nil) > start-int(prec); n++ {
		sum.Add(sum, number(prec, 0).Quo(power, number(prec, float64(2*n+1))))
		power.Mul(power, square)
	}
	return sum
}

// pi to 100 digits.
const pi = "3.1415926535897932384626433832795028841971693993751058209749445923078164062862089986280348253421170679"

// bigDensity returns φ(z) = e^{−z²/2}/√(2π).
func bigDensity(z *big.Float) *big.Float {
	prec := z.Prec()
	twoPi, _, _ := big.ParseFloat(pi, 10, 330, big.ToNearestEven)
	twoPi.Mul(twoPi, number(330, 2))
	x := number(prec, 0).Mul(z, z)
	e := bigExp(x.Mul(x, number(prec, -0.5)))
	return e.Quo(e, twoPi.Sqrt(twoPi))
}

// bigNormal returns Φ(−y) for y ≥ 0: 1/2 − φ(y)·Σ y^{2n+1}/(1·3·5⋯(2n+1)) near 0,
// else Laplace's continued fraction φ(y)/(y+1/(y+2/(y+3/(y+⋯)))).
func bigNormal(y *big.Float) *big.Float {
	const prec = 320
	y = number(prec, 0).Set(y)
	if v, _ := y.Float64(); v > 4 {
		// The n-th convergent errs by e^{−2y·√(2n)}, about.
		terms := int(70*70/v/v) + 40
		f := number(prec, 0).Set(y)
		for n := terms; n > 0; n-- {
			f.Quo(number(prec, float64(n)), f)
			f.Add(f, y)
		}
		return f.Quo(bigDensity(y), f)
	}
	square, sum, term := number(prec, 0).Mul(y, y), number(prec, 0), number(prec, 0).Set(y)
	for n := 1; term.Sign() != 0 && term.MantExp(nil) > -prec; n++ {
		sum.Add(sum, term)
		term.Quo(term.Mul(term, square), number(prec, float64(2*n+1)))
	}
	return sum.Sub(number(prec, 0.5), sum.Mul(sum, bigDensity(y)))
}

// reference returns a value and the magnitude whose unit in the last place counts:
// that of the value, or of the larger of two terms that cancel.
type reference func(z float64) (value, magnitude *big.Float)

const referencePrec = 200

// ofExp returns a reference that is a function of z and e^{−|z|}.
func ofExp(f func(z, e *big.Float) (value, magnitude *big.Float)) reference {
	return func(z float64) (value, magnitude *big.Float) {
		return f(number(referencePrec, z), bigExp(number(referencePrec, -math.Abs(z))))
	}
}

func one() *big.Float { return number(referencePrec, 1) }

func times1(a, b *big.Float) *big.Float { return number(max(a.Prec(), b.Prec()), 0).Mul(a, b) }

// bigSigmoid returns σ(z), given e^{−|z|}.
func bigSigmoid(z, e *big.Float) *big.Float {
	n := one()
	if z.Sign() < 0 {
		n = e
	}
	return number(referencePrec, 0).Quo(n, number(referencePrec, 0).Add(e, one()))
}

func larger(a, b *big.Float) *big.Float {
	a, b = number(a.Prec(), 0).Abs(a), number(b.Prec(), 0).Abs(b)
	if a.Cmp(b) < 0 {
		return b
	}
	return a
}

func references() map[string]reference {
	of := func(v *big.Float) (value, magnitude *big.Float) { return v, v }
	cdf := func(z float64) *big.Float {
		v := bigNormal(number(referencePrec, math.Abs(z)))
		if z > 0 {
			v.Sub(number(v.Prec(), 1), v)
		}
		return v
	}
	return map[string]reference{
		"Exp": func(z float64) (value, magnitude *big.Float) { return of(bigExp(number(referencePrec, z))) },
		"Tanh": func(z float64) (value, magnitude *big.Float) {
			if math.Abs(z) < 0x1p-60 {
				return of(number(referencePrec, z)) // z − z³/3
			}
			const prec = 330 // 1 − e cancels
			e := bigExp(number(prec, -2*math.Abs(z)))
			v := number(prec, 1)
			v.Quo(v.Sub(v, e), e.Add(e, number(prec, 1)))
			if z < 0 {
				v.Neg(v)
			}
			return of(v)
		},
		"Sigmoid": ofExp(func(z, e *big.Float) (value, magnitude *big.Float) { return of(bigSigmoid(z, e)) }),
		"Softplus": ofExp(func(z, e *big.Float) (value, magnitude *big.Float) {
			v := bigLog1p(e)
			if z.Sign() > 0 {
				v.Add(v, z)
			}
			return of(v)
		}),
		"SiLU": ofExp(func(z, e *big.Float) (value, magnitude *big.Float) { return of(times1(z, bigSigmoid(z, e))) }),
		"SiLUSlope": ofExp(func(z, e *big.Float) (value, magnitude *big.Float) {
			s := bigSigmoid(z, e)
			other := times1(times1(z, s), bigSigmoid(number(referencePrec, 0).Neg(z), e))
			return number(referencePrec, 0).Add(s, other), larger(s, other)
		}),
		"GELU": func(z float64) (value, magnitude *big.Float) { return of(times1(number(referencePrec, z), cdf(z))) },
		"GELUSlope": func(z float64) (value, magnitude *big.Float) {
			s := cdf(z)
			other := times1(number(referencePrec, z), bigDensity(number(referencePrec, z)))
			return number(s.Prec(), 0).Add(s, other), larger(s, other)
		},
		"TanhSlope": func(h float64) (value, magnitude *big.Float) {
			x := number(referencePrec, h)
			return of(number(referencePrec, 0).Sub(one(), x.Mul(x, x)))
		},
		"SigmoidSlope": func(h float64) (value, magnitude *big.Float) {
			x := number(referencePrec, h)
			return of(times1(x, number(referencePrec, 0).Sub(one(), x)))
		},
	}
}
