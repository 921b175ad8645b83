package pathkernel

import (
	"fmt"
	"strconv"
	"strings"
)

// Rule is a quadrature rule on [0, 1]:
//
//	∫₀¹ g(t) dt ≈ Σ_k Weights[k]·g(Nodes[k])
//
// It is data: whoever integrates asks for nothing else.
type Rule struct {
	Name    string
	Nodes   []float64 // ascending, in [0, 1]
	Weights []float64 // of the same length, with sum 1
	// Order is the power of the learning rate with which the residual of a whole
	// run falls, at a fixed product of learning rate and steps, on a smooth network.
	Order int
}

// MaxNodes is the largest number of nodes that midpoint-k and gauss-k take.
const MaxNodes = 64

// RuleNames describes the names that ParseRule takes.
const RuleNames = "left, trapezoid, midpoint-K, gauss-K with K from 1 to 64"

// ParseRule returns the rule of that name: left, trapezoid, midpoint-K, gauss-K.
func ParseRule(name string) (Rule, error) {
	switch name {
	case "left":
		return Left(), nil
	case "trapezoid":
		return Trapezoid(), nil
	}
	kind, count, _ := strings.Cut(name, "-")
	make, known := map[string]func(int) Rule{"midpoint": Midpoint, "gauss": Gauss}[kind]
	k, err := strconv.Atoi(count)
	if !known || err != nil || k < 1 || k > MaxNodes || strconv.Itoa(k) != count {
		return Rule{}, fmt.Errorf("pathkernel: no quadrature rule is named %q; there are %s", name, RuleNames)
	}
	return make(k), nil
}
