package experiments

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// ranks writes the ranks, from 1, of values to out; equal values share the mean of theirs. order is
// scratch of the same length. O(n log n).
func ranks(values, out []float64, order []int) {
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			out[i] = float64(from+to+1) / 2
		}
		from = to
	}
}

// Spearman returns the rank correlation of Spearman between a and b, of equal lengths: Pearson's
// correlation of the ranks, where equal values share the mean of theirs. NaN for fewer than two values, where all
// values of a side are equal, or where one is NaN. O(n log n).
func Spearman(a, b []float64) float64 {
	if len(a) < 2 || slices.ContainsFunc(a, math.IsNaN) || slices.ContainsFunc(b, math.IsNaN) {
		return math.NaN()
	}
	x, y, order := make([]float64, len(a)), make([]float64, len(a)), make([]int, len(a))
	ranks(a, x, order)
	ranks(b, y, order)
	return stat.Correlation(x, y, nil)
}
