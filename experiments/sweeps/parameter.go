package sweeps

import (
	"math"
	"strconv"

	"gonum.org/v1/gonum/stat/distuv"

	"pkm/experiments"
)

// Parameter is a key of the configuration that trials differ in.
//
// Its values are laid out over the coordinate u in [0, 1): those of a distribution by its
// quantile function, so that a uniform u draws from it; n discrete values in n equal cells.
type Parameter struct {
	Key                     string // full key of the configuration
	Distribution            string // that of the file; categorical for values, constant for value
	Min, Max, Q, Mu, Sigma  float64
	Values                  []string // of categorical and constant, as YAML
	When                    []Condition
	nodes                   []experiments.Node // of Values
	at, place               experiments.Node   // of the key, and of what it holds
	distributionOf, whenOf  experiments.Node
	firstMultiple, multiple int // q_uniform: the first multiple of Q, and how many
}

// Condition holds where a parameter has one of the values.
type Condition struct {
	Key    string
	Values []string
	parent int // its number in the space
}

// Count returns how many values the parameter can take, 0 where they are not discrete.
func (p *Parameter) Count() int {
	switch p.Distribution {
	case "categorical", "constant":
		return len(p.Values)
	case "int_uniform":
		return int(p.Max-p.Min) + 1
	case "q_uniform":
		return p.multiple
	}
	return 0
}

// numeric reports whether neighbouring values are alike.
func (p *Parameter) numeric() bool {
	return p.Distribution != "categorical" && p.Distribution != "constant"
}

// index returns the number of the cell of a discrete parameter that u lies in.
func (p *Parameter) index(u float64) int {
	return max(0, min(int(u*float64(p.Count())), p.Count()-1))
}

// centre returns the middle of the cell that u lies in; u itself where there are no cells.
func (p *Parameter) centre(u float64) float64 {
	if n := p.Count(); n > 0 {
		return (float64(p.index(u)) + 0.5) / float64(n)
	}
	return u
}

// value returns the value at the coordinate u. Numbers from continuous distributions are
// rounded to six digits, so that they can be read and typed in again.
func (p *Parameter) value(u float64) experiments.Node {
	var x float64
	switch p.Distribution {
	case "categorical", "constant":
		return p.nodes[p.index(u)]
	case "int_uniform":
		return p.place.Scalar(strconv.Itoa(int(p.Min) + p.index(u)))
	case "q_uniform":
		return p.place.Scalar(multiple(p.firstMultiple+p.index(u), p.Q))
	case "uniform":
		x = p.bounded(p.Min + u*(p.Max-p.Min))
	case "log_uniform":
		x = p.bounded(math.Exp(math.Log(p.Min) + u*(math.Log(p.Max)-math.Log(p.Min))))
	case "normal":
		x = p.quantile(u)
	case "log_normal":
		x = math.Exp(p.quantile(u))
	}
	return p.place.Scalar(strconv.FormatFloat(rounded(x), 'g', -1, 64))
}

// multiple returns k·q as text, with as few digits of 12, 15 and all as tell it from its neighbours.
func multiple(k int, q float64) string {
	x := float64(k) * q
	for _, digits := range []int{12, 15} {
		text := strconv.FormatFloat(x, 'g', digits, 64)
		if y, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(y-x) <= q/1000 {
			return text
		}
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// bounded returns x, rounded, within the bounds.
func (p *Parameter) bounded(x float64) float64 { return max(p.Min, min(p.Max, rounded(x))) }

// quantile is that of the normal distribution; its tails end where a billionth is left.
func (p *Parameter) quantile(u float64) float64 {
	return distuv.Normal{Mu: p.Mu, Sigma: p.Sigma}.Quantile(max(1e-9, min(1-1e-9, u)))
}

func rounded(x float64) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64)
	if err != nil {
		return x
	}
	return y
}
