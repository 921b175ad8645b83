package vector

import "math"

// shift, added to k, leaves k's integer part: its unit is 1.
const shift = 3 << 51

// power returns 2^k for an integer −1022 ≤ k ≤ 1023.
func power(k float64) float64 { return math.Float64frombits(uint64(int64(k)+1023) << 52) }

// times returns x·2^k for |k| ≤ 2044, rounded once.
func times(x, k float64) float64 {
	if k >= -1022 && k <= 1023 {
		return x * power(k)
	}
	half := math.Floor(k / 2)
	return x * power(half) * power(k-half)
}

// atMost returns the smaller of the two, NaN if x is.
func atMost(x, limit float64) float64 {
	if x > limit {
		return limit
	}
	return x
}

// nearest returns the integer k next to x/ln 2.
func nearest(x float64) float64 { return x*log2E + shift - shift }

// expm1 returns e^r − 1 for |r| ≤ ln 2/2.
func expm1(r float64) float64 {
	s := r * r
	even := ((((expQ10*s+expQ8)*s+expQ6)*s+expQ4)*s+expQ2)*s + expQ0
	odd := (((expQ9*s+expQ7)*s+expQ5)*s+expQ3)*s + expQ1
	return r + s*(even+r*odd)
}

// reduce returns e^x = 2^k·(1+q), after Cody and Waite.
func reduce(x float64) (k, q float64) {
	k = nearest(x)
	return k, expm1(x - k*ln2High - k*ln2Low)
}

func exp(x float64) float64 {
	k, q := reduce(-atMost(-atMost(x, expMax), -expMin))
	return times(1+q, k)
}

// tanh returns E/(E+2), E = e^{2|z|} − 1 = 2^k·q + (2^k−1), with the sign of z.
func tanh(z float64) float64 {
	k, q := reduce(2 * atMost(math.Abs(z), tanhMax))
	s := power(k)
	e := s*q + (s - 1)
	return math.Copysign(e/(e+2), z)
}

// decay returns y = |z| and e^{−y} = p·2^k = e.
func decay(z float64) (y, p, k, e float64) {
	y = atMost(math.Abs(z), sigmoidMax)
	k, q := reduce(-y)
	return y, 1 + q, k, times(1+q, k)
}

func sigmoid(z float64) float64 {
	_, _, _, e := decay(z)
	r := 1 / (1 + e)
	if z < 0 {
		return e * r
	}
	return r
}

func silu(z float64) float64 {
	y, p, k, e := decay(z)
	return max(z, 0) - times(y*p/(1+e), k)
}

func siluSlope(z float64) float64 {
	y, p, k, e := decay(z)
	r := 1 / (1 + e)
	return reflect(z, times(p*r*(1-y*r), k))
}

// reflect returns s where z < 0, 1 − s elsewhere.
func reflect(z, s float64) float64 {
	if z < 0 {
		return s
	}
	return 1 - s
}

// softplus returns max(z, 0) + log(1+e), with log(1+e) = 2·artanh(u/2) for
// u = 2e/(2+e).
func softplus(z float64) float64 {
	_, _, _, e := decay(z)
	u := 2 * e / (2 + e)
	v := u * u
	w := v * v
	even := (((log1pR8*w+log1pR6)*w+log1pR4)*w+log1pR2)*w + log1pR0
	odd := (((log1pR9*w+log1pR7)*w+log1pR5)*w+log1pR3)*w + log1pR1
	return max(z, 0) + (u + u*v*(even+v*odd))
}

// normal returns y = |z|, e^{−y²/2} = p·2^k and m = e^{y²/2}·Φ(−y).
func normal(z float64) (y, p, k, m float64) {
	y = atMost(math.Abs(z), normalMax)
	// y² = high² + (y−high)·(y+high), where high² is exact.
	high := math.Float64frombits(math.Float64bits(y) &^ math.MaxUint32)
	k = nearest(-y * y / 2)
	r := -high*high/2 - k*ln2High - k*ln2Low - (y-high)*(y+high)/2
	w := 1 / (y + millsCentre)
	t := 1 - 2*millsCentre*w
	s := t * t
	odd := (((((((((millsP21*s+millsP19)*s+millsP17)*s+millsP15)*s+millsP13)*s+millsP11)*s+millsP9)*s+millsP7)*s+millsP5)*s+millsP3)*s + millsP1
	even := (((((((((millsP22*s+millsP20)*s+millsP18)*s+millsP16)*s+millsP14)*s+millsP12)*s+millsP10)*s+millsP8)*s+millsP6)*s+millsP4)*s + millsP2
	return y, 1 + expm1(r), k, (millsP0 + t*(odd+t*even)) * w
}

func gelu(z float64) float64 {
	y, p, k, m := normal(z)
	return max(z, 0) - times(y*m*p, k)
}

func geluSlope(z float64) float64 {
	y, p, k, m := normal(z)
	return reflect(z, times((m-y/sqrt2Pi)*p, k))
}
