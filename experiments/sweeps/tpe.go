package sweeps

import (
	"math/rand/v2"
	"slices"
)

// tpe is the tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011). It is our own
// because that of goptuna draws from the process's random numbers, whatever its seed.
//
// Of the trials that are seen, the best tenth, at most 25, make the density l of a parameter's
// coordinate, the others g; of 24 candidates drawn from l the one with the largest l/g is
// taken (equation 14 and section 4). The parameters are independent given those that
// their conditions ask for, and each sees the trials in which it had an effect. In a
// coordinate the prior is uniform, whatever the distribution. Until startup trials are
// seen, points are drawn uniformly.
//
// Trial t sees trials 0 … t−concurrency. A draw takes O(t log t) for the order and O(t) for
// each parameter and candidate.
type tpe struct {
	space       Space
	seed        int64
	startup     int
	concurrency int
}

// The constants of the estimator.
const (
	tpeCandidates = 24
	tpeBest       = 25
)

func (s *tpe) sees(t int) int { return max(0, t-s.concurrency+1) }

func (s *tpe) draw(t int, trials []Finished) ([]float64, error) {
	r := stream(s.seed, t)
	seen := trials[:s.sees(t)]
	u := uniform(r, len(s.space))
	if len(seen) < s.startup {
		return u, nil
	}
	sorted := slices.Clone(seen)
	slices.SortStableFunc(sorted, func(a, b Finished) int {
		switch {
		case before(a, b):
			return -1
		case before(b, a):
			return 1
		}
		return 0
	})
	values := make([]string, len(s.space))
	for i, p := range s.space {
		if !s.space.active(values, i) {
			continue
		}
		var coordinates []float64 // the best first
		for _, f := range sorted {
			if f.Values[i] != "" {
				coordinates = append(coordinates, p.centre(f.Point[i]))
			}
		}
		if n := len(coordinates); n > 0 {
			best := min((n+9)/10, tpeBest)
			u[i] = p.better(r, coordinates[:best], coordinates[best:])
		}
		values[i] = p.value(u[i]).String()
	}
	return u, nil
}

// better returns the candidate drawn from the density of below whose ratio to that of above
// is largest.
func (p *Parameter) better(r *rand.Rand, below, above []float64) float64 {
	l, g := p.density(below), p.density(above)
	best, most := 0.0, -1.0
	for range tpeCandidates {
		u := p.centre(l.draw(r))
		if ratio := l.at(u) / g.at(u); ratio > most {
			best, most = u, ratio
		}
	}
	return best
}

// density is one on [0, 1).
type density interface {
	draw(r *rand.Rand) float64
	at(u float64) float64
}

// density estimates that of the coordinates.
func (p *Parameter) density(coordinates []float64) density {
	if p.numeric() {
		return newParzen(coordinates, p.Count())
	}
	h := &histogram{weights: make([]float64, p.Count()), total: float64(len(coordinates) + p.Count())}
	for k := range h.weights {
		h.weights[k] = 1
	}
	for _, u := range coordinates {
		h.weights[p.index(u)]++
	}
	return h
}

// histogram is the density of a parameter without order: counts, and one more for each value.
type histogram struct {
	weights []float64
	total   float64
}

func (h *histogram) draw(r *rand.Rand) float64 {
	x := r.Float64() * h.total
	k := 0
	for ; k < len(h.weights)-1 && x >= h.weights[k]; k++ {
		x -= h.weights[k]
	}
	return (float64(k) + 0.5) / float64(len(h.weights))
}

func (h *histogram) at(u float64) float64 {
	n := len(h.weights)
	return h.weights[min(int(u*float64(n)), n-1)] / h.total * float64(n)
}
