package sweeps

import (
	"math"
	"slices"
)

// Limit ends a trial whose training loss after Step steps is above Loss.
type Limit struct {
	Step int     `json:"step"`
	Loss float64 `json:"loss"`
}

// Rung is the training loss of a trial after Step steps.
type Rung struct {
	Step int     `json:"step"`
	Loss float64 `json:"loss"`
}

// rungs returns the numbers of steps after which a trial of so many is compared with others.
//
// median: min_steps, min_steps + every, …. asha: min_steps·eta^k. hyperband: the same from
// min_steps·eta^b on, where b = t mod brackets is the bracket of trial t. The last step is
// none of them, because it ends the trial anyway.
func (e *EarlyTerminate) rungs(t, steps int) []int {
	var rungs []int
	switch e.Type {
	case "median":
		for r := e.MinSteps; r < steps-1 && len(rungs) < 10_000; r += e.Every {
			rungs = append(rungs, r)
		}
	case "asha", "hyperband":
		for r := e.first(e.bracket(t), steps); r < steps-1; r = e.next(r, steps) {
			rungs = append(rungs, r)
		}
	}
	return rungs
}

// first returns the first rung of bracket b, min_steps·eta^b, or steps where that is more.
func (e *EarlyTerminate) first(b, steps int) int {
	r := min(e.MinSteps, steps)
	for range b {
		r = e.next(r, steps)
	}
	return r
}

// next returns the rung after r, r·eta, or steps where that is more.
func (e *EarlyTerminate) next(r, steps int) int {
	if r > steps/e.Eta {
		return steps
	}
	return r * e.Eta
}

// bracket returns that of trial t.
func (e *EarlyTerminate) bracket(t int) int {
	if e.Type == "hyperband" {
		return t % e.Brackets
	}
	return 0
}

// limits returns the losses at which trial t, of so many steps, is ended, given the rungs of the
// trials before it that are finished. They are known before the trial begins, and depend on
// nothing else, so that a trial ends at the same step whatever runs beside it.
//
// median (Golovin et al., KDD 2017): the median of what the others had after as many steps,
// of at least min_trials. asha (Li et al., arXiv 1810.05934, in the form that decides at
// once): a trial goes on past a rung if it is among the best 1/eta of those that have come
// to it, itself included, at least one. hyperband (Li et al., JMLR 2018) is asha with
// brackets, of which each compares its own trials only.
func (e *EarlyTerminate) limits(t, steps int, others [][]Rung) []Limit {
	var limits []Limit
	for _, r := range e.rungs(t, steps) {
		var losses []float64
		for i, rungs := range others {
			if e.bracket(i) != e.bracket(t) {
				continue
			}
			if k := slices.IndexFunc(rungs, func(g Rung) bool { return g.Step == r }); k >= 0 && !math.IsNaN(rungs[k].Loss) {
				losses = append(losses, rungs[k].Loss)
			}
		}
		slices.Sort(losses)
		n := len(losses)
		switch {
		case n == 0:
		case e.Type == "median" && n >= e.MinTrials:
			limits = append(limits, Limit{r, (losses[(n-1)/2] + losses[n/2]) / 2})
		case e.Type != "median":
			limits = append(limits, Limit{r, losses[max(1, (n+1)/e.Eta)-1]})
		}
	}
	return limits
}

// exceeded returns the first limit that the rungs are above.
func exceeded(limits []Limit, rungs []Rung) (Limit, bool) {
	for _, l := range limits {
		for _, r := range rungs {
			if r.Step == l.Step && !(r.Loss <= l.Loss) {
				return l, true
			}
		}
	}
	return Limit{}, false
}
