package sweeps

import (
	"math"
	"math/rand/v2"
	"slices"
)

// parzen is a Parzen estimator on [0, 1): the uniform density, and a normal one, cut off at the
// ends, around each coordinate, with equal weights. The deviation at a coordinate is the
// larger distance to its neighbours or the ends, but not more than 1 and not less than
// 1/min(100, n+1) or half a cell (Bergstra et al., 2011, section 4.2, and its code).
type parzen struct {
	centres, deviations []float64
	scales              []float64 // 1/(√2π σ mass within [0, 1])
}

// newParzen estimates the density of coordinates with so many cells, 0 for none.
func newParzen(coordinates []float64, cells int) *parzen {
	p := &parzen{centres: slices.Sorted(slices.Values(coordinates))}
	n := len(p.centres)
	least := 1 / math.Min(100, float64(n+1))
	if cells > 0 {
		least = max(least, 0.5/float64(cells))
	}
	for i, c := range p.centres {
		left, right := c, 1-c
		if i > 0 {
			left = c - p.centres[i-1]
		}
		if i < n-1 {
			right = p.centres[i+1] - c
		}
		deviation := min(1, max(least, left, right))
		mass := normalCDF((1-c)/deviation) - normalCDF(-c/deviation)
		p.deviations = append(p.deviations, deviation)
		p.scales = append(p.scales, 1/(math.Sqrt(2*math.Pi)*deviation*mass))
	}
	return p
}

func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

func (p *parzen) draw(r *rand.Rand) float64 {
	k := r.IntN(len(p.centres) + 1)
	if k == len(p.centres) {
		return r.Float64()
	}
	for {
		// At least 0.34 of the mass lies within, as the centre does.
		if u := p.centres[k] + p.deviations[k]*r.NormFloat64(); u >= 0 && u < 1 {
			return u
		}
	}
}

func (p *parzen) at(u float64) float64 {
	sum := 1.0
	for i, c := range p.centres {
		z := (u - c) / p.deviations[i]
		sum += p.scales[i] * math.Exp(-z*z/2)
	}
	return sum / float64(len(p.centres)+1)
}
