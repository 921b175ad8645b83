package pathkernel

// Trapezoid is the trapezoid rule (g(0)+g(1))/2, of order 2. Its end node is the
// next step's start.
func Trapezoid() Rule {
	return Rule{Name: "trapezoid", Nodes: []float64{0, 1}, Weights: []float64{0.5, 0.5}, Order: 2}
}
