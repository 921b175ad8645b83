package pathkernel

import "math"

// Conditioning tells how far the coefficients a = Q/K^p can be trusted.
type Conditioning struct {
	Threshold   float64 // below which |K^p| counts as 0: 1e-8 of the largest |K^p|
	SmallKernel int     // number of |K^p| below the threshold
	// Bound is max|ℓ′|/B over the path. An average with weights of one sign stays
	// within it; LargeCoefficients counts the |a| beyond, where K changed its sign
	// along the path.
	Bound             float64
	LargeCoefficients int
	MaxCoefficient    float64 // the largest |a| where |K^p| is not small
}

// Conditioning returns the conditioning of the machine's coefficients, with the
// counts of coefficients 0 where it has none.
func (m *Machine) Conditioning() Conditioning {
	const relative = 1e-8 // rounding of K^p is some 1e-15 of its terms; this leaves a wide margin
	c := Conditioning{Bound: m.bound}
	kernel := m.PathKernel()
	var largest float64
	for _, k := range kernel {
		largest = max(largest, math.Abs(k))
	}
	c.Threshold = relative * largest
	coefficients := m.Coefficients()
	for i, k := range kernel {
		if math.Abs(k) <= c.Threshold {
			c.SmallKernel++
			continue
		}
		if coefficients == nil {
			continue
		}
		a := math.Abs(coefficients[i])
		c.MaxCoefficient = max(c.MaxCoefficient, a)
		// The slack is for the rounding of the sums.
		if a > c.Bound*(1+1e-9) {
			c.LargeCoefficients++
		}
	}
	return c
}
