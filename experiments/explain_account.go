package experiments

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// sampleAccount is the account of one value of one sample, in the order of the training samples.
type sampleAccount struct {
	initial, final, regularization float64
	contributions                  []float64 // (N)
	layers, windows                shares
}

// shares are parts of an account, which sum to it; none where they were not kept.
type shares struct {
	contributions  [][]float64 // (parts)(N)
	regularization []float64   // (parts)
}

// add adds weight times another account of the same shape.
func (a *sampleAccount) add(weight float64, b *sampleAccount) {
	a.initial, a.final, a.regularization = a.initial+weight*b.initial, a.final+weight*b.final, a.regularization+weight*b.regularization
	a.contributions = plus(a.contributions, weight, b.contributions)
	a.layers.add(weight, b.layers)
	a.windows.add(weight, b.windows)
}

func (s *shares) add(weight float64, o shares) {
	if s.contributions == nil {
		s.contributions = make([][]float64, len(o.contributions))
	}
	for i, part := range o.contributions {
		s.contributions[i] = plus(s.contributions[i], weight, part)
	}
	s.regularization = plus(s.regularization, weight, o.regularization)
}

// plus returns a + weight·b, where a nil is zeros.
func plus(a []float64, weight float64, b []float64) []float64 {
	if a == nil {
		a = make([]float64, len(b))
	}
	for i, v := range b {
		a[i] += weight * v
	}
	return a
}

// accounts are those of some samples.
type accounts struct {
	source         string    // stored or replayed
	initial, final []float64 // f (n, C)
	layers         []string  // names of the layers' shares
	bounds         []int     // of the windows' shares
	of             func(sample, value int) (*sampleAccount, error)
}

// accounts finds the accounts of samples: those that the run has stored, or else by a replay.
func (x *explainer) accounts(ctx context.Context, s *explainedSamples, t *explainedTarget) (*accounts, error) {
	if s.query < 0 || x.options.Replay || t.machine.Target != t.h {
		return x.replay(ctx, s, t)
	}
	return x.stored(s, t)
}

// stored returns the account of a query from the arrays of its machine.
func (x *explainer) stored(s *explainedSamples, t *explainedTarget) (*accounts, error) {
	m, c, n := x.run.Summary.Samples.Query, x.run.Summary.Outputs, x.run.Summary.Samples.Train
	name, k := t.machine.Name, c
	if t.h == lossTarget {
		k = 1
	}
	if !x.has(name + "/contributions") {
		return nil, x.fault("run it again with that machine, or follow the path again with --replay", "machine %q has no contributions in arrays/%s", name, name)
	}
	a := &accounts{source: "stored"}
	var err error
	if a.initial, err = x.part("outputs_initial", []int{m, c}, s.query); err != nil {
		return nil, err
	}
	if a.final, err = x.part("outputs_final", []int{m, c}, s.query); err != nil {
		return nil, err
	}
	layers, windows := 0, 0
	if x.has(name + "/contributions_by_layer") {
		a.layers = x.run.Summary.Layers
		layers = len(a.layers)
	}
	bounds, err := x.whole(name + "/window_bounds")
	if err != nil {
		return nil, err
	}
	for _, b := range bounds {
		a.bounds = append(a.bounds, int(b))
	}
	windows = max(0, len(bounds)-1)
	initial, final := "outputs_initial", "outputs_final"
	if t.h != outputsTarget {
		initial, final = name+"/target_initial", name+"/target_final"
	}
	a.of = func(_, value int) (*sampleAccount, error) {
		one := &sampleAccount{}
		for _, number := range []struct {
			name string
			to   *float64
		}{{initial, &one.initial}, {final, &one.final}, {name + "/regularization", &one.regularization}} {
			v, err := x.part(number.name, []int{m, k}, s.query, value)
			if err != nil {
				return nil, err
			}
			*number.to = v[0]
		}
		var err error
		if one.contributions, err = x.part(name+"/contributions", []int{m, k, n}, s.query, value); err != nil {
			return nil, err
		}
		for _, side := range []struct {
			name  string
			count int
			to    *shares
		}{{"layer", layers, &one.layers}, {"window", windows, &one.windows}} {
			for p := range side.count {
				q, err := x.part(name+"/contributions_by_"+side.name, []int{side.count, m, k, n}, p, s.query, value)
				if err != nil {
					return nil, err
				}
				r, err := x.part(name+"/regularization_by_"+side.name, []int{side.count, m, k}, p, s.query, value)
				if err != nil {
					return nil, err
				}
				side.to.contributions, side.to.regularization = append(side.to.contributions, q), append(side.to.regularization, r[0])
			}
		}
		return one, nil
	}
	return a, nil
}

