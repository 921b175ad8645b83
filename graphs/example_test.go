package graphs_test

import (
	"fmt"
	"math"

	"pkm/graphs"
)

// sine is the layer y_i = a_i·sin(x_i) with a weight a_i for each value.
type sine struct{}

func (sine) Forward(w, x, y []float64) {
	for i := range x {
		y[i] = w[i] * math.Sin(x[i])
	}
}

func (sine) Pullback(w, x, δy, δx, δw []float64) {
	for i := range x {
		if δx != nil {
			δx[i] = δy[i] * w[i] * math.Cos(x[i])
		}
		if δw != nil {
			δw[i] = δy[i] * math.Sin(x[i])
		}
	}
}

// A layer of one's own is a Function of one sample: two methods.
func ExampleCustom() {
	layer := graphs.Custom{
		Name:       "sine",
		Parameters: []graphs.Parameter{{Name: "amplitude", Shape: []int{3}, Start: 1}},
		Function:   sine{},
	}
	network, err := graphs.New(graphs.Shape{2}, graphs.Dense{Out: 3, Bias: true}, layer, graphs.Dense{Out: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := graphs.Initialise[float64](network, graphs.GlorotNormal, 1, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	engine, err := graphs.OpenEngine("gonum")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	jacobian, err := graphs.NewJacobian[float64](network, engine, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = jacobian.SetInputs([]float64{0.5, -1})
	if err := jacobian.Run(w); err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range network.Layout() {
		fmt.Println(p.Name, p.Shape)
	}
	factor := jacobian.Factors()[1]
	fmt.Printf("∂f/∂amplitude has %d values for each output\n", factor.OutWidth)
	// Output:
	// 0.weight [3 2]
	// 0.bias [3]
	// 1.amplitude [3]
	// 2.weight [1 3]
	// ∂f/∂amplitude has 3 values for each output
}
