package main

import (
	"math"
	"math/big"
)

// precision is that of all arithmetic on series, in bits. The Mills ratio at y
// is a difference of two numbers of size e^{y²/2}, 2^1154 at y = 40.
const precision = 2048

func number(x float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(x) }
func zero() *big.Float            { return number(0) }

// series returns Σ terms, where next makes term n from term n−1, until a term no
// longer counts.
func series(first *big.Float, next func(term *big.Float, n int)) *big.Float {
	sum, term := zero().Set(first), zero().Set(first)
	for n := 1; term.Sign() != 0 && term.MantExp(nil) > sum.MantExp(nil)-precision; n++ {
		next(term, n)
		sum.Add(sum, term)
	}
	return sum
}

// exp returns e^x.
func exp(x *big.Float) *big.Float {
	return series(number(1), func(term *big.Float, n int) {
		term.Mul(term, x).Quo(term, number(float64(n)))
	})
}

// ln2 returns ln 2 = 2·artanh(1/3) = 2·Σ 3^{−(2n+1)}/(2n+1).
func ln2() *big.Float {
	sum, power := zero(), zero().Quo(number(2), number(3))
	for n := 0; n < precision; n++ {
		sum.Add(sum, zero().Quo(power, number(float64(2*n+1))))
		power.Quo(power, number(9))
	}
	return sum
}

// sqrt2Pi returns √(2π), with π = 16·arctan(1/5) − 4·arctan(1/239) (Machin).
func sqrt2Pi() *big.Float {
	arctan := func(inverse float64) *big.Float {
		sum, power, square := zero(), zero().Quo(number(1), number(inverse)), number(-inverse*inverse)
		for n := 0; n < precision; n++ {
			sum.Add(sum, zero().Quo(power, number(float64(2*n+1))))
			power.Quo(power, square)
		}
		return sum
	}
	pi := zero().Sub(zero().Mul(number(16), arctan(5)), zero().Mul(number(4), arctan(239)))
	return zero().Sqrt(pi.Mul(pi, number(2)))
}

// expQ returns Q(r) = (e^r − 1 − r)/r² = Σ r^n/(n+2)!.
func expQ(r *big.Float) *big.Float {
	return series(number(0.5), func(term *big.Float, n int) {
		term.Mul(term, r).Quo(term, number(float64(n+2)))
	})
}

// log1pR returns R(v) of 2·artanh(u/2) = u + u³·R(u²): R(v) = Σ v^n/(4^{n+1}·(2n+3)).
func log1pR(v *big.Float) *big.Float {
	sum, power := zero(), number(0.25)
	for n := 0; n < precision; n++ {
		sum.Add(sum, zero().Quo(power, number(float64(2*n+3))))
		power.Mul(power, v).Quo(power, number(4))
	}
	return sum
}

// mills returns M(y) = e^{y²/2}·Φ(−y) = e^{y²/2}/2 − Σ y^{2n+1}/(1·3·5⋯(2n+1))/√(2π).
func mills(y *big.Float) *big.Float {
	square := zero().Mul(y, y)
	sum := series(y, func(term *big.Float, n int) {
		term.Mul(term, square).Quo(term, number(float64(2*n+1)))
	})
	half := exp(zero().Quo(square, number(2)))
	return half.Sub(half.Quo(half, number(2)), sum.Quo(sum, sqrt2Pi()))
}

// interpolate returns the coefficients, constant first, of the polynomial that
// equals f at the degree+1 Chebyshev nodes of [lo, hi]: within a small factor of
// the best in the largest error, which is the first coefficient left out.
func interpolate(f func(x *big.Float) *big.Float, lo, hi float64, degree int) []*big.Float {
	n := degree + 1
	x, c := make([]*big.Float, n), make([]*big.Float, n)
	for i := range n {
		x[i] = number((lo+hi)/2 + (hi-lo)/2*math.Cos(math.Pi*(float64(i)+0.5)/float64(n)))
		c[i] = f(x[i])
	}
	for order := 1; order < n; order++ { // Newton's divided differences
		for i := n - 1; i >= order; i-- {
			c[i].Sub(c[i], c[i-1])
			c[i].Quo(c[i], zero().Sub(x[i], x[i-order]))
		}
	}
	p := make([]*big.Float, n)
	for i := range p {
		p[i] = zero()
	}
	for i := n - 1; i >= 0; i-- { // p ← p·(x − x_i) + c_i
		for j := n - 1; j >= 0; j-- {
			p[j].Mul(p[j], zero().Neg(x[i]))
			if j > 0 {
				p[j].Add(p[j], p[j-1])
			}
		}
		p[0].Add(p[0], c[i])
	}
	return p
}