// explain sorts the account of sample k.
func (x *explainer) explain(s *explainedSamples, k int, t *explainedTarget, all *accounts) (*Explanation, error) {
	c := x.run.Summary.Outputs
	f := all.final[k*c : (k+1)*c]
	terms, named, err := t.of(x, f)
	if err != nil {
		return nil, err
	}
	total := &sampleAccount{}
	for _, term := range terms {
		one, err := all.of(k, term.index)
		if err != nil {
			return nil, err
		}
		total.add(term.weight, one)
	}
	bounds := total.dropEmptyWindows(all.bounds)
	e := &Explanation{Run: x.run.Path, Name: x.run.Manifest.Name, Target: named,
		Machine: ExplainSource{t.machine.Name, t.machine.Family, t.machine.Rule, all.source},
		Sample: Explained{Query: s.number(), DataIndex: s.index, File: s.file, Row: s.row(k), Label: x.label(s.samples, k), Predicted: x.predicted(f),
			OutputsInitial: figuresOf(all.initial[k*c : (k+1)*c]), OutputsFinal: figuresOf(f), Inputs: figuresOf(s.inputs(k))}}
	e.sum(total)
	if err := x.list(e, total); err != nil {
		return nil, err
	}
	e.ByLayer = partsOf(all.layers, total.layers)
	var windows []string
	for w := range max(0, len(bounds)-1) {
		windows = append(windows, windowName(bounds[w], bounds[w+1]))
	}
	e.ByWindow = partsOf(windows, total.windows)
	for w := range e.ByWindow {
		e.ByWindow[w].FirstStep, e.ByWindow[w].EndStep = &bounds[w], &bounds[w+1]
	}
	if e.ByLayer == nil {
		e.Missing = append(e.Missing, "decompose.layers=true")
	}
	if e.ByWindow == nil && len(all.bounds) == 0 {
		e.Missing = append(e.Missing, "decompose.windows=10")
	}
	x.byClass(e, total)
	e.features = x.featureNames()
	if e.units, err = x.units(); err != nil {
		return nil, err
	}
	e.pictures = x.pictures(e.units)
	return e, nil
}

// dropEmptyWindows leaves out windows without steps, which a run has that took fewer than were asked for, and returns
// the bounds of the others.
func (a *sampleAccount) dropEmptyWindows(bounds []int) (kept []int) {
	var windows shares
	for w := range max(0, len(bounds)-1) {
		if bounds[w] == bounds[w+1] {
			continue
		}
		if kept == nil {
			kept = bounds[w : w+1 : w+1]
		}
		kept = append(kept, bounds[w+1])
		windows.contributions = append(windows.contributions, a.windows.contributions[w])
		windows.regularization = append(windows.regularization, a.windows.regularization[w])
	}
	a.windows = windows
	return kept
}

// windowName says which steps are from first up to end.
func windowName(first, end int) string {
	switch end - first {
	case 0:
		return "no step"
	case 1:
		return fmt.Sprintf("step %d", first)
	}
	return fmt.Sprintf("steps %d to %d", first, end-1)
}

