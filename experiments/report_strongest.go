package experiments

import (
	"cmp"
	"math"
	"slices"
)

// What a report keeps of the contributions to an output: the strongest for and against,
// and of each class of training samples.
const (
	keptStrongest  = 32
	keptOfClass    = 3
	mostKeptGroups = 20 // with more classes, none has samples of its own kept
)

// contribution is one of a training sample.
type contribution struct {
	sample int
	value  float64
}

// strongest collects the samples whose values are the largest of a sign, the strongest first
// and of equals the first.
type strongest struct {
	most int
	list []contribution
}

// offer takes a sample in if it is among the strongest; size is |value|.
func (s *strongest) offer(sample int, value, size float64) {
	if len(s.list) == s.most && (s.most == 0 || size <= math.Abs(s.list[s.most-1].value)) {
		return
	}
	at := len(s.list)
	for at > 0 && size > math.Abs(s.list[at-1].value) {
		at--
	}
	if len(s.list) == s.most {
		s.list = s.list[:s.most-1]
	}
	s.list = slices.Insert(s.list, at, contribution{sample, value})
}

// strongestOf returns the samples of a row of contributions (N) to keep, from the largest contribution
// to the most negative one: the most for and against, and the ofClass most for and against of every class.
// Contributions of 0 and those that are not numbers are left out. Cost: N, and a little more for what is kept.
func strongestOf(row []float64, class []int, classes, most, ofClass int) []contribution {
	if classes > mostKeptGroups {
		classes = 0
	}
	lists := make([]strongest, 2*(1+classes)) // for and against: of all, then of each class
	for i := range lists {
		lists[i].most = ofClass
	}
	lists[0].most, lists[1].most = most, most
	for i, v := range row {
		side := 0
		switch {
		case v < 0:
			side = 1
		case !(v > 0):
			continue
		}
		size := math.Abs(v)
		lists[side].offer(i, v, size)
		if classes > 0 && class != nil {
			lists[2*(1+class[i])+side].offer(i, v, size)
		}
	}
	var all []contribution
	for _, l := range lists {
		all = append(all, l.list...)
	}
	slices.SortFunc(all, func(a, b contribution) int {
		return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.sample, b.sample))
	})
	return slices.Compact(all)
}

// details returns the positions, in a list of strongestOf, of the n strongest for, then of the n strongest against,
// −1 where there are not so many.
func details(list []contribution, n int) []int {
	at := make([]int, 2*n)
	positive := 0
	for positive < len(list) && list[positive].value > 0 {
		positive++
	}
	for k := range n {
		at[k], at[n+k] = -1, -1
		if k < positive {
			at[k] = k
		}
		if k < len(list)-positive {
			at[n+k] = len(list) - 1 - k
		}
	}
	return at
}
