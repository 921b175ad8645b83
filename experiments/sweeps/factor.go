package sweeps

import (
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/stat/distuv"
)

// maxLevels bounds the levels of a factor: they fit into the bits of a word.
const maxLevels = 64

// continuousLevels is how many levels a continuum is cut into.
const continuousLevels = 32

// factor is a parameter cut into levels, with the share that each has of the parameter's
// distribution.
type factor struct {
	ordered bool      // neighbouring levels are alike
	weights []float64 // of the levels, which add up to 1
	level   []int     // of each trial, −1 where the parameter is not there
}

// newFactor cuts the values of a column. Continua are cut into cells of equal probability,
// so that weights are equal; listed values are a level each, and where they are too many numbers
// are cut as a continuum and the last texts are one level.
func newFactor(c *column) factor {
	f := factor{ordered: c.Kind == number, level: make([]int, len(c.texts))}
	n := len(c.Levels)
	if c.Kind == number {
		var cell func(float64) int
		n, cell = c.cells()
		for i, x := range c.numbers {
			f.level[i] = -1
			if !math.IsNaN(x) {
				f.level[i] = max(0, min(n-1, cell(x)))
			}
		}
	} else {
		n = min(n, maxLevels)
		for i, l := range c.indices {
			f.level[i] = min(l, n-1)
		}
	}
	for range n {
		f.weights = append(f.weights, 1/float64(n))
	}
	return f
}

// cells returns the number of levels of numbers and the level of one.
func (c *column) cells() (int, func(float64) int) {
	d := c.prior
	at := func(n int, low, high float64) func(float64) int {
		return func(x float64) int { return int(math.Floor(float64(n) * (x - low) / (high - low))) }
	}
	switch d.Name {
	case "uniform":
		return continuousLevels, at(continuousLevels, d.Min, d.Max)
	case "log_uniform":
		cell := at(continuousLevels, math.Log(d.Min), math.Log(d.Max))
		return continuousLevels, func(x float64) int { return cell(math.Log(x)) }
	case "normal", "log_normal":
		cdf := distuv.Normal{Mu: d.Mu, Sigma: d.Sigma}.CDF
		return continuousLevels, func(x float64) int {
			if d.Name == "log_normal" {
				x = math.Log(x)
			}
			return int(continuousLevels * cdf(x))
		}
	case "int_uniform":
		n := int(min(d.Max-d.Min+1, continuousLevels))
		return n, at(n, d.Min-0.5, d.Max+0.5)
	case "q_uniform":
		low, high := math.Ceil(d.Min/d.Q-1e-9), math.Floor(d.Max/d.Q+1e-9)
		n := int(min(high-low+1, continuousLevels))
		return n, at(n, (low-0.5)*d.Q, (high+0.5)*d.Q)
	}
	distinct := c.distinct()
	if len(distinct) <= maxLevels {
		return len(distinct), func(x float64) int { i, _ := slices.BinarySearch(distinct, x); return i }
	}
	return continuousLevels, at(continuousLevels, distinct[0], distinct[len(distinct)-1])
}

// distinct returns the numbers of a column, each once, ascending.
func (c *column) distinct() []float64 {
	var all []float64
	for _, x := range c.numbers {
		if !math.IsNaN(x) {
			all = append(all, x)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// The kinds of a column.
const (
	number   = "number"
	category = "category"
)

// column is a parameter in which trials differ, as the page reads it.
type column struct {
	Name   string   `json:"name"`  // full key
	Short  string   `json:"short"` // as much of its end as tells it from others
	Kind   string   `json:"kind"`
	Log    bool     `json:"log"`
	Listed bool     `json:"listed"` // numbers that the sweep file lists one by one
	Min    float64  `json:"min"`    // of a number's axis
	Max    float64  `json:"max"`
	Levels []string `json:"levels,omitempty"` // of a category
	Values []any    `json:"values"`           // of each trial: a number, the number of a level, or null where it has none

	prior   Prior
	texts   []string  // as in results.csv
	numbers []float64 // NaN where it has none
	indices []int     // of levels; −1
}

// newColumn reads a parameter's column. It is of numbers where all its values are.
func newColumn(name string, d Prior, texts []string) *column {
	c := &column{Name: name, Kind: number, prior: d, texts: texts, Values: make([]any, len(texts))}
	for _, text := range texts {
		x := math.NaN()
		if text != "" {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				c.categories()
				return c
			}
			x = v
		}
		c.numbers = append(c.numbers, x)
	}
	for i, x := range c.numbers {
		if !math.IsNaN(x) {
			c.Values[i] = x
		}
	}
	c.axis()
	return c
}

// axis chooses the axis of numbers: the bounds of the distribution where there are some, widened to hold
// all values. It is logarithmic if the distribution is, or of listed values if the largest is
// eight times the least, or more.
func (c *column) axis() {
	all := c.distinct()
	if len(all) == 0 {
		return
	}
	d := c.prior
	c.Min, c.Max = all[0], all[len(all)-1]
	switch d.Name {
	case "uniform", "log_uniform", "int_uniform", "q_uniform":
		c.Min, c.Max = min(c.Min, d.Min), max(c.Max, d.Max)
	}
	c.Listed = d.Name == "" || d.Name == "categorical"
	c.Log = c.Min > 0 && (d.Name == "log_uniform" || d.Name == "log_normal" || c.Listed && len(all) > 2 && c.Max >= 8*c.Min)
}

// categories numbers the values, in the order of the sweep file or else of the trials.
func (c *column) categories() {
	c.Kind, c.numbers, c.Levels = category, nil, nil
	index := map[string]int{}
	add := func(text string) {
		if _, ok := index[text]; !ok && text != "" {
			index[text] = len(c.Levels)
			c.Levels = append(c.Levels, text)
		}
	}
	for _, list := range [][]string{c.prior.Values, c.texts} {
		for _, text := range list {
			add(text)
		}
	}
	for i, text := range c.texts {
		l, ok := index[text]
		if !ok {
			l = -1
		} else {
			c.Values[i] = l
		}
		c.indices = append(c.indices, l)
	}
}