// sum fills in the sum: in the order of [Decomposition.Prediction].
func (e *Explanation) sum(a *sampleAccount) {
	var q, absolute float64
	for _, v := range a.contributions {
		q, absolute = q+v, absolute+math.Abs(v)
	}
	machine := a.initial + q + a.regularization
	e.Sum = ExplainSum{Initial: Figure(a.initial), Contributions: Figure(q), Regularization: Figure(a.regularization), Machine: Figure(machine),
		Network: Figure(a.final), Residual: Figure(a.final - machine), Absolute: Figure(absolute), Samples: len(a.contributions)}
}

// list fills in the training samples, those that are listed with what is known of them.
func (x *explainer) list(e *Explanation, a *sampleAccount) error {
	indices, err := x.whole("train_indices")
	if err != nil {
		return err
	}
	original, err := x.whole("train_original_targets")
	if err != nil {
		return err
	}
	q := a.contributions
	var sides [2][]int // for, against
	for i, v := range q {
		switch {
		case v > 0:
			sides[0] = append(sides[0], i)
		case v < 0:
			sides[1] = append(sides[1], i)
		default:
			e.Neutral++
		}
	}
	for side, order := range sides {
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(math.Abs(q[j]), math.Abs(q[i])) })
		listed, others := []Push{}, Others{}
		for rank, i := range order {
			share := Figure(math.Abs(q[i]) / float64(e.Sum.Absolute))
			if x.top > 0 && rank >= x.top {
				others.Count, others.Contribution, others.Share = others.Count+1, others.Contribution+Figure(q[i]), others.Share+share
				continue
			}
			p := Push{Rank: rank + 1, Index: i, DataIndex: indices[i], Label: x.label(x.train, i), Contribution: Figure(q[i]), Share: share,
				ByLayer: a.layers.at(i), ByWindow: a.windows.at(i)}
			if original != nil && int(original[i]) != x.train.Labels[i] {
				p.OriginalLabel = x.className(int(original[i]))
			}
			inputs, err := x.inputs("train_inputs", i)
			if err != nil {
				return err
			}
			p.Inputs = figuresOf(inputs)
			listed = append(listed, p)
		}
		if side == 0 {
			e.For, e.OthersFor = listed, others
		} else {
			e.Against, e.OthersAgainst = listed, others
		}
	}
	return nil
}

// at returns the parts of one training sample's contribution.
func (s *shares) at(sample int) (values []Figure) {
	for _, part := range s.contributions {
		values = append(values, Figure(part[sample]))
	}
	return values
}

// add counts a contribution as that of a part.
func (p *Share) add(q float64) {
	p.Contribution += Figure(q)
	if q > 0 {
		p.For += Figure(q)
	} else {
		p.Against += Figure(q)
	}
}

// shareOut fills in the shares of parts.
func shareOut(parts []Share) {
	var total Figure
	for _, p := range parts {
		total += p.For - p.Against
	}
	for i, p := range parts {
		parts[i].Share = (p.For - p.Against) / total
	}
}

// partsOf returns named parts; nil without shares.
func partsOf(names []string, s shares) (parts []Share) {
	for i, values := range s.contributions {
		p := Share{Name: names[i], Regularization: Figure(s.regularization[i])}
		for _, q := range values {
			p.add(q)
		}
		parts = append(parts, p)
	}
	shareOut(parts)
	return parts
}

// byClass fills in the parts of the classes of the training samples.
func (x *explainer) byClass(e *Explanation, a *sampleAccount) {
	if x.classes == nil {
		return
	}
	for _, name := range x.classes {
		e.ByClass = append(e.ByClass, Share{Name: name})
	}
	for i, q := range a.contributions {
		p := &e.ByClass[x.train.Labels[i]]
		p.Samples++
		p.add(q)
	}
	shareOut(e.ByClass)
}

func figuresOf(v []float64) []Figure {
	out := make([]Figure, len(v))
	for i, x := range v {
		out[i] = Figure(x)
	}
	return out
}
