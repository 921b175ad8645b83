package vector

// In all of these e^x = 2^k·(1+r+r²·Q(r)), where x = k·ln 2 + r and k is an integer
// (Cody and Waite), and Q is a polynomial. The accuracies are bounds, for either
// type, in units in the last place (ulp) of the result; below the smallest normal
// number, in units of the smallest subnormal one. NaN gives NaN, ±∞ the limits.

// Exp sets dst[i] = e^z[i], within 1 ulp.
func Exp[T Float](dst, z []T) {
	sameLength("Exp", len(dst), len(z))
	chosen[T]().exp(dst, z)
}

// Tanh sets dst[i] = tanh(z[i]), within 3 ulp, also of tiny z.
//
//	tanh|z| = E/(E+2), E = e^{2|z|} − 1
func Tanh[T Float](dst, z []T) {
	sameLength("Tanh", len(dst), len(z))
	chosen[T]().tanh(dst, z)
}

// TanhSlope sets dst[i] = 1 − h[i]² = (1−h[i])·(1+h[i]), the slope of h = tanh(z),
// within 2 ulp and in the same bits everywhere.
func TanhSlope[T Float](dst, h []T) {
	sameLength("TanhSlope", len(dst), len(h))
	chosen[T]().tanhSlope(dst, h)
}

// Sigmoid sets dst[i] = σ(z[i]) = 1/(1+e^{−z[i]}), within 3 ulp. It is the slope of
// Softplus too.
func Sigmoid[T Float](dst, z []T) {
	sameLength("Sigmoid", len(dst), len(z))
	chosen[T]().sigmoid(dst, z)
}

// SigmoidSlope sets dst[i] = h[i]·(1−h[i]), the slope of h = σ(z), within 1.5 ulp and
// in the same bits everywhere.
func SigmoidSlope[T Float](dst, h []T) {
	sameLength("SigmoidSlope", len(dst), len(h))
	chosen[T]().sigmoidSlope(dst, h)
}

// Softplus sets dst[i] = max(z[i], 0) + log(1+e^{−|z[i]|}), within 4 ulp.
func Softplus[T Float](dst, z []T) {
	sameLength("Softplus", len(dst), len(z))
	chosen[T]().softplus(dst, z)
}

// SiLU sets dst[i] = z[i]·σ(z[i]), within 4 ulp. It is −0 at −∞, the limit.
//
//	z·σ(z) = max(z, 0) − |z|·σ(−|z|)
func SiLU[T Float](dst, z []T) {
	sameLength("SiLU", len(dst), len(z))
	chosen[T]().silu(dst, z)
}

// SiLUSlope sets dst[i] = s(z[i]) = σ(z)·(1+z·(1−σ(z))), the slope of z·σ(z), within
// 6 ulp of the larger of its terms. It is 0 at −∞ and 1 at ∞.
//
//	s(z) = 1 − s(−z)
func SiLUSlope[T Float](dst, z []T) {
	sameLength("SiLUSlope", len(dst), len(z))
	chosen[T]().siluSlope(dst, z)
}

// GELU sets dst[i] = z[i]·Φ(z[i]), with the exact normal distribution function Φ,
// within 7 ulp (5 in assembly) down to the z where it underflows. It is 0 at −∞, the limit.
//
//	z·Φ(z) = max(z, 0) − |z|·Φ(−|z|),  Φ(−y) = e^{−y²/2}·P((y−a)/(y+a))/(y+a)
//
// A polynomial P in that variable follows Shepherd and Laframboise, Chebyshev approximation of
// (1+2x)exp(x²)erfc x in 0 ≤ x < ∞, Math. Comp. 36 (1981).
func GELU[T Float](dst, z []T) {
	sameLength("GELU", len(dst), len(z))
	chosen[T]().gelu(dst, z)
}

// GELUSlope sets dst[i] = s(z[i]) = Φ(z) + z·φ(z), the slope of z·Φ(z), within 7 ulp
// of the larger of its terms. It is 0 at −∞ and 1 at ∞.
//
//	s(z) = 1 − s(−z),  φ(z) = e^{−z²/2}/√(2π)
func GELUSlope[T Float](dst, z []T) {
	sameLength("GELUSlope", len(dst), len(z))
	chosen[T]().geluSlope(dst, z)
}

// ReLU sets dst[i] = max(z[i], 0), +0 for either zero.
func ReLU[T Float](dst, z []T) {
	sameLength("ReLU", len(dst), len(z))
	chosen[T]().relu(dst, z)
}

// ReLUSlope sets dst[i] = 1 where z[i] > 0, else 0, at the kink too. NaN gives NaN.
func ReLUSlope[T Float](dst, z []T) {
	sameLength("ReLUSlope", len(dst), len(z))
	chosen[T]().reluSlope(dst, z)
}
