package sweeps

import (
	"math"
	"math/rand/v2"
)

// Importance says how much of the variance of a metric over the search space comes from each
// parameter alone.
type Importance struct {
	// Shares are the first-order indices, Var_{x_j}(E[f | x_j]) / Var(f), by parameter.
	Shares []float64
	// Interactions is 1 − Σ Shares: what several parameters do together only, and chance that the surrogate took for that.
	Interactions float64
	// Explained is R² of the surrogate on trials that it has not seen: how far f is the metric.
	Explained float64
}

// The size of the surrogate, and of the sample that its variance is measured by.
const (
	forestTrees   = 64
	forestSample  = 5000 // trials that a tree is grown from, at most
	importanceRun = 1 << 14
)

// importance returns the functional ANOVA of a random forest that is fitted to y over the levels
// of the factors (F. Hutter, H. Hoos, K. Leyton-Brown, "An Efficient Approach for Assessing
// Hyperparameter Importance", ICML 2014). The marginals E[f | x_j] of a tree are exact, by its
// leaves; f is the mean of the trees. The variance is that of independent factors with their
// weights, wherever the trials lie, so that it can be asked also of a sampler that prefers
// good points. ok is false where y is constant, or there are too few trials.
//
// The cost is O(trees·n·factors·depth) for the trees and O(leaves·factors·levels) for the
// marginals.
func importance(factors []factor, y []float64) (_ Importance, ok bool) {
	if len(factors) == 0 || len(y) < 2*len(factors)+4 || variance(y) == 0 {
		return Importance{}, false
	}
	random := rand.New(rand.NewPCG(1, 2)) // a page is the same whenever it is written
	columns := make([][]uint8, len(factors))
	for j := range factors {
		columns[j] = factors[j].filled(random)
	}
	f := growForest(factors, columns, y, random)
	result := Importance{Shares: make([]float64, len(factors)), Explained: f.explained}

	total := f.variance(factors, random)
	if !(total > 0) {
		return Importance{}, false
	}
	result.Interactions = 1
	for j, marginal := range f.marginals(factors) {
		mean, second := 0.0, 0.0
		for l, v := range marginal {
			mean += factors[j].weights[l] * v
			second += factors[j].weights[l] * v * v
		}
		result.Shares[j] = max(0, second-mean*mean) / total
		result.Interactions -= result.Shares[j]
	}
	// The variance is of a sample, so that the shares of an additive function can add up to a little over 1.
	if result.Interactions < 0 {
		for j := range result.Shares {
			result.Shares[j] /= 1 - result.Interactions
		}
		result.Interactions = 0
	}
	return result, true
}

// filled returns the levels of all trials. A trial without a value gets one of a trial that has
// one, at random: what its absence changes belongs to its condition, not to it.
func (f *factor) filled(random *rand.Rand) []uint8 {
	var there []uint8
	for _, l := range f.level {
		if l >= 0 {
			there = append(there, uint8(l))
		}
	}
	column := make([]uint8, len(f.level))
	for i, l := range f.level {
		switch {
		case l >= 0:
			column[i] = uint8(l)
		case len(there) > 0:
			column[i] = there[random.IntN(len(there))]
		}
	}
	return column
}

// variance returns that of the forest's mean over independent factors, from a sample.
func (f *forest) variance(factors []factor, random *rand.Rand) float64 {
	point := make([]uint8, len(factors))
	values := make([]float64, importanceRun)
	for k := range values {
		for j := range factors {
			point[j] = factors[j].draw(random.Float64())
		}
		for _, t := range f.trees {
			values[k] += t.predict(point)
		}
		values[k] /= float64(len(f.trees))
	}
	return variance(values)
}

// draw returns the level at which the weights add up to more than u.
func (f *factor) draw(u float64) uint8 {
	for l, w := range f.weights {
		if u -= w; u < 0 {
			return uint8(l)
		}
	}
	return uint8(len(f.weights) - 1)
}

// marginals returns E[f | x_j = l] for every factor j and level l.
func (f *forest) marginals(factors []factor) [][]float64 {
	sums := make([][]float64, len(factors))
	whole := make([]uint64, len(factors))
	for j := range factors {
		sums[j] = make([]float64, len(factors[j].weights))
		whole[j] = math.MaxUint64 >> (64 - len(factors[j].weights))
	}
	for _, t := range f.trees {
		t.addMarginals(0, factors, whole, 1/float64(len(f.trees)), sums)
	}
	return sums
}

// addMarginals adds those of the leaves below a node, whose box is the product of sets of levels.
func (t tree) addMarginals(at int, factors []factor, box []uint64, scale float64, sums [][]float64) {
	n := &t[at]
	if n.left == 0 {
		weights := make([]float64, len(box))
		volume := scale
		for j := range box {
			for l, w := range factors[j].weights {
				if box[j]>>l&1 == 1 {
					weights[j] += w
				}
			}
			volume *= weights[j]
		}
		for j := range box {
			for l := range factors[j].weights {
				if box[j]>>l&1 == 1 {
					sums[j][l] += n.value * volume / weights[j]
				}
			}
		}
		return
	}
	was := box[n.factor]
	box[n.factor] = was & n.goesLeft
	t.addMarginals(n.left, factors, box, scale, sums)
	box[n.factor] = was &^ n.goesLeft
	t.addMarginals(n.right, factors, box, scale, sums)
	box[n.factor] = was
}

// variance returns the mean square distance from the mean.
func variance(y []float64) float64 {
	mean, sum := 0.0, 0.0
	for _, v := range y {
		mean += v / float64(len(y))
	}
	for _, v := range y {
		sum += (v - mean) * (v - mean) / float64(len(y))
	}
	return sum
}
