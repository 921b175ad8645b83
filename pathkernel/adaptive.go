package pathkernel

import "math"

// Curve is what a query's outputs do within a step, while the weights move along
// w_s + tΔ_s for t in [0, 1]. The slices are valid until the next call.
type Curve interface {
	// Value returns f(x; w_s + tΔ_s) (C).
	Value(t float64) ([]float64, error)
	// Slope returns df/dt = J(x; w_s + tΔ_s)·Δ_s (C).
	Slope(t float64) ([]float64, error)
}

// Adaptive is the rule that refines a step for the queries whose residual misses
// Tolerance: first more nodes, then panels of three Gauss nodes that are cut where the
// outputs have a kink, and else in the middle.
type Adaptive struct {
	Tolerance float64 // of a step: largest |residual| of any output, in units of the outputs
	MaxNodes  int     // Jacobians of a query that a step may take
}

// Base returns the rule that every step begins with.
func (Adaptive) Base() Rule { return Gauss(3) }

// Mesh is a quadrature of one query's step: ∫₀¹ J(x; w_s+tΔ_s) dt ≈ Σ_k Weights[k]·J at Nodes[k].
type Mesh struct {
	Nodes, Weights []float64
	// Residual is an upper bound of the largest |f(1) − f(0) − Σ_k Weights[k]·Slope(Nodes[k])|: the
	// residuals of the panels, summed without their signs.
	Residual float64
	Short    bool // the nodes ran out above the tolerance
	Spent    int  // Jacobians evaluated, those that were thrown away included
}

// panel is a part of a step with the slopes at its Gauss nodes.
type panel struct {
	from, to    float64
	left, right []float64 // f at its ends
	rule        Rule
	nodes       []float64 // of the rule, in the step
	slopes      [][]float64
	residual    []float64
	worst       float64 // its largest |residual|
}

// newPanel returns a panel whose slopes are known.
func newPanel(from, to float64, left, right []float64, rule Rule, nodes []float64, slopes [][]float64) panel {
	p := panel{from: from, to: to, left: left, right: right, rule: rule, nodes: nodes, slopes: slopes, residual: make([]float64, len(left))}
	for c := range p.residual {
		r := right[c] - left[c]
		for k, ω := range rule.Weights {
			r -= (to - from) * ω * slopes[k][c]
		}
		p.residual[c] = r
		p.worst = max(p.worst, math.Abs(r))
	}
	if math.IsNaN(sum(p.residual)) {
		p.worst = math.NaN()
	}
	return p
}

// refinement refines one query's step.
type refinement struct {
	curve  Curve
	rule   Adaptive
	panels []panel
	spent  int
}

// Refine returns a mesh on which the residual of a query's step is at most the tolerance, or
// the one it had reached when the nodes ran out. start and end are f at w_s and w_{s+1}
// (C), slopes those at the nodes of Base. The tolerance is not taken below noise, what
// rounding leaves uncertain in the outputs. Each kink that matters takes about nine
// Jacobians and some forty forward passes.
func (a Adaptive) Refine(c Curve, start, end []float64, slopes [][]float64, noise float64) (Mesh, error) {
	a.Tolerance = max(a.Tolerance, noise)
	r := &refinement{curve: c, rule: a, spent: len(slopes)}
	r.panels = []panel{newPanel(0, 1, start, end, a.Base(), a.Base().Nodes, slopes)}
	for {
		worst, total := 0, 0.0
		for i := range r.panels {
			total += r.panels[i].worst
			if r.panels[i].worst > r.panels[worst].worst {
				worst = i
			}
		}
		// A NaN ends it too: what is not finite is reported by whoever evaluates.
		if !(total > a.Tolerance) || r.spent+finerNodes > a.MaxNodes || !r.panels[worst].divisible() {
			return r.mesh(total), nil
		}
		step := r.split
		if p := &r.panels[worst]; p.smooth() {
			step = r.raise
		}
		if err := step(worst); err != nil {
			return Mesh{}, err
		}
	}
}

// finerNodes is the number of Gauss nodes that a smooth panel is given before it is cut, and
// what a cut takes.
const finerNodes = 6

// smooth reports whether more nodes may serve a panel of the base rule: of a smooth curve, the
// middle node of three alone misses far more than all three do; with a kink they miss alike.
func (p *panel) smooth() bool {
	if len(p.slopes) != 3 {
		return false
	}
	var one float64
	for c := range p.residual {
		one = max(one, math.Abs(p.right[c]-p.left[c]-(p.to-p.from)*p.slopes[1][c]))
	}
	return p.worst < 0.01*one
}

// divisible reports whether there is room between the ends of a panel.
func (p *panel) divisible() bool { return p.to-p.from > 1e-13 }

// raise gives a panel more nodes.
func (r *refinement) raise(i int) error {
	p := r.panels[i]
	finer, err := r.panel(p.from, p.to, p.left, p.right, Gauss(finerNodes))
	r.panels[i] = finer
	return err
}

// panel evaluates the slopes of a new panel.
func (r *refinement) panel(from, to float64, left, right []float64, rule Rule) (panel, error) {
	nodes, slopes := make([]float64, len(rule.Nodes)), make([][]float64, len(rule.Nodes))
	for k, x := range rule.Nodes {
		nodes[k] = from + (to-from)*x
		s, err := r.curve.Slope(nodes[k])
		if err != nil {
			return panel{}, err
		}
		slopes[k] = append([]float64(nil), s...)
	}
	r.spent += len(slopes)
	return newPanel(from, to, left, right, rule, nodes, slopes), nil
}

// split cuts a panel in two.
func (r *refinement) split(i int) error {
	p := r.panels[i]
	at, err := r.kink(&p)
	if err != nil {
		return err
	}
	value, err := r.curve.Value(at)
	if err != nil {
		return err
	}
	value = append([]float64(nil), value...)
	left, err := r.panel(p.from, at, p.left, value, r.rule.Base())
	if err != nil {
		return err
	}
	right, err := r.panel(at, p.to, value, p.right, r.rule.Base())
	if err != nil {
		return err
	}
	r.panels[i] = left
	r.panels = append(r.panels, right)
	return nil
}

// mesh returns the nodes of all panels.
func (r *refinement) mesh(residual float64) Mesh {
	m := Mesh{Residual: residual, Short: !(residual <= r.rule.Tolerance), Spent: r.spent}
	for i := range r.panels {
		p := &r.panels[i]
		m.Nodes = append(m.Nodes, p.nodes...)
		for _, ω := range p.rule.Weights {
			m.Weights = append(m.Weights, (p.to-p.from)*ω)
		}
	}
	return m
}

func sum(v []float64) (s float64) {
	for _, x := range v {
		s += x
	}
	return s
}
