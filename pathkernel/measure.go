package pathkernel

import "fmt"

// Measure turns a path of steps into weights on points of evaluation: the
// integral ∫h dτ over the path becomes Σ_s Σ_k Step(η_s)[k]·h(w_s + Nodes()[k]·Δ_s)
// plus Finish()·h(w_S). It is called once for every step, in order.
type Measure interface {
	// Nodes returns the points of a step, in [0, 1], the same for every step.
	Nodes() []float64
	// Step returns the weights of the nodes in the next step, which has learning
	// rate η. The slice is valid until the next call.
	Step(η float64) []float64
	// Finish returns the weight of the final weights, 0 for none.
	Finish() float64
}

// The families of measures.
const (
	ExactFamily = "exact"
	FlowFamily  = "flow"
)

// NewMeasure returns the measure of a family and a rule.
func NewMeasure(family string, rule Rule) (Measure, error) {
	switch family {
	case ExactFamily:
		return &exact{rule: rule, weights: make([]float64, len(rule.Nodes))}, nil
	case FlowFamily:
		switch rule.Name {
		case "left":
			return &flow{}, nil
		case "trapezoid":
			return &flow{trapezoid: true}, nil
		}
		return nil, fmt.Errorf("pathkernel: family %q takes the rules left and trapezoid, which need nothing between its snapshots; found %q", family, rule.Name)
	}
	return nil, fmt.Errorf("pathkernel: no family is named %q; there are %s and %s", family, ExactFamily, FlowFamily)
}

// Order returns the order of a measure's quadrature within a step, 0 for a
// measure that does not integrate within steps.
func Order(m Measure) int {
	if e, ok := m.(*exact); ok {
		return e.rule.Order
	}
	return 0
}
