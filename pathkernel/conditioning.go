package pathkernel

import "math"

// Conditioning tells how far the coefficients a = Q/K^p can be trusted.
type Conditioning struct {
	// Threshold is what |K^p| counts as 0 below: 1e-8 of the largest |K^p|, or 1e-5
	// from float32 factors, whose rounding is some 1e-7 of it.
	Threshold   float64
	SmallKernel int // number of |K^p| below the threshold
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
	relative := 1e-8
	if m.single {
		relative = 1e-5
	}
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
