package training

// tableau holds the coefficients of an embedded explicit Runge–Kutta pair:
//
//	k_i = f(τ + c_i h, w + h Σ_{j<i} a_ij k_j),   w′ = w + h Σ_i b_i k_i
//	estimate of the error: h Σ_i e_i k_i
//
// with f = −∇L, which does not depend on τ.
type tableau struct {
	a     [][]float64 // a[i] has i elements
	b, e  []float64
	order int // of w′
}

// dormandPrince is the pair 5(4) of Dormand and Prince (J. Comp. Appl. Math. 6, 1980), as
// in Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I, table II.5.2. Its
// last stage is evaluated at w′.
func dormandPrince() tableau {
	b := []float64{35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84, 0}
	hat := []float64{5179.0 / 57600, 0, 7571.0 / 16695, 393.0 / 640, -92097.0 / 339200, 187.0 / 2100, 1.0 / 40}
	e := make([]float64, len(b))
	for i := range b {
		e[i] = b[i] - hat[i]
	}
	return tableau{order: 5, b: b, e: e, a: [][]float64{
		{},
		{1.0 / 5},
		{3.0 / 40, 9.0 / 40},
		{44.0 / 45, -56.0 / 15, 32.0 / 9},
		{19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
		{9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
		b[:6],
	}}
}
