package pathkernel

// Left is the left Riemann rule g(0), of order 1.
func Left() Rule {
	return Rule{Name: "left", Nodes: []float64{0}, Weights: []float64{1}, Order: 1}
}
